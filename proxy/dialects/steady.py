"""What of an observation's text stays when the same thing happens again: not the time of day, nor an address.

Rules of this room: what stands near either end is looked at, where agents and test runners print such lines. A
duration counts, as benchmarks print them, but for the lines of those that time every call. The result is
compared and hashed, never sent.
"""

import re

_END = 1_000
"""Characters at either end. All of a text would cost a third of counting its tokens."""

_PASSING = re.compile(
    r"""[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?
      | 0x[0-9a-f]{6,}
      | Chunk[ ]ID:[ ][0-9a-f]+ | Wall[ ]time:[ ][0-9.]+  # Codex
      | (?:passed|failed|errors?|skipped|warnings?|tests?|finished)[ ]in[ ][0-9.]+s  # pytest, unittest, cargo
    """,
    re.VERBOSE,
)


def steady(text: str) -> str:
    """The text without what differs between two runs that say the same."""
    if len(text) <= 2 * _END:
        return _PASSING.sub("", text)
    return _PASSING.sub("", text[:_END]) + text[_END:-_END] + _PASSING.sub("", text[-_END:])

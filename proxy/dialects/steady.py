"""What of an observation's text stays when the same thing happens again: not the time it took, nor an address.

Rules of this room: what stands near either end is looked at, where agents and test runners print such lines; a
figure without a unit is content. The result is compared and hashed, never sent.
"""

import re

_END = 1_000
"""Characters at either end. All of a text would cost a third of counting its tokens."""

_PASSING = re.compile(
    r"""Chunk[ ]ID:[ ][0-9a-f]+          # Codex
      | 0x[0-9a-f]{6,}
      | [0-9]{1,9}(?:
            :[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?
          | (?:\.[0-9]+)?[ ]?(?:m?s|secs?|seconds?)\b
        )""",
    re.VERBOSE,
)


def steady(text: str) -> str:
    """The text without clock times, durations and addresses."""
    if len(text) <= 2 * _END:
        return _PASSING.sub("", text)
    return _PASSING.sub("", text[:_END]) + text[_END:-_END] + _PASSING.sub("", text[-_END:])

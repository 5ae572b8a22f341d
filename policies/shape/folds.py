"""Lines, and blocks of lines, that come again and again: once, and how often.

Rules of this room: exact repeats only, one right behind the other, so every line can be written out again. A text
that holds such a note itself is left alone. Linear time.
"""

import re
from collections.abc import Sequence

LONGEST = 40
"""Lines of a block that is looked for: a recursion's frames, a retry's messages."""
WORTH = 80
"""Characters that a fold must take out: the note takes some itself."""

_NOTE = re.compile(r"^\[the (?:line|\d+ lines) above, \d+ more times?\]$", re.MULTILINE)


def folded(text: str) -> str:
    """The text with repeats named instead of shown."""
    lines = text.split("\n")
    if len(set(lines)) == len(lines) or _NOTE.search(text):
        return text
    later = _distances(lines)
    found: list[str] = []
    at = 0
    while at < len(lines):
        size = later[at]
        times = _repeats(lines, at, size) if size else 0
        block = lines[at : at + size]
        if times * sum(len(line) + 1 for line in block) >= WORTH:
            found += [*block, _note(size, times)]
            at += size * (times + 1)
        else:
            step = max(1, size * times)
            found += lines[at : at + step]
            at += step
    return "\n".join(found)


def _distances(lines: Sequence[str]) -> list[int]:
    """For each line how far behind it the same one comes again; 0 where it does not, or too far."""
    found, next_place = [0] * len(lines), dict[str, int]()
    for at in range(len(lines) - 1, -1, -1):
        distance = next_place.get(lines[at], at) - at
        found[at] = distance if distance <= LONGEST else 0
        next_place[lines[at]] = at
    return found


def _repeats(lines: Sequence[str], at: int, size: int) -> int:
    """How often the block at `at` comes again right behind itself."""
    block, times = lines[at : at + size], 0
    while lines[at + (times + 1) * size : at + (times + 2) * size] == block:
        times += 1
    return times


def _note(size: int, times: int) -> str:
    what = "line" if size == 1 else f"{size} lines"
    return f"[the {what} above, {times} more time{'s' if times > 1 else ''}]"

"""Line numbers that a tool writes in front of a file's lines, without the blanks that align them.

Claude Code 2.1 shows a number and a tab; editors in the manner of Anthropic's text editor tool, `cat -n` and `nl`
fill up the number to six places, which is a seventh of what they say.

Rules of this room: only numbers that count up by one, line after line, six places wide, and only where it is known
that the tool numbers lines. What stands behind the tab is the file's, and stays.
"""

import re
from itertools import groupby

WIDTH = 6
"""Places to which `cat -n`, `nl` and the editors fill up."""
FEWEST = 3
"""Lines in a row that show that they are numbered."""

_NUMBERED = re.compile(r" *([0-9]{1,12})\t")


def narrowed(text: str) -> str:
    """The text with its line numbers as they are, and no blanks before them."""
    lines = text.split("\n")
    found: list[str] = []
    for start, group in groupby(enumerate(lines), lambda pair: _beginning(*pair)):
        run = [line for _, line in group]
        found += [line.lstrip(" ") for line in run] if start is not None and len(run) >= FEWEST else run
    return "\n".join(found)


def _beginning(place: int, line: str) -> int | None:
    """The place at which line 0 would stand: the same for all lines of one count; None where it has no number."""
    match = _NUMBERED.match(line)
    return place - int(match[1]) if match and match.end() == max(WIDTH, len(match[1])) + 1 else None

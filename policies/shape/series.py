"""Lines that differ only in a number: the first, the last, and how many stood in between.

Rules of this room: this loses what the lines in between said, so it is only for what would be cut anyway, and says
where all of it is to be read. Linear time.
"""

import re
from itertools import groupby

FEWEST = 5
"""Lines that make a series."""

_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]*[0-9][0-9a-f]{6,}\b|[0-9]+")


def thinned(text: str, identity: str) -> str:
    """The text with the first and the last line of each series. `identity`: of the original in the archive."""
    lines = text.split("\n")
    patterns = _NUMBER.sub("0", text).split("\n")
    found: list[str] = []
    for _, group in groupby(range(len(lines)), patterns.__getitem__):
        places = list(group)
        run = [lines[place] for place in places]
        found += run if len(run) < FEWEST or not run[0].strip() else [run[0], _note(len(run) - 2), run[-1]]
    if len(found) == len(lines):
        return text
    return "\n".join([*found, f"[to read the lines elided above: holdfast archive get {identity}]"])


def _note(count: int) -> str:
    return f"[{count} lines like the one above and the one below elided]"

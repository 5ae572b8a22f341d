"""Tables for a terminal: aligned columns within a width.

Rules of this room: text in, text out. Numbers are right-aligned; when a table is too wide, its widest
columns of text give way. It must not know what is in a table, nor whether a terminal shows it.
"""

import re
from collections.abc import Sequence

WIDTH = 80
GAP = "  "
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"

_NUMBER = re.compile(r"[-+$]?[\d,]+(\.\d+)?( ?[%a-zA-Z])?|-")


def render(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int = WIDTH, colour: bool = False) -> str:
    """The table, one line a row, with no line longer than `width` where text can give way."""
    widths = _fit([max(map(len, column)) for column in zip(header, *rows, strict=True)], _texts(rows), width)
    right = [column not in _texts(rows) and bool(rows) for column in range(len(header))]
    lines = [_line(row, widths, right) for row in (header, *rows)]
    if colour:
        lines[0] = f"{BOLD}{lines[0]}{PLAIN}"
    return "\n".join(lines)


def _texts(rows: Sequence[Sequence[str]]) -> set[int]:
    """The columns that hold anything but numbers."""
    return {n for row in rows for n, cell in enumerate(row) if not _NUMBER.fullmatch(cell)}


def _fit(widths: list[int], texts: set[int], limit: int) -> list[int]:
    """The widths, with the widest column of text narrowed again and again until the table fits."""
    while sum(widths) + len(GAP) * (len(widths) - 1) > limit:
        widest = max(texts, key=lambda column: widths[column], default=None)
        if widest is None or widths[widest] <= 4:
            break
        widths[widest] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    fitted = (
        _cut(cell, width).rjust(width) if is_right else _cut(cell, width).ljust(width)
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    )
    return GAP.join(fitted).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"

"""JSON that stands in a text, found where it is sure to begin and to end, and laid out in less room.

Found is JSON that is the whole text, a whole line, or that is printed over several lines: its first
line is one bracket, its last the other, and the lines in between are indented. What does not parse stays.

Rules of this room: no value is encoded again: numbers, strings and the order of keys stay as they
are spelled, so it says the same to any reader. Linear time.
"""

import re
from collections.abc import Iterator

import msgspec

from policies.shape.table import tabulated

SHORTEST = 80
"""Characters of JSON that is looked at."""

_CLOSING = {"{": "}", "[": "]"}
_OUTSIDE = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)


def compacted(text: str) -> str:
    """The text with its JSON in less room."""
    pieces, done = [], 0
    for start, end in _documents(text):
        pieces += [text[done:start], _laid_out(text[start:end])]
        done = end
    return "".join([*pieces, text[done:]])


def _laid_out(document: str) -> str:
    """A table or JSON without blanks; what is not JSON as it is."""
    try:
        raw = document.encode()
        msgspec.json.decode(raw)
    except (ValueError, RecursionError):  # a lone surrogate, not JSON, or nested too deep to say
        return document
    return tabulated(_OUTSIDE.sub(r"\1", document).encode()).decode()


def _documents(text: str) -> Iterator[tuple[int, int]]:
    """Where JSON may stand, in order, never overlapping."""
    whole = text.strip()
    if _is_enclosed(whole) and _parses(whole):
        start = text.index(whole)
        yield start, start + len(whole)
        return
    place, opened, closing = 0, -1, ""
    for line in text.split("\n"):
        bare, start = line.strip(), place
        place += len(line) + 1
        if opened >= 0 and bare == closing and line[:1] == closing:
            if start - opened >= SHORTEST:
                yield opened, start + 1
            opened = -1
        elif opened >= 0 and line[:1] in " \t":
            continue
        elif bare in _CLOSING and line[:1] == bare:
            opened, closing = start, _CLOSING[bare]
        else:
            opened = -1
            if _is_enclosed(bare) and line.startswith(bare):
                yield start, start + len(bare)


def _is_enclosed(text: str) -> bool:
    return len(text) >= SHORTEST and _CLOSING.get(text[0]) == text[-1]


def _parses(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return False
    return True

"""The lines of an original that are asked for: a range, a pattern, what surrounds it.

Rules of this room: a pattern comes from an agent or a person, and some patterns take years on a line that somebody
else has written. So time is bounded, for all lines together. Other threads go on meanwhile.
"""

import re
import time
from collections.abc import Iterator, Sequence

import regex
from msgspec import Struct

from proxy.errors import AskedError

SECONDS = 1.0
"""For one pattern on one original. Most take a millisecond."""
LONGEST = 500
"""Characters of a pattern."""

_RANGE = re.compile(r"(\d{0,9}):(\d{0,9})")


class Asked(Struct, frozen=True):
    """Empty: all of it."""

    lines: str = ""
    """`A:B`, counted from 1; either may be left out."""
    grep: str = ""
    """A regular expression."""
    context: int = 0
    """Lines around each that matches."""


class Line(Struct, frozen=True):
    number: int
    text: str


def chosen(text: str, asked: Asked, seconds: float = SECONDS) -> tuple[Line, ...]:
    """Raises AskedError where that cannot be asked for."""
    lines = text.splitlines()
    first, last = span(asked.lines, len(lines))
    within = [Line(number, line) for number, line in enumerate(lines[first - 1 : last], first)]
    if not asked.grep:
        return tuple(within)
    near = max(0, asked.context)
    places = {at for place in _matching(within, asked.grep, seconds) for at in range(place - near, place + near + 1)}
    return tuple(line for place, line in enumerate(within) if place in places)


def span(text: str, count: int) -> tuple[int, int]:
    """First and last line of a range."""
    match = _RANGE.fullmatch(text or ":")
    if match is None:
        raise AskedError(f"`{text}` is no range of lines; write A:B, counted from 1; either may be left out")
    return max(1, int(match[1] or 1)), int(match[2] or count)


def _matching(lines: Sequence[Line], pattern: str, seconds: float) -> Iterator[int]:
    """The places of those that match."""
    wanted = _compiled(pattern)
    end = time.monotonic() + seconds
    for place, line in enumerate(lines):
        left = end - time.monotonic()
        try:
            # a timeout of 0 would be none
            if wanted.search(line.text, timeout=max(left, 1e-6), concurrent=True):
                yield place
        except TimeoutError:
            message = f"`{pattern}` takes too long on line {line.number}; write a simpler one, or name the lines"
            raise AskedError(message) from None


def _compiled(pattern: str) -> "regex.Pattern[str]":
    if len(pattern) > LONGEST:
        raise AskedError(f"a pattern may have {LONGEST} characters")
    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise AskedError(f"`{pattern}` is no regular expression: {error}") from None

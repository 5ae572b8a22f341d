"""What is odd about a set of tool definitions: two that say the same, and those that say too little.

Rules of this room: pure, deterministic and symmetric. A remark states what was measured and the measure;
whether it matters is for a person to say. No text of a description is repeated.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal

from msgspec import Struct

from proxy.dialects.definitions import Definition
from proxy.toolbox.words import alike, in_name, in_text, length

OPENING = 25
"""Words that say something, of the start of a description: what a tool is for stands there, its manual behind."""
SAME = 2 / 3
"""Share of words from which two openings count as one. Seen in tool lists of agents and servers: pairs that do the
same from 0.71 on, opposites that share an object (delete a job, list jobs) up to 0.56."""
ENOUGH = 5
"""Words that an opening must have to be compared: of two short sentences half the words are the same by chance."""
SHORT = 5
"""A description of fewer words is no sentence that says what, of what and when."""


class Overlap(Struct, frozen=True):
    """Two tools between which a model has to guess."""

    these: tuple[str, str]
    """Labels."""
    by: Literal["name", "description"]
    """What they share."""
    score: float
    """Share of words in common."""


def overlaps(defined: Sequence[Definition]) -> tuple[Overlap, ...]:
    """Every pair of the client's tools that says the same."""
    own = [one for one in defined if not one.kind]
    read = [(one.label, in_name(one.name), in_text(one.description, OPENING)) for one in own]
    return tuple(found for one, other in combinations(read, 2) if (found := _overlap(one, other)))


def vagueness(one: Definition) -> tuple[str, ...]:
    """Why a description helps a model little; nothing for tools that the provider describes, or that were not kept."""
    return () if one.kind or one.bare else tuple(_vague(one))


_Read = tuple[str, tuple[str, ...], tuple[str, ...]]


def _overlap(one: _Read, other: _Read) -> Overlap | None:
    these, first, second = (one[0], other[0]), alike(one[1], other[1]), alike(one[2], other[2])
    if first == 1:
        return Overlap(these, "name", first)
    if second >= SAME and min(len(one[2]), len(other[2])) >= ENOUGH:
        return Overlap(these, "description", second)
    return None


def _vague(one: Definition) -> Iterator[str]:
    words = length(one.description)
    if not words:
        yield "no description"
    elif words < SHORT:
        yield f"a description of {words} {'word' if words == 1 else 'words'}"
    elif not set(in_text(one.description)) - set(in_name(one.name)):
        yield "says no more than the name"
    if one.undescribed and 2 * one.undescribed >= one.parameters:
        yield f"{one.undescribed} of {one.parameters} parameters without a description"

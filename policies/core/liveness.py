"""Which observations are still in use.

An observation is idle since it was made, or since an answer last took a value from it; of a value that stands in
several, only the newest is in use. In recorded runs of four agents an observation that was taken from within
the last five steps is five to twenty times as likely to be taken from again as one that was not, token for token.

Rules of this room: derived from an index alone. It must not know what is done with what is not in use.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from policies.core.index import Force, Index, Observed

MOST = 3
"""Repeated readings that still make a tool's observations stay longer."""
TOOLS = 16
"""Tools of which they are counted in one lineage."""

Rereads = tuple[tuple[str, int], ...]
"""How often what was masked of a tool's observations has been asked for again."""


class Lives(Struct, frozen=True):
    """Of the observations of one request, by their places."""

    observations: tuple[Observed, ...]
    used: dict[int, int]
    """How many observations there were when a value was last taken from this one."""
    stale: frozenset[int]
    """Superseded: the same was asked again, the file read again or written, the same said again."""

    def age(self, place: int) -> int:
        """How many observations are newer."""
        return len(self.observations) - place - 1

    def since(self, message: int) -> int:
        """How many observations came with this message or behind it."""
        return len(self.observations) - _before(self.observations, message)

    def idle(self, place: int) -> int:
        """How many of them came since it was last in use."""
        return min(self.age(place), len(self.observations) - self.used.get(place, 0))


def asked_again(index: Index, force: Force, begin: int) -> tuple[str, ...]:
    """The tools of masked observations whose text messages from `begin` on show anew: they were masked too early.

    A call made again that answers otherwise, a test after an edit, is no such thing.
    """
    found = []
    for message, place in reversed(index.stale):
        if message < begin:
            break
        one = index.observations[place]
        if (one.message, one.block.index) in force.blocks and one.block.said in _said(index, message):
            found.append(one.tool)
    return tuple(found)


def counted_again(before: Rereads, tools: Iterable[str]) -> Rereads:
    """The counts with these tools' readings."""
    counts = Counter(dict(before))
    counts.update(tools)
    return tuple(counts.most_common(TOOLS))


def patience(before: Rereads, tool: str) -> int:
    """How many times as long a tool's observations stay."""
    return 1 + min(dict(before).get(tool, 0), MOST)


def _said(index: Index, message: int) -> set[bytes]:
    new = index.observations[_before(index.observations, message) :]
    return {one.block.said for one in new if one.message == message}


def lives(index: Index) -> Lives:
    """What is in use at the end of these messages."""
    newest = {place: message for message, place in index.uses}
    used = {place: _before(index.observations, message) for place, message in newest.items()}
    return Lives(index.observations, used, frozenset(place for _, place in index.stale))


def _before(observations: Sequence[Observed], message: int) -> int:
    return bisect_left(observations, message, key=lambda one: one.message)

"""Which observations are still in use.

An observation is idle since it was made, or since an answer last took a value from it; of a value that stands in
several, only the newest is in use. In recorded runs of four agents an observation that was taken from within
the last five steps is five to twenty times as likely to be taken from again as one that was not, token for token.

Rules of this room: derived from an index alone. It must not know what is done with what is not in use.
"""

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from policies.core.index import Index, Observed


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


def lives(index: Index) -> Lives:
    """What is in use at the end of these messages."""
    newest = {place: message for message, place in index.uses}
    used = {place: _before(index.observations, message) for place, message in newest.items()}
    return Lives(index.observations, used, frozenset(place for _, place in index.stale))


def _before(observations: Sequence[Observed], message: int) -> int:
    return bisect_left(observations, message, key=lambda one: one.message)

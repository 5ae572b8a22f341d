"""How much is kept, and for how long: the one rule by which every store and archive drops things.

Rules of this room: the longest unused goes first, and nothing goes that is within both bounds. It
must not know what is dropped, or from where.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

MEGABYTE = 1_000_000
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """`max_bytes` as kept (compressed, where the backend compresses); `max_age` in seconds since the last use."""

    max_bytes: int
    max_age: float = 7 * DAY

    def beyond(self, total: int, now: float, oldest_first: Iterable[tuple[T, float, int]]) -> Iterator[T]:
        """The names to drop, from (name, last use, bytes), so that the rest is within both bounds."""
        for name, used, size in oldest_first:
            if total <= self.max_bytes and used >= now - self.max_age:
                return
            total -= size
            yield name

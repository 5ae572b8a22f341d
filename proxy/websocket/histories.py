"""What the provider holds under the id of an answer, so that a message that only adds to it can be seen as a whole.

Rules of this room: items are the bytes that passed. Each answer keeps what it added and names the one before it, so
a long conversation is kept once. Bounded in all, least recently used first; a chain with a gap is not known.
An id of one tenant means nothing to another (ISOLATED).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

OVERHEAD = 200
"""Bytes of an entry besides its items', roughly."""


@dataclass(frozen=True, slots=True, repr=False)
class _Added:
    before: str | None
    items: tuple[bytes, ...]
    size: int


class Histories:
    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._size = max_bytes, 0
        self._added: OrderedDict[tuple[bytes, str], _Added] = OrderedDict()

    def keep(self, tenant: bytes, answer: str, before: str | None, items: Sequence[bytes]) -> None:
        """`answer` stands for what `before` stands for, and these items behind it."""
        self._drop(tenant, answer)
        added = _Added(before, tuple(items), OVERHEAD + sum(map(len, items)))
        self._added[tenant, answer] = added
        self._size += added.size
        while self._size > self._max_bytes:
            self._drop(*next(iter(self._added)))

    def find(self, tenant: bytes, answer: str) -> tuple[bytes, ...] | None:
        """All items up to and including the answer; None where some are not known."""
        found: list[tuple[bytes, ...]] = []
        name: str | None = answer
        while name is not None:
            added = self._added.get((tenant, name))
            if added is None or len(found) > len(self._added):  # a chain that an upstream closed into a ring
                return None
            self._added.move_to_end((tenant, name))
            found.append(added.items)
            name = added.before
        return tuple(item for items in reversed(found) for item in items)

    def _drop(self, tenant: bytes, answer: str) -> None:
        gone = self._added.pop((tenant, answer), None)
        if gone is not None:
            self._size -= gone.size

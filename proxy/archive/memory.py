"""The archive beside the memory store: gone with the process.

Rules of this room: as `Archive` says.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from policies.core.edits import archive_id
from proxy.archive import MAX_AGE, About, Entry, Found, Whose, abouts, require_room, text_digest
from proxy.archive.notes import MemoryNotes
from proxy.archive.ranking import SCANNED, best, ranked
from proxy.archive.words import wanted
from proxy.errors import StoreError


@dataclass(slots=True)
class _Original:
    content: bytes
    at: float
    about: About


class MemoryArchive:
    """Beside the memory store. Bounded at every put, oldest first, but never by what the same put has kept."""

    folder = ""

    def __init__(self, max_bytes: int = 256_000_000, max_age: float = MAX_AGE) -> None:
        self._max_bytes, self._max_age = max_bytes, max_age
        self._size = 0
        self.notes = MemoryNotes()
        self._originals: dict[tuple[bytes, str], _Original] = {}

    async def put(
        self, tenant: bytes, texts: Sequence[bytes], now: float, about: Sequence[About] = ()
    ) -> tuple[str, ...]:
        require_room(texts, self._max_bytes)
        names = [(tenant, archive_id(tenant, text_digest(text))) for text in texts]
        for name, text in zip(names, texts, strict=True):
            self._require_same(name, text)
        for name, text, known in zip(names, texts, abouts(texts, about), strict=True):
            self._keep(name, _Original(text, now, known))
        if self._size > self._max_bytes:
            self._drop(float("-inf"), frozenset(names))
        return tuple(id for _, id in names)

    async def get(self, whose: Whose, id: str) -> bytes | None:
        if whose is not None:
            original = self._originals.get((whose, id))
            return original.content if original else None
        return next((original.content for entry, original in self._of(None) if entry.id == id), None)

    async def newest(self, whose: Whose, limit: int) -> tuple[Entry, ...]:
        return tuple(entry for entry, _ in self._of(whose)[:limit])

    async def search(self, whose: Whose, text: str, limit: int) -> Found:
        return await asyncio.to_thread(_search, self._of(whose), wanted(text), limit)

    async def tenants(self) -> tuple[bytes, ...]:
        return tuple(sorted({tenant for tenant, _ in self._originals}))

    async def kept(self, ids: Collection[str]) -> frozenset[str]:
        return frozenset(ids) & {id for _, id in self._originals}

    async def prune(self, now: float) -> int:
        self.notes.prune(now)
        return self._drop(now - self._max_age, frozenset())

    async def size(self) -> int:
        return self._size

    async def close(self) -> None:
        """Nothing is held."""

    def _require_same(self, name: tuple[bytes, str], text: bytes) -> None:
        original = self._originals.get(name)
        if original is not None and original.content != text:
            raise StoreError(f"another original has the id `{name[1]}`")

    def _keep(self, name: tuple[bytes, str], fresh: _Original) -> None:
        original = self._originals.get(name)
        if original is None:
            self._originals[name] = fresh
            self._size += len(fresh.content)
        else:
            original.at = max(original.at, fresh.at)

    def _of(self, whose: Whose) -> list[tuple[Entry, _Original]]:
        """Newest first."""
        found = [
            (Entry(tenant, id, original.at, len(original.content), original.about), original)
            for (tenant, id), original in self._originals.items()
            if whose is None or tenant == whose
        ]
        return sorted(reversed(found), key=lambda pair: -pair[0].at)

    def _drop(self, horizon: float, spared: frozenset[tuple[bytes, str]]) -> int:
        count = len(self._originals)
        for name, original in sorted(self._originals.items(), key=lambda item: item[1].at):
            if self._size <= self._max_bytes and original.at >= horizon:
                break
            if name not in spared:
                del self._originals[name]
                self._size -= len(original.content)
        return count - len(self._originals)


def _search(originals: Sequence[tuple[Entry, _Original]], words: Sequence[str], limit: int) -> Found:
    """In a thread of its own, so that nothing waits for it."""
    found, left = [], SCANNED
    for entry, original in originals if words else ():
        left -= entry.size
        if left < 0:
            break
        found.append(ranked(entry, original.content, words))
    return Found(best(found, words, limit), left >= 0)

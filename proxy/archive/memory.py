"""The archive beside the memory store: gone with the process.

Rules of this room: as `Archive` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from policies.core.edits import archive_id
from proxy.archive import MAX_AGE, require_room, text_digest
from proxy.errors import StoreError


@dataclass(slots=True)
class _Original:
    content: bytes
    at: float


class MemoryArchive:
    """Beside the memory store. Bounded at every put, oldest first, but never by what the same put has kept."""

    def __init__(self, max_bytes: int = 256_000_000, max_age: float = MAX_AGE) -> None:
        self._max_bytes, self._max_age = max_bytes, max_age
        self._size = 0
        self._originals: dict[tuple[bytes, str], _Original] = {}

    async def put(self, tenant: bytes, texts: Sequence[bytes], now: float) -> tuple[str, ...]:
        require_room(texts, self._max_bytes)
        names = [(tenant, archive_id(tenant, text_digest(text))) for text in texts]
        for name, text in zip(names, texts, strict=True):
            self._require_same(name, text)
        for name, text in zip(names, texts, strict=True):
            self._keep(name, text, now)
        if self._size > self._max_bytes:
            self._drop(float("-inf"), frozenset(names))
        return tuple(id for _, id in names)

    async def get(self, tenant: bytes, id: str) -> bytes | None:
        original = self._originals.get((tenant, id))
        return original.content if original else None

    async def prune(self, now: float) -> int:
        return self._drop(now - self._max_age, frozenset())

    async def size(self) -> int:
        return self._size

    async def close(self) -> None:
        """Nothing is held."""

    def _require_same(self, name: tuple[bytes, str], text: bytes) -> None:
        original = self._originals.get(name)
        if original is not None and original.content != text:
            raise StoreError(f"another original has the id `{name[1]}`")

    def _keep(self, name: tuple[bytes, str], text: bytes, now: float) -> None:
        original = self._originals.get(name)
        if original is None:
            self._originals[name] = _Original(text, now)
            self._size += len(text)
        else:
            original.at = max(original.at, now)

    def _drop(self, horizon: float, spared: frozenset[tuple[bytes, str]]) -> int:
        count = len(self._originals)
        for name, original in sorted(self._originals.items(), key=lambda item: item[1].at):
            if self._size <= self._max_bytes and original.at >= horizon:
                break
            if name not in spared:
                del self._originals[name]
                self._size -= len(original.content)
        return count - len(self._originals)

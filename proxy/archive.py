"""The originals of what was masked, so that whatever is elided can be read back.

Rules of this room: an original is kept before the request without it leaves (RECOVERABLE), and whoever
gets an id from `put` can redeem it until retention ends. Ids come from content and tenant alone, so
the same mask has the same id for ever, and one tenant's id means nothing to another (ISOLATED). It must
not know what an edit is.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from policies.core.edits import archive_id
from proxy.errors import StoreError

ID = re.compile(r"hf-[a-z2-7]{16}")
MAX_AGE = 7 * 86_400.0


class Archive(Protocol):
    """All methods raise StoreError on a fault. An age counts from the last time that a content was put."""

    async def put(self, tenant: bytes, texts: Sequence[bytes], now: float) -> tuple[str, ...]:
        """Keep these, all or none; returns their ids, in order."""
        ...

    async def get(self, tenant: bytes, id: str) -> bytes | None:
        """The content, checked against its digest; None where this tenant has none of this id."""
        ...

    async def prune(self, now: float) -> int:
        """Drop what is older than the bound, then the oldest while all is too large; returns how many."""
        ...

    async def size(self) -> int:
        """Bytes as kept."""
        ...

    async def close(self) -> None: ...


def text_digest(content: bytes) -> bytes:
    """What the id of an original is made of."""
    return hashlib.sha256(content).digest()


def require_room(texts: Sequence[bytes], max_bytes: int) -> None:
    """What would be dropped at once is not taken: its marker could not be redeemed."""
    if sum(map(len, texts)) > max_bytes:
        raise StoreError("the originals of this turn are larger than the archive may be; raise `archive.max_bytes`")


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

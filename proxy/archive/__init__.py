"""The originals of what was masked, so that whatever is elided can be read back.

Rules of this room: an original is kept before the request without it leaves (RECOVERABLE), and whoever
gets an id from `put` can redeem it until retention ends. Ids come from content and tenant alone, so
the same mask has the same id for ever, and one tenant's id means nothing to another (ISOLATED). It must
not know what an edit is.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

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

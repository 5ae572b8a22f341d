"""Where lineage records are kept: one interface, one file a backend.

Rules of this room: records are immutable, the first write wins, every read and write is keyed by
tenant. Faults come out as StoreError. Imports `policies.core`, `proxy.errors` and one driver a file.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from policies.core.lineage import Record
from policies.core.outcome import Outcome

LESSONS = 64
LESSON_BYTES = 1_000_000


class Session(Struct, frozen=True):
    """What the client, or the first turn's content, calls one run of an agent."""

    tenant: bytes
    name: str
    turns: int
    last: float
    """Seconds since the epoch at the start of its newest turn."""


class Looked(Protocol):
    """What a person who may read the whole store looks at: the one place where tenants are not asked for."""

    async def sessions(self, limit: int) -> tuple[Session, ...]:
        """The sessions used last, newest first."""
        ...

    async def turns(self, tenant: bytes, session: str) -> tuple[tuple[Record, Outcome | None], ...]:
        """All turns of a session with what became of them, in the order in which they began."""
        ...


class Store(Protocol):
    """All methods raise StoreError on a fault. A tenant is an HMAC digest of a whole credential (32 bytes)."""

    async def find(self, tenant: bytes, prefixes: Sequence[bytes]) -> tuple[Record, ...]:
        """Every record of this tenant at the first of these prefix hashes that has any (deepest first as given)."""
        ...

    async def chain(self, tenant: bytes, key: bytes) -> tuple[Record, ...]:
        """The record and all its ancestors that are still kept, root first."""
        ...

    async def tip(self, tenant: bytes, root: bytes) -> Record | None:
        """The newest record of a lineage, forks included."""
        ...

    async def put(self, record: Record) -> Record:
        """Keep a record unless its key is taken; returns the one that is kept."""
        ...

    async def put_outcome(self, tenant: bytes, key: bytes, outcome: Outcome) -> None:
        """Attach what became of a turn; the last one wins; unknown keys are ignored."""
        ...

    async def learn(self, tenant: bytes, name: str, value: bytes, now: float) -> None:
        """Keep a small value under a name, in place of what stood there: what one lineage taught for the next.

        At most `LESSONS` for a tenant, the longest unchanged is forgotten first. A value beyond `LESSON_BYTES` is not
        kept.
        """
        ...

    async def lesson(self, tenant: bytes, name: str) -> bytes | None:
        """What was learned last under this name."""
        ...

    async def prune(self, now: float) -> int:
        """Drop lineages beyond the store's bounds of age and size, whole lineages only; returns how many."""
        ...

    async def close(self) -> None: ...

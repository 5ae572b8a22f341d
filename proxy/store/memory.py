"""The store of one process: for tests, trials, and whoever wants nothing on disk.

Rules of this room: as `Store` says, bounded in bytes at every put, not only when pruned. One event
loop uses it, and nothing here awaits, so every call is whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.core.lineage import Record
from policies.core.outcome import Outcome
from proxy.store import LESSON_BYTES, LESSONS, Session
from proxy.store.bounds import MEGABYTE, Bounds
from proxy.store.codec import pack

MEMORY_BOUNDS = Bounds(max_bytes=256 * MEGABYTE)

OVERHEAD = 900
"""Bytes of Python objects and index entries around a record, beyond its packed form (tracemalloc, Python 3.11:
720 to 870)."""

Key = tuple[bytes, bytes]
"""The tenant, and what is looked up for it."""


@dataclass(slots=True)
class _Lineage:
    used: float
    size: int = 0
    records: list[Record] = field(default_factory=list)


class MemoryStore:
    """See `proxy.store.Store`."""

    def __init__(self, bounds: Bounds = MEMORY_BOUNDS) -> None:
        self._bounds = bounds
        self._size = 0
        self._records: dict[Key, Record] = {}
        self._outcomes: dict[Key, Outcome] = {}
        self._prefixes: dict[Key, dict[bytes, Record]] = {}
        self._lineages: dict[Key, _Lineage] = {}
        self._lessons: dict[tuple[bytes, str], tuple[float, bytes]] = {}
        """By tenant and name, the longest unchanged first."""

    async def find(self, tenant: bytes, prefixes: Sequence[bytes]) -> tuple[Record, ...]:
        for prefix in prefixes:
            if found := self._prefixes.get((tenant, prefix)):
                return tuple(sorted(reversed(found.values()), key=lambda record: -record.at))
        return ()

    async def chain(self, tenant: bytes, key: bytes) -> tuple[Record, ...]:
        seen: dict[bytes, Record] = {}
        at: bytes | None = key
        while at is not None and at not in seen and (record := self._records.get((tenant, at))):
            seen[at] = record
            at = record.parent
        return tuple(reversed(seen.values()))

    async def tip(self, tenant: bytes, root: bytes) -> Record | None:
        lineage = self._lineages.get((tenant, root))
        return max(reversed(lineage.records), key=lambda record: record.at) if lineage else None

    async def sessions(self, limit: int) -> tuple[Session, ...]:
        found: dict[tuple[bytes, str], list[Record]] = {}
        for record in self._records.values():
            found.setdefault((record.tenant, record.session), []).append(record)
        sessions = (Session(*name, len(turns), max(turn.at for turn in turns)) for name, turns in found.items())
        return tuple(sorted(sessions, key=lambda session: -session.last)[:limit])

    async def turns(self, tenant: bytes, session: str) -> tuple[tuple[Record, Outcome | None], ...]:
        found = [one for one in self._records.values() if (one.tenant, one.session) == (tenant, session)]
        return tuple((one, self._outcomes.get((tenant, one.key))) for one in sorted(found, key=lambda one: one.at))

    async def put(self, record: Record) -> Record:
        kept = self._records.get((record.tenant, record.key))
        if kept is None:
            self._add(record, len(pack(record)) + OVERHEAD)
            return record
        lineage = self._lineages[kept.tenant, kept.root]
        lineage.used = max(lineage.used, record.at)
        return kept

    async def put_outcome(self, tenant: bytes, key: bytes, outcome: Outcome) -> None:
        size = len(pack(outcome))
        if record := self._records.get((tenant, key)):
            before = self._outcomes.get((tenant, key))
            self._outcomes[tenant, key] = outcome
            self._grow(record, size - (len(pack(before)) if before else 0))

    async def outcome(self, tenant: bytes, key: bytes) -> Outcome | None:
        return self._outcomes.get((tenant, key))

    async def learn(self, tenant: bytes, name: str, value: bytes, now: float) -> None:
        if len(value) > LESSON_BYTES:
            return
        self._lessons.pop((tenant, name), None)
        self._lessons[tenant, name] = now, value
        own = [key for key in self._lessons if key[0] == tenant]
        if len(own) > LESSONS:
            del self._lessons[own[0]]
        while sum(len(kept) for _, kept in self._lessons.values()) > self._bounds.max_bytes:
            del self._lessons[next(iter(self._lessons))]

    async def lesson(self, tenant: bytes, name: str) -> bytes | None:
        found = self._lessons.get((tenant, name))
        return found[1] if found else None

    async def prune(self, now: float) -> int:
        oldest = now - self._bounds.max_age
        self._lessons = {key: lesson for key, lesson in self._lessons.items() if lesson[0] >= oldest}
        return self._drop(self._bounds, now)

    async def close(self) -> None:
        """Nothing is held."""

    def _add(self, record: Record, size: int) -> None:
        self._records[record.tenant, record.key] = record
        self._prefixes.setdefault((record.tenant, record.prefix), {})[record.key] = record
        lineage = self._lineages.setdefault((record.tenant, record.root), _Lineage(record.at))
        lineage.used = max(lineage.used, record.at)
        lineage.records.append(record)
        self._grow(record, size)

    def _grow(self, record: Record, size: int) -> None:
        self._lineages[record.tenant, record.root].size += size
        self._size += size
        if self._size > self._bounds.max_bytes:
            self._drop(Bounds(self._bounds.max_bytes, max_age=float("inf")), record.at)

    def _drop(self, bounds: Bounds, now: float) -> int:
        ages = ((name, lineage.used, lineage.size) for name, lineage in self._lineages.items())
        victims = list(bounds.beyond(self._size, now, sorted(ages, key=lambda age: age[1])))
        for tenant, root in victims:
            lineage = self._lineages.pop((tenant, root))
            self._size -= lineage.size
            for record in lineage.records:
                self._forget(record)
        return len(victims)

    def _forget(self, record: Record) -> None:
        del self._records[record.tenant, record.key]
        self._outcomes.pop((record.tenant, record.key), None)
        others = self._prefixes[record.tenant, record.prefix]
        del others[record.key]
        if not others:
            del self._prefixes[record.tenant, record.prefix]

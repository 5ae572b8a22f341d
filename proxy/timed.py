"""A store and an archive whose calls are timed. Nothing else about them differs; faults are counted by whoever meets
them."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from metrics.events import ArchiveSized, Event, StoreUsed
from policies.core.lineage import Record
from policies.core.outcome import Outcome
from proxy.archive import About, Archive, Entry, Found, Notes, Whose
from proxy.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimedStore:
    """See `proxy.store.Store`."""

    store: Store
    backend: str
    emit: Callable[[Event], None]

    async def find(self, tenant: bytes, prefixes: Sequence[bytes]) -> tuple[Record, ...]:
        return await self._timed("find", self.store.find(tenant, prefixes))

    async def chain(self, tenant: bytes, key: bytes) -> tuple[Record, ...]:
        return await self._timed("chain", self.store.chain(tenant, key))

    async def tip(self, tenant: bytes, root: bytes) -> Record | None:
        return await self._timed("tip", self.store.tip(tenant, root))

    async def put(self, record: Record) -> Record:
        return await self._timed("put", self.store.put(record))

    async def put_outcome(self, tenant: bytes, key: bytes, outcome: Outcome) -> None:
        await self._timed("put_outcome", self.store.put_outcome(tenant, key, outcome))

    async def learn(self, tenant: bytes, name: str, value: bytes, now: float) -> None:
        await self._timed("learn", self.store.learn(tenant, name, value, now))

    async def lesson(self, tenant: bytes, name: str) -> bytes | None:
        return await self._timed("lesson", self.store.lesson(tenant, name))

    async def prune(self, now: float) -> int:
        return await self._timed("prune", self.store.prune(now))

    async def close(self) -> None:
        await self.store.close()

    async def _timed(self, operation: str, call: Awaitable[T]) -> T:
        return await _timed(self.emit, self.backend, operation, call)


@dataclass(frozen=True, slots=True)
class TimedArchive:
    """See `proxy.archive.Archive`. Whoever asks for its size tells the metrics."""

    archive: Archive
    backend: str
    emit: Callable[[Event], None]

    @property
    def notes(self) -> Notes:
        return self.archive.notes

    @property
    def folder(self) -> str:
        return self.archive.folder

    async def put(
        self, tenant: bytes, texts: Sequence[bytes], now: float, about: Sequence[About] = ()
    ) -> tuple[str, ...]:
        return await self._timed("put", self.archive.put(tenant, texts, now, about))

    async def get(self, whose: Whose, id: str) -> bytes | None:
        return await self._timed("get", self.archive.get(whose, id))

    async def newest(self, whose: Whose, limit: int) -> tuple[Entry, ...]:
        return await self._timed("search", self.archive.newest(whose, limit))

    async def search(self, whose: Whose, text: str, limit: int) -> Found:
        return await self._timed("search", self.archive.search(whose, text, limit))

    async def tenants(self) -> tuple[bytes, ...]:
        return await self.archive.tenants()

    async def kept(self, ids: Collection[str]) -> frozenset[str]:
        return await self.archive.kept(ids)

    async def prune(self, now: float) -> int:
        return await self._timed("prune", self.archive.prune(now))

    async def size(self) -> int:
        size = await self.archive.size()
        self.emit(ArchiveSized(self.backend, size))
        return size

    async def close(self) -> None:
        await self.archive.close()

    async def _timed(self, operation: str, call: Awaitable[T]) -> T:
        return await _timed(self.emit, self.backend, f"archive_{operation}", call)


async def _timed(emit: Callable[[Event], None], backend: str, operation: str, call: Awaitable[T]) -> T:
    began = time.perf_counter()
    try:
        return await call
    finally:
        emit(StoreUsed(operation, backend, time.perf_counter() - began))

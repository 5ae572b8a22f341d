"""A store whose calls are timed. Nothing else about it differs; faults are counted by whoever meets them."""

import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from metrics.events import Event, StoreUsed
from policies.core.lineage import Record
from policies.core.outcome import Outcome
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

    async def prune(self, now: float) -> int:
        return await self._timed("prune", self.store.prune(now))

    async def close(self) -> None:
        await self.store.close()

    async def _timed(self, operation: str, call: Coroutine[Any, Any, T]) -> T:
        began = time.perf_counter()
        try:
            return await call
        finally:
            self.emit(StoreUsed(operation, self.backend, time.perf_counter() - began))

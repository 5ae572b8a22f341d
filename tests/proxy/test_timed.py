"""A timed store does what the store under it does, and tells how long each call took."""

import asyncio

import pytest

from metrics.events import Event, StoreUsed
from proxy.errors import StoreError
from proxy.store.memory import MemoryStore
from proxy.timed import TimedStore
from tests.proxy.store.records import record


class Locked(MemoryStore):
    async def prune(self, now: float) -> int:
        raise StoreError("locked")


def test_every_call_is_passed_on_and_timed_also_one_that_fails() -> None:
    told: list[Event] = []
    store = TimedStore(Locked(), "memory", told.append)
    kept = record(1)

    async def use() -> None:
        assert await store.put(kept) == kept
        assert await store.find(kept.tenant, (kept.prefix,)) == (kept,)
        assert await store.chain(kept.tenant, kept.key) == (kept,)
        assert await store.tip(kept.tenant, kept.root) == kept
        with pytest.raises(StoreError, match="locked"):
            await store.prune(0.0)
        await store.close()

    asyncio.run(use())
    assert [event.operation for event in told if isinstance(event, StoreUsed)] == [
        "put",
        "find",
        "chain",
        "tip",
        "prune",
    ]
    assert all(isinstance(event, StoreUsed) and event.backend == "memory" and event.seconds >= 0 for event in told)

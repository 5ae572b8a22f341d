"""A timed store does what the store under it does, and tells how long each call took."""

import asyncio

import pytest

from metrics.events import ArchiveSized, Event, StoreUsed
from proxy.archive.memory import MemoryArchive
from proxy.errors import StoreError
from proxy.store.memory import MemoryStore
from proxy.timed import TimedArchive, TimedStore
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


class Full(MemoryArchive):
    async def prune(self, now: float) -> int:
        raise StoreError("locked")


def test_calls_to_the_archive_are_timed_under_names_of_their_own_and_its_size_is_told() -> None:
    told: list[Event] = []
    under = Full()
    archive = TimedArchive(under, "memory", told.append)

    async def use() -> None:
        (id,) = await archive.put(b"t" * 32, (b"text",), 1.0)
        assert await archive.get(b"t" * 32, id) == b"text"
        assert len((await archive.search(None, "text", 1)).hits) == len(await archive.newest(None, 1)) == 1
        assert await archive.tenants() == (b"t" * 32,) and await archive.kept((id,)) == {id}
        with pytest.raises(StoreError, match="locked"):
            await archive.prune(0.0)
        assert await archive.size() == 4
        await archive.close()

    asyncio.run(use())
    assert archive.notes is under.notes and archive.folder == ""
    names = [event.operation for event in told if isinstance(event, StoreUsed)]
    assert names == ["archive_put", "archive_get", "archive_search", "archive_search", "archive_prune"]
    assert told[-1] == ArchiveSized("memory", 4)

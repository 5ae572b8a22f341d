"""What only a store in memory has to keep: its size, at every moment."""

import asyncio

from policies.core.outcome import Outcome
from proxy.store.bounds import Bounds
from proxy.store.memory import MemoryStore
from tests.proxy.store.records import ALICE, START, record

TEXT = "x" * 1_000


def test_it_is_within_its_size_after_every_put_and_the_longest_unused_goes_first() -> None:
    async def main() -> None:
        store = MemoryStore(Bounds(max_bytes=30_000, max_age=1.0))
        for n in range(50):
            await store.put(record(lineage="kept", at=START + n))
            await store.put(record(lineage=str(n), at=START + n, text=TEXT))
            held = [m for m in range(n + 1) if await store.find(ALICE, (record(lineage=str(m)).prefix,))]
            assert held == list(range(n + 1 - len(held), n + 1))
            assert await store.find(ALICE, (record(lineage="kept").prefix,))
        assert 5 < len(held) < 25

    asyncio.run(main())


def test_a_lineage_that_alone_is_too_large_is_dropped_whole() -> None:
    async def main() -> None:
        store = MemoryStore(Bounds(max_bytes=30_000))
        for turn in range(9):
            await store.put(record(turn, text=TEXT))
        huge = record(9, text="x" * 30_000)
        assert await store.put(huge) == huge
        assert await store.chain(ALICE, huge.key) == ()
        assert await store.tip(ALICE, huge.root) is None
        assert await store.put(record()) == record()

    asyncio.run(main())


def test_records_that_share_a_prefix_go_one_lineage_at_a_time() -> None:
    async def main() -> None:
        store = MemoryStore(Bounds(max_bytes=10**9, max_age=100.0))
        orphan = record(1, head="other", at=START)
        other_root = type(orphan)(**{f: getattr(orphan, f) for f in orphan.__struct_fields__} | {"root": b"r" * 32})
        newer = record(1, at=START + 60)
        for one in (other_root, newer):
            await store.put(one)
            await store.put_outcome(ALICE, one.key, Outcome(200))
        assert await store.prune(START + 101) == 1
        assert await store.find(ALICE, (newer.prefix,)) == (newer,)
        assert await store.outcome(ALICE, other_root.key) is None
        assert await store.outcome(ALICE, newer.key) == Outcome(200)
        await store.close()

    asyncio.run(main())


def test_lessons_together_stay_within_the_stores_bytes() -> None:
    async def scenario() -> list[bytes | None]:
        store = MemoryStore(Bounds(max_bytes=100))
        for name in "abc":
            await store.learn(ALICE, name, bytes(40), START)
        return [await store.lesson(ALICE, name) for name in "abc"]

    assert asyncio.run(scenario()) == [None, bytes(40), bytes(40)]

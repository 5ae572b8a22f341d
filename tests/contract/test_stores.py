"""What every store promises, whatever it is kept in."""

import asyncio
import random
import tempfile
from base64 import b85encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.core.lineage import Record
from policies.core.outcome import Outcome, Step, Story
from proxy.errors import StoreError
from proxy.store import LESSON_BYTES, LESSONS, Session, Store
from proxy.store.bounds import Bounds
from proxy.store.memory import MemoryStore
from proxy.store.sqlite import SqliteStore, open_sqlite
from tests.proxy.store.records import ALICE, BOB, START, digest, record

ROOMY = Bounds(max_bytes=10**9, max_age=10**9)

AnyStore = MemoryStore | SqliteStore
Scenario = Callable[[AnyStore], Awaitable[None]]


def _memory(bounds: Bounds, folder: Path) -> AnyStore:
    return MemoryStore(bounds)


def _sqlite(bounds: Bounds, folder: Path) -> AnyStore:
    return open_sqlite(folder / "state.db", bounds)


OPENERS = {"memory": _memory, "sqlite": _sqlite}


def _play(kind: str, scenario: Scenario, bounds: Bounds = ROOMY) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = OPENERS[kind](bounds, Path(folder))
            try:
                await scenario(store)
            finally:
                await store.close()

    asyncio.run(main())


class Play(Protocol):
    """Runs a scenario against a fresh store."""

    def __call__(self, scenario: Scenario, bounds: Bounds = ROOMY) -> None: ...


@pytest.fixture(params=sorted(OPENERS))
def play(request: pytest.FixtureRequest) -> Play:
    kind: str = request.param
    return lambda scenario, bounds=ROOMY: _play(kind, scenario, bounds)


def test_every_store_fulfils_the_protocol(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        typed: Store = store
        assert await typed.find(ALICE, ()) == ()

    play(scenario)


def test_what_was_put_is_found_whole(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        kept = record(3)
        assert await store.put(kept) == kept
        assert await store.find(ALICE, (kept.prefix,)) == (kept,)
        assert await store.chain(ALICE, kept.key) == (kept,)
        assert await store.tip(ALICE, kept.root) == kept

    play(scenario)


def test_the_first_write_wins(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        first = record(text="first")
        second = record(text="second", at=START + 5)
        assert await store.put(first) == first
        assert await store.put(second) == first
        assert await store.find(ALICE, (first.prefix,)) == (first,)

    play(scenario)


def test_the_first_prefix_that_is_known_decides_however_many_are_asked_for(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        for turn in (1, 2):
            await store.put(record(turn))
        for unknown in (0, 1, 63, 64, 65, 999, 1063, 1064, 2500):
            asked = [digest("unknown", n) for n in range(unknown)]
            both = (*asked, record(2).prefix, record(1).prefix)
            assert await store.find(ALICE, both) == (record(2),)
            assert await store.find(ALICE, (*asked, record(1).prefix)) == (record(1),)
            assert await store.find(ALICE, asked) == ()

    play(scenario)


def test_all_records_at_a_prefix_are_found_newest_first(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        heads = [record(2, head=head, at=START + at) for head, at in (("a", 5), ("b", 9), ("c", 5))]
        for one in heads:
            await store.put(one)
        assert await store.find(ALICE, (heads[0].prefix,)) == (heads[1], heads[2], heads[0])

    play(scenario)


def test_a_chain_is_all_ancestors_root_first_and_not_their_other_children(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        turns = [record(turn) for turn in range(5)]
        fork = record(3, head="fork")
        for one in (*turns, fork):
            await store.put(one)
        assert await store.chain(ALICE, turns[4].key) == tuple(turns)
        assert await store.chain(ALICE, fork.key) == (*turns[:3], fork)
        assert await store.chain(ALICE, digest("unknown")) == ()

    play(scenario)


def test_a_chain_ends_where_an_ancestor_is_gone(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        for turn in (0, 2, 3):
            await store.put(record(turn))
        assert await store.chain(ALICE, record(3).key) == (record(2), record(3))

    play(scenario)


def test_a_chain_that_bites_its_tail_ends(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        last, first = record(2), record(1, parent=record(2).key)
        await store.put(last)
        await store.put(first)
        assert await store.chain(ALICE, last.key) == (first, last)

    play(scenario)


def test_the_tip_is_the_newest_fork_and_of_equals_the_later_one(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        old, new, same = record(1), record(1, head="f", at=START + 9), record(2, head="g", at=START + 9)
        for one in (new, old):
            await store.put(one)
        assert await store.tip(ALICE, new.root) == new
        await store.put(same)
        assert await store.tip(ALICE, new.root) == same
        assert await store.tip(ALICE, digest("unknown")) is None

    play(scenario)


def test_nothing_of_one_tenant_is_seen_by_another(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        hers, his = record(text="hers"), record(tenant=BOB, text="his")
        await store.put(hers)
        assert await store.find(BOB, (hers.prefix,)) == ()
        assert await store.chain(BOB, hers.key) == ()
        assert await store.tip(BOB, hers.root) is None
        await store.put_outcome(BOB, hers.key, Outcome(200))
        assert await store.outcome(ALICE, hers.key) is None
        assert await store.put(his) == his
        assert await store.find(ALICE, (hers.prefix,)) == (hers,)

    play(scenario)


def test_the_last_outcome_of_a_turn_counts_and_an_unknown_turn_has_none(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        kept = await store.put(record())
        assert await store.outcome(ALICE, kept.key) is None
        for outcome in (Outcome(500), Outcome(200, input=9, cache_read=0, cost_usd=0.5)):
            await store.put_outcome(ALICE, kept.key, outcome)
            assert await store.outcome(ALICE, kept.key) == outcome
        await store.put_outcome(ALICE, digest("unknown"), Outcome(200))
        assert await store.outcome(ALICE, digest("unknown")) is None

    play(scenario)


def test_sessions_are_listed_by_last_use_with_their_turns_in_order(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        assert await store.sessions(9) == ()
        for turn in (0, 2, 1):
            await store.put(record(turn, lineage="a"))
        other = await store.put(record(lineage="b", at=START + 1))
        await store.put_outcome(ALICE, other.key, Outcome(200, input=9))
        assert await store.sessions(9) == (
            Session(ALICE, "session-a", 3, START + 2),
            Session(ALICE, "session-b", 1, START + 1),
        )
        assert await store.sessions(1) == (Session(ALICE, "session-a", 3, START + 2),)
        assert await store.turns(ALICE, "session-a") == tuple((record(turn, lineage="a"), None) for turn in range(3))
        assert await store.turns(ALICE, "session-b") == ((other, Outcome(200, input=9)),)
        assert await store.turns(ALICE, "unknown") == ()

    play(scenario)


def test_a_session_of_two_tenants_is_two(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        for tenant in (ALICE, BOB):
            await store.put(record(tenant=tenant))
        assert {session.tenant for session in await store.sessions(9)} == {ALICE, BOB}
        ((hers, _),) = await store.turns(ALICE, "session-x")
        assert hers.tenant == ALICE

    play(scenario)


def test_outcomes_count_against_the_bound_too(play: Play) -> None:
    long = b85encode(random.Random(1).randbytes(10_000)).decode()  # what hardly gets smaller when compressed
    told = (Step("mask", "applied", long, 1),)

    async def scenario(store: AnyStore) -> None:
        for number in range(4):
            kept = await store.put(record(lineage=f"l{number}", at=START + number))
            for _ in range(3):  # the last one alone is kept
                await store.put_outcome(ALICE, kept.key, Outcome(200, story=Story(steps=told)))
        dropped = await store.prune(START + 10)
        left = await store.sessions(9)
        assert (dropped or 4 - len(left)) in (1, 2, 3) and left[0].name == "session-l3"

    play(scenario, Bounds(max_bytes=30_000, max_age=10**9))


def test_whole_lineages_go_by_last_use_and_not_by_first(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        long = [record(turn, lineage="long", at=START + 60 * turn) for turn in range(3)]
        brief = [record(turn, lineage="brief", at=START + 30 + turn) for turn in range(2)]
        for one in (*long, *brief):
            await store.put(one)
            await store.put_outcome(ALICE, one.key, Outcome(200))
        assert await store.prune(START + 120) == 0
        assert await store.prune(START + 132) == 1
        assert await store.chain(ALICE, long[2].key) == tuple(long)
        for one in brief:
            assert await store.find(ALICE, (one.prefix,)) == ()
            assert await store.outcome(ALICE, one.key) is None
        assert await store.prune(START + 221) == 1
        assert await store.tip(ALICE, long[0].root) is None
        assert await store.prune(START + 10**6) == 0

    play(scenario, Bounds(max_bytes=10**9, max_age=100.0))


def test_to_put_a_turn_again_is_a_use(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        await store.put(record())
        await store.put(record(at=START + 500))
        await store.put(record(at=START + 20))
        assert await store.prune(START + 590) == 0
        assert await store.prune(START + 601) == 1

    play(scenario, Bounds(max_bytes=10**9, max_age=100.0))


def test_what_was_dropped_can_be_put_again(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        await store.put(record(text="then"))
        await store.put_outcome(ALICE, record().key, Outcome(200))
        await store.prune(START + 101)
        now = record(text="now", at=START + 200)
        assert await store.put(now) == now
        assert await store.outcome(ALICE, now.key) is None

    play(scenario, Bounds(max_bytes=10**9, max_age=100.0))


def test_more_lineages_than_one_batch_are_dropped_in_one_prune(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        for n in range(100):
            await store.put(record(lineage=str(n), at=START + n))
        assert await store.prune(START + 100 + 69.5) == 70
        assert await store.find(ALICE, (record(lineage="69").prefix,)) == ()
        assert await store.find(ALICE, (record(lineage="70").prefix,)) != ()

    play(scenario, Bounds(max_bytes=10**9, max_age=100.0))


def test_the_bound_of_size_drops_the_longest_unused_lineages_and_no_more(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        for n in range(8):
            await store.put(record(lineage=str(n), at=START + n, text=NOISE))
        await store.prune(START + 10)
        left = [n for n in range(8) if await store.find(ALICE, (record(lineage=str(n)).prefix,))]
        assert 1 < len(left) < 6
        assert left == list(range(8 - len(left), 8))

    play(scenario, Bounds(max_bytes=100_000, max_age=10**9))


NOISE = "".join(digest(n).hex() for n in range(600))  # 38 kB; half of that when compressed


def test_all_turns_of_a_lineage_count_for_its_size(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        for turn in range(8):
            await store.put(record(turn, lineage="long", text=NOISE))
        await store.put(record(lineage="brief", at=START + 10, text=NOISE))
        await store.prune(START + 10)
        assert await store.tip(ALICE, record(lineage="long").root) is None
        assert await store.tip(ALICE, record(lineage="brief").root) is not None

    play(scenario, Bounds(max_bytes=100_000, max_age=10**9))


def test_a_turn_that_is_put_again_counts_once(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        for _ in range(20):
            await store.put(record(text=NOISE))
        assert await store.prune(START) == 0
        assert await store.tip(ALICE, record().root) == record(text=NOISE)

    play(scenario, Bounds(max_bytes=100_000, max_age=10**9))


CANARY = "sk-canary-3f9a"


def test_a_fault_never_quotes_what_was_to_be_kept(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        with pytest.raises(StoreError) as caught:
            await store.put(msgspec.structs.replace(record(text=CANARY), session=f"{CANARY}\ud800"))
        assert CANARY not in repr(caught.value)
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
        kept = await store.put(record())
        with pytest.raises(StoreError):
            await store.put_outcome(ALICE, kept.key, Outcome(200, input=2**70))
        assert await store.outcome(ALICE, kept.key) is None

    play(scenario)


class _Model:
    """The store as a list of records in the order of their arrival."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def put(self, new: Record) -> Record:
        for old in self.records:
            if (old.tenant, old.key) == (new.tenant, new.key):
                return old
        self.records.append(new)
        return new

    def find(self, tenant: bytes, prefixes: list[bytes]) -> tuple[Record, ...]:
        for prefix in prefixes:
            found = [r for r in self.records if (r.tenant, r.prefix) == (tenant, prefix)]
            if found:
                return tuple(sorted(reversed(found), key=lambda r: -r.at))
        return ()

    def chain(self, tenant: bytes, key: bytes | None) -> tuple[Record, ...]:
        for r in self.records:
            if (r.tenant, r.key) == (tenant, key):
                return (*self.chain(tenant, r.parent), r)
        return ()

    def tip(self, tenant: bytes, root: bytes) -> Record | None:
        found = [r for r in reversed(self.records) if (r.tenant, r.root) == (tenant, root)]
        return max(found, key=lambda r: r.at, default=None)


def test_the_last_lesson_under_a_name_is_the_one_that_is_known_and_only_to_its_tenant(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        assert await store.lesson(ALICE, "head") is None
        await store.learn(ALICE, "head", b"first", START)
        await store.learn(ALICE, "head", b"", START + 1)
        await store.learn(ALICE, "other\0", b"\0\xff", START)
        assert [await store.lesson(ALICE, name) for name in ("head", "other\0")] == [b"", b"\0\xff"]
        assert await store.lesson(BOB, "head") is None

    play(scenario)


def test_lessons_are_few_and_small_and_the_longest_unchanged_goes_first(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        await store.learn(BOB, "0", b"of another", START)
        for number in range(LESSONS):
            await store.learn(ALICE, str(number), b"x", START)
        await store.learn(ALICE, "0", b"again", START)
        await store.learn(ALICE, "new", b"x", START)
        known = [number for number in range(LESSONS) if await store.lesson(ALICE, str(number))]
        assert known == [0, *range(2, LESSONS)]
        assert await store.lesson(BOB, "0") == b"of another"
        await store.learn(ALICE, "large", bytes(LESSON_BYTES + 1), START)
        assert await store.lesson(ALICE, "large") is None

    play(scenario)


def test_lessons_are_forgotten_with_age(play: Play) -> None:
    async def scenario(store: AnyStore) -> None:
        await store.learn(ALICE, "old", b"x", START)
        await store.learn(ALICE, "new", b"x", START + 50)
        await store.prune(START + 120)
        assert [await store.lesson(ALICE, name) for name in ("old", "new")] == [None, b"x"]

    play(scenario, Bounds(max_bytes=10**9, max_age=100.0))


RECORDS = st.builds(
    record,
    st.integers(0, 4),
    lineage=st.sampled_from("xy"),
    tenant=st.sampled_from((ALICE, BOB)),
    head=st.sampled_from(("", "h")),
    at=st.integers(0, 3).map(lambda n: START + n),
    text=st.text(max_size=3),
)


@pytest.mark.parametrize("kind", sorted(OPENERS))
@settings(max_examples=40)
@given(puts=st.lists(RECORDS, max_size=25), probes=st.lists(RECORDS, min_size=1, max_size=4))
def test_a_store_answers_as_a_plain_list_would(kind: str, puts: list[Record], probes: list[Record]) -> None:
    async def scenario(store: AnyStore) -> None:
        model = _Model()
        for one in puts:
            assert await store.put(one) == model.put(one)
        prefixes = [probe.prefix for probe in probes]
        for probe in probes:
            tenant = probe.tenant
            assert await store.find(tenant, prefixes) == model.find(tenant, list(prefixes))
            assert await store.chain(tenant, probe.key) == model.chain(tenant, probe.key)
            assert await store.tip(tenant, probe.root) == model.tip(tenant, probe.root)

    _play(kind, scenario)

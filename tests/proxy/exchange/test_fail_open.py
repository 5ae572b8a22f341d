"""FAIL-OPEN: whatever breaks, the request goes on with its own bytes, or with the edits that are in force."""

import asyncio
from dataclasses import dataclass

import pytest

from policies.core.profile import Profile
from policies.core.usage import Usage
from policies.policy import Policy
from proxy import deciding, lineages
from proxy.dialects import Dialect
from proxy.errors import StoreError
from proxy.exchange import Request, Settled, prepare, settle
from proxy.tokens import Counters
from tests.proxy.driving import (
    CHAT,
    IDLE,
    START,
    WIRES,
    Replica,
    User,
    Wire,
    headers,
    masked,
    run,
    texts,
    turns_of,
    work,
)
from tests.proxy.exchange.faults import HANG, STORE_FAULTS, FaultyArchive, FaultyStore, Panic, panicking

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is given up at once."""
    monkeypatch.setattr(lineages, "STORE_PATIENCE", 0.01)
    monkeypatch.setattr(deciding, "PATIENCE", 0.01)
    monkeypatch.setattr("proxy.exchange.PATIENCE", 0.01)


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_store_that_cannot_be_read_leaves_the_request_alone(fault: type[BaseException]) -> None:
    replica, store = Replica(), FaultyStore()
    replica.context.store = store
    store.faults.at = {"find": fault}
    found = replica.turn(CHAT, work(1))
    assert found.body is found.request.body
    expected = ("store", "find") if fault in (StoreError, HANG) else ("prepare", fault.__name__)
    assert replica.witness.degradations == [expected]


@pytest.mark.parametrize("call", ["find", "tip", "chain"])
def test_a_process_that_has_missed_turns_goes_on_with_what_it_knows(call: str) -> None:
    store, turns = FaultyStore(), turns_of(work(6))
    replica = Replica(store=store)
    other = replica.beside()
    for turn in turns[:4]:
        replica.turn(CHAT, turn)
    other.turn(CHAT, turns[4])
    other.turn(CHAT, turns[5])
    store.faults.at = {call: StoreError}
    replica.policy = IDLE
    assert masked(CHAT, replica.turn(CHAT, turns[6]).body) == 2
    assert replica.witness.degradations == [("store", "find")]


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_store_that_cannot_be_written_adds_nothing_and_keeps_what_is_in_force(fault: type[BaseException]) -> None:
    store, turns = FaultyStore(), turns_of(work(5))
    replica = Replica(store=store)
    for turn in turns[:4]:
        before = replica.turn(CHAT, turn)
    store.faults.at = {"put": fault}
    found = run(replica.prepare(CHAT, CHAT.body(turns[4])))
    if fault in (StoreError, HANG):
        assert masked(CHAT, found.body) == masked(CHAT, before.body) == 2
    else:
        assert found.body is found.request.body


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_what_could_not_be_kept_is_not_sent_on_the_next_turn_either(fault: type[BaseException]) -> None:
    store, turns = FaultyStore(), turns_of(work(5))
    replica = Replica(store=store)
    for turn in turns[:4]:
        replica.turn(CHAT, turn)
    store.faults.at = {"put": fault}
    replica.turn(CHAT, turns[4])
    replica.policy = IDLE
    assert masked(CHAT, replica.turn(CHAT, turns[5]).body) == 2


@pytest.mark.parametrize("call", ["put", "outcome"])
@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_store_that_fails_when_a_turn_is_settled_costs_numbers_only(call: str, fault: type[BaseException]) -> None:
    store = FaultyStore()
    replica = Replica(store=store)
    prepared = run(replica.prepare(CHAT, CHAT.body(work(1))))
    store.faults.at = {call: fault}
    run(settle(prepared, replica.context, Usage(output=5), START))
    expected = ("store", "settle") if fault in (StoreError, HANG) else ("settle", fault.__name__)
    assert replica.witness.degradations == [expected]
    store.faults.at = {}
    assert headers(replica.turn(CHAT, work(2)))["x-holdfast-turn"] == "2"


@every_wire
def test_a_tokenizer_that_panics_leaves_the_request_alone(wire: Wire) -> None:
    replica = Replica(count=panicking)
    found = replica.turn(wire, work(2))
    assert found.body is found.request.body
    assert found.passthrough == headers(found)["x-holdfast-passthrough"] == "fault"
    assert replica.witness.degradations == [("prepare", "Panic")]


def test_a_million_blanks_are_no_fault() -> None:
    # tiktoken panics on about a million blanks in one text
    replica = Replica(count=Counters().counter)
    found = replica.turn(CHAT, [User(" " * 1_200_000)])
    assert (found.passthrough, replica.witness.degradations) == ("", [])
    assert found.body is found.request.body


def test_a_policy_that_cannot_be_resolved_leaves_the_request_alone() -> None:
    replica = Replica()

    def resolver(request: Request, model: str) -> Policy:
        raise KeyError("default")

    replica.context.policy = resolver
    found = replica.turn(CHAT, work(2))
    assert found.body is found.request.body
    assert replica.witness.degradations == [("prepare", "KeyError")]


def test_a_profile_that_cannot_be_found_leaves_the_request_alone() -> None:
    replica = Replica()

    def profile(model: str, upstream: str) -> Profile:
        raise LookupError(model)

    replica.context.profile = profile
    found = replica.turn(CHAT, work(2))
    assert found.body is found.request.body


@dataclass
class Broken:
    """A real dialect, one of whose methods raises."""

    inner: Dialect
    broken: str
    fault: type[BaseException]

    def __getattr__(self, name: str) -> object:
        if name == self.broken:
            raise self.fault("as told")
        return getattr(self.inner, name)


@pytest.mark.parametrize("method", ["head", "message", "original", "replace"])
@pytest.mark.parametrize("fault", [ValueError, RecursionError, Panic])
def test_a_dialect_that_breaks_leaves_the_request_alone(method: str, fault: type[BaseException]) -> None:
    replica = Replica()
    request = Request("api", Broken(CHAT.dialect, method, fault), CHAT.path, CHAT.body(work(3)))  # type: ignore[arg-type]
    found = run(prepare(request, replica.context, START))
    assert found.body is request.body
    assert replica.witness.degradations == [("prepare", fault.__name__)]


class Deaf:
    """A witness that cannot even count."""

    def accounted(self, settled: Settled) -> None:
        raise RuntimeError("no counter")

    def degraded(self, what: str, reason: str) -> None:
        raise RuntimeError("no counter")


@every_wire
def test_a_witness_that_raises_costs_numbers_only(wire: Wire) -> None:
    store, turns = FaultyStore(), turns_of(work(5))
    replica = Replica(store=store)
    for turn in turns[:4]:
        replica.turn(wire, turn)
    replica.context.witness = Deaf()
    store.faults.at = {"put": StoreError}
    assert masked(wire, replica.turn(wire, turns[4]).body) == 2
    restarted = replica.beside(IDLE)
    restarted.context.witness = Deaf()
    store.faults.at = {"find": StoreError}
    found = restarted.turn(wire, turns[5])
    assert found.body is found.request.body


def test_a_witness_that_raises_while_a_fault_is_told_costs_nothing() -> None:
    replica = Replica(count=panicking)
    replica.context.witness = Deaf()
    found = replica.turn(CHAT, work(1))
    assert found.body is found.request.body
    assert found.passthrough == "fault"


@pytest.mark.parametrize("fault", [StoreError, HANG, ValueError])
def test_an_archive_that_fails_masks_nothing_new_now_or_later(fault: type[BaseException]) -> None:
    archive, turns = FaultyArchive(), turns_of(work(6))
    replica = Replica(archive=archive)
    for turn in turns[:4]:
        replica.turn(CHAT, turn)
    archive.faults.at = {"archive": fault}
    found = replica.turn(CHAT, turns[4])
    if fault is ValueError:
        assert found.body is found.request.body
    else:
        assert masked(CHAT, found.body) == 2
        assert replica.witness.degradations == [("store", "archive_put")]
    replica.policy = IDLE
    assert masked(CHAT, replica.turn(CHAT, turns[5]).body) == 2


@pytest.mark.parametrize("stop", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_being_stopped_is_no_fault(stop: type[BaseException]) -> None:
    store = FaultyStore()
    replica = Replica(store=store)
    store.faults.at = {"find": stop}
    with pytest.raises(stop):
        asyncio.run(replica.prepare(CHAT, CHAT.body(work(1))))
    assert replica.witness.degradations == []


@pytest.mark.parametrize("stop", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_being_stopped_while_settling_is_no_fault(stop: type[BaseException]) -> None:
    store = FaultyStore()
    replica = Replica(store=store)
    prepared = run(replica.prepare(CHAT, CHAT.body(work(1))))
    store.faults.at = {"put": stop}
    with pytest.raises(stop):
        asyncio.run(settle(prepared, replica.context, None, START))
    assert replica.witness.degradations == []


def test_a_request_that_is_cancelled_while_the_store_hangs_ends_at_once() -> None:
    store = FaultyStore()
    replica = Replica(store=store)
    store.faults.at = {"find": HANG}

    async def main() -> None:
        async with asyncio.timeout(0.002):
            await replica.prepare(CHAT, CHAT.body(work(1)))

    with pytest.raises(TimeoutError):
        run(main())
    assert replica.witness.degradations == []


def test_a_lineage_goes_on_once_the_store_is_back() -> None:
    store, turns = FaultyStore(), turns_of(work(6))
    replica = Replica(store=store)
    store.faults.at = {"find": StoreError, "put": StoreError, "outcome": StoreError}
    for turn in turns[:3]:
        found = replica.turn(CHAT, turn)
        assert found.body is found.request.body
    store.faults.at = {}
    for turn in turns[3:]:
        found = replica.turn(CHAT, turn)
    assert masked(CHAT, found.body) == 5
    assert texts(CHAT, replica.beside(IDLE).turn(CHAT, work(6)).body) == texts(CHAT, found.body)

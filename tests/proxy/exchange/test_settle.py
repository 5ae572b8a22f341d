"""What is written down once an answer has passed: usage as reported, costs beside what they would have been."""

import pytest

from policies.core.usage import Usage, input_cost, output_cost
from proxy.exchange import Prepared, settle
from proxy.store.memory import MemoryStore
from tests.proxy.driving import CHAT, EAGER, IDLE, START, Replica, run, turns_of, work


def prepared_in(replica: Replica, turns: int = 3) -> Prepared:
    for turn in turns_of(work(turns))[:-1]:
        replica.turn(CHAT, turn)
    return run(replica.prepare(CHAT, CHAT.body(work(turns))))


def settled(replica: Replica, prepared: Prepared, usage: Usage | None, status: int = 200) -> None:
    run(settle(prepared, replica.context, usage, START, status=status))


def test_costs_are_those_of_what_was_reported() -> None:
    replica = Replica(IDLE)
    prepared = prepared_in(replica)
    usage = Usage(input=5000, cache_read=4000, output=300)
    settled(replica, prepared, usage)
    account = replica.witness.accounts[-1]
    assert prepared.planned is not None
    profile = prepared.planned.seen.profile
    assert account.actual == pytest.approx(input_cost(profile, usage) + output_cost(profile, usage))
    assert account.direct == account.actual
    assert (account.status, account.usage, account.prepared) == (200, usage, prepared)


def test_an_edit_is_charged_with_what_the_plan_says_it_changed() -> None:
    replica = Replica(EAGER)
    prepared = prepared_in(replica)
    settled(replica, prepared, Usage(input=1000, output=10))
    account, plan = replica.witness.accounts[-1], prepared.plan
    assert plan and account.actual is not None and account.direct is not None
    assert plan.direct_usd != plan.actual_usd
    scale = 1000 / plan.sent.tokens  # the plan estimates; what was reported counts
    assert account.direct - account.actual == pytest.approx((plan.direct_usd - plan.actual_usd) * scale)


@pytest.mark.parametrize("usage", [None, Usage(), Usage(output=5)])
def test_without_reported_input_there_is_no_cost(usage: Usage | None) -> None:
    replica = Replica()
    settled(replica, prepared_in(replica), usage)
    account = replica.witness.accounts[-1]
    assert (account.actual, account.direct, account.usage) == (None, None, usage)


def test_what_could_not_be_planned_is_told_as_well() -> None:
    replica = Replica()
    prepared = run(replica.prepare(CHAT, b"{"))
    settled(replica, prepared, Usage(input=5), 400)
    account = replica.witness.accounts[-1]
    assert (account.prepared, account.status, account.actual) == (prepared, 400, None)


def test_the_outcome_is_kept_with_the_turn() -> None:
    store = MemoryStore()
    replica = Replica(store=store)
    prepared = prepared_in(replica)
    settled(replica, prepared, Usage(input=900, cache_read=800, cache_write=50, output=7), 529)
    assert prepared.planned is not None
    record = prepared.planned.turn.record
    outcome = run(store.outcome(prepared.planned.tenant, record.key))
    assert outcome is not None
    assert (outcome.status, outcome.input, outcome.cache_read, outcome.cache_write, outcome.output) == (
        529,
        900,
        800,
        50,
        7,
    )
    assert outcome.cost_usd > 0


def test_output_is_part_of_both_sides_of_the_ledger_of_the_next_turn() -> None:
    replica = Replica(IDLE)
    prepared = prepared_in(replica)
    assert prepared.planned is not None
    before = prepared.planned.turn.ledger.output_usd
    usage = Usage(output=1000)
    settled(replica, prepared, usage)
    following = replica.turn(CHAT, work(4))
    assert following.plan
    spent = following.plan.ledger.output_usd - before
    assert spent == pytest.approx(output_cost(prepared.planned.seen.profile, usage))
    restarted = replica.beside().turn(CHAT, work(5))
    assert restarted.plan and restarted.plan.ledger.output_usd > following.plan.ledger.output_usd


def test_a_turn_that_adds_nothing_reaches_the_store_when_it_is_settled() -> None:
    store = MemoryStore()
    replica = Replica(IDLE, store=store)
    prepared = run(replica.prepare(CHAT, CHAT.body(work(1))))
    assert prepared.planned is not None
    key, tenant = prepared.planned.turn.record.key, prepared.planned.tenant
    assert run(store.chain(tenant, key)) == ()
    settled(replica, prepared, None)
    assert run(store.chain(tenant, key)) == (prepared.planned.turn.record,)
    assert prepared.planned.turn.stored


def test_a_turn_that_adds_edits_is_in_the_store_before_it_leaves() -> None:
    store = MemoryStore()
    replica = Replica(EAGER, store=store)
    prepared = run(replica.prepare(CHAT, CHAT.body(work(3))))
    assert prepared.planned is not None
    (record,) = run(store.chain(prepared.planned.tenant, prepared.planned.turn.record.key))
    assert record.edits and record == prepared.planned.turn.record


def test_settling_twice_keeps_one_turn() -> None:
    store = MemoryStore()
    replica = Replica(IDLE, store=store)
    prepared = prepared_in(replica, 1)
    for status in (500, 200):
        settled(replica, prepared, Usage(input=5, output=1), status)
    assert prepared.planned is not None
    outcome = run(store.outcome(prepared.planned.tenant, prepared.planned.turn.record.key))
    assert outcome and outcome.status == 200
    assert len(run(store.chain(prepared.planned.tenant, prepared.planned.turn.record.key))) == 2

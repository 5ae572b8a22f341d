"""Which events an exchange makes: nothing reported becomes zero, nothing estimated passes for reported."""

from collections import defaultdict

import pytest

from metrics.events import (
    Achievable,
    CacheLost,
    Costed,
    Event,
    Measured,
    PassedThrough,
    Planned,
    RuleViolated,
    Sized,
    StoreFailed,
    Unmeasured,
)
from policies.core.usage import Usage
from policies.policy import Policy
from policies.recite import Recite
from proxy.accounting import Accounts, accounted
from proxy.exchange import Settled, settle
from tests.proxy.driving import ANTHROPIC, CHAT, EAGER, IDLE, Replica, Wire, run, turns_of, work

SHADOW = Policy(name="shadow", mode="shadow", mask=EAGER.mask)
OFF = Policy(name="off", mode="off", mask=EAGER.mask)


def last(wire: Wire, policy: Policy, *, read: float = 1.0, status: int = 200) -> Settled:
    """The last exchange of a session, whose provider read this share of what it could and counts double."""
    replica = Replica(policy)
    for turn in turns_of(work(9)):
        prepared = run(replica.prepare(wire, wire.body(turn)))
        assert prepared.plan is not None
        sent = prepared.plan.sent
        size = sent.tokens if policy.mode == "enforce" else sent.received_tokens
        usage = Usage(input=2 * size, cache_read=int(2 * prepared.plan.achievable_tokens * read), output=50)
        run(settle(prepared, replica.context, usage, replica.now, status=status))
    return replica.witness.accounts[-1]


def by_kind(settled: Settled) -> dict[type[Event], list[Event]]:
    found: dict[type[Event], list[Event]] = defaultdict(list)
    for event in accounted(settled):
        found[type(event)].append(event)
    return found


def lost(settled: Settled) -> dict[str, int]:
    return {str(e.cause): e.tokens for e in accounted(settled) if isinstance(e, CacheLost)}


def test_what_was_reported_is_measured_as_it_was_reported() -> None:
    settled = last(CHAT, IDLE)
    (measured,) = by_kind(settled)[Measured]
    usage = settled.usage
    assert isinstance(measured, Measured) and usage is not None
    assert (measured.input, measured.cache_read, measured.output) == (usage.input, usage.cache_read, 50)
    assert measured.cache_write is None


def test_edits_are_counted_by_verdict_and_reason_with_what_they_remove() -> None:
    planned = [event for event in accounted(last(CHAT, EAGER)) if isinstance(event, Planned)]
    assert [(event.kind, event.verdict, event.reason, event.edits) for event in planned] == [
        ("mask", "applied", "always", 1)
    ]
    assert planned[0].removed_tokens > 100


def test_a_note_is_counted_and_what_it_adds_is_not_taken_for_removed() -> None:
    policy = Policy(name="reciting", mask=IDLE.mask, recite=Recite(enabled=True, at=0.0), breakpoints=IDLE.breakpoints)
    replica = Replica(policy)
    replica.turn(CHAT, work(1))
    found = by_kind(replica.witness.accounts[-1])
    (event,) = found[Planned]
    assert isinstance(event, Planned)
    assert (event.kind, event.verdict, event.reason, event.edits) == ("recite", "applied", "first_sending", 1)
    assert event.removed_tokens == 0
    sizes = {one.stage: one.tokens for one in found[Sized] if isinstance(one, Sized)}
    assert sizes["sent"] > sizes["received"]


def test_a_shadow_plan_is_counted_under_its_own_reason_and_removes_nothing_from_what_is_sent() -> None:
    found = by_kind(last(CHAT, SHADOW))
    assert {event.reason for event in found[Planned] if isinstance(event, Planned)} == {"shadow"}
    sizes = {event.stage: event.tokens for event in found[Sized] if isinstance(event, Sized)}
    assert sizes["received"] == sizes["sent"]
    assert not found[Achievable] and not found[CacheLost]


def test_a_mask_in_the_cached_part_is_charged_to_the_policy_at_the_size_that_was_reported() -> None:
    settled = last(CHAT, EAGER)
    plan = settled.prepared.plan
    assert plan is not None and plan.losses
    assert lost(settled) == {"policy_mask": 2 * plan.losses[0].tokens}


def test_what_the_provider_did_not_read_although_it_could_is_not_hidden() -> None:
    settled = last(CHAT, OFF, read=0.5)
    (achievable,) = by_kind(settled)[Achievable]
    assert isinstance(achievable, Achievable) and settled.usage is not None and settled.usage.cache_read is not None
    assert lost(settled) == {"provider_unexplained": achievable.tokens - settled.usage.cache_read}
    assert lost(last(CHAT, OFF)) == {}


def test_direct_costs_more_by_what_the_edits_saved_and_the_same_where_there_were_none() -> None:
    def costs(policy: Policy) -> dict[str, float]:
        return {e.side: e.usd for e in accounted(last(ANTHROPIC, policy)) if isinstance(e, Costed)}

    edited, plain = costs(EAGER), costs(IDLE)
    assert edited["direct"] > edited["actual"] > 0
    assert plain["direct"] == plain["actual"]


def test_usage_that_was_not_reported_moves_no_token_and_no_cost() -> None:
    replica = Replica(IDLE)
    prepared = run(replica.prepare(CHAT, CHAT.body(work(1))))
    run(settle(prepared, replica.context, None, replica.now))
    found = by_kind(replica.witness.accounts[-1])
    assert not found[Measured] and not found[Costed] and not found[Achievable]
    assert found[Unmeasured]


def test_an_answer_with_usage_or_without_success_is_not_counted_as_unmeasured() -> None:
    assert not by_kind(last(CHAT, OFF, read=0.0))[Unmeasured]
    replica = Replica(OFF)
    run(settle(run(replica.prepare(CHAT, CHAT.body(work(1)))), replica.context, None, replica.now, status=429))
    assert not by_kind(replica.witness.accounts[-1])[Unmeasured]


def test_an_answer_that_is_an_error_says_nothing_of_the_cache() -> None:
    assert not by_kind(last(CHAT, OFF, read=0.0, status=529))[CacheLost]


def test_a_request_that_passes_through_is_counted_with_its_reason_and_its_usage() -> None:
    replica = Replica(IDLE)
    prepared = run(replica.prepare(CHAT, b"{"))
    run(settle(prepared, replica.context, Usage(input=7), replica.now))
    events = list(accounted(replica.witness.accounts[-1]))
    assert [type(event) for event in events] == [PassedThrough, Measured]
    assert isinstance(events[0], PassedThrough) and events[0].reason == "malformed_json"


@pytest.mark.parametrize(
    ("what", "reason", "event"),
    [
        ("rule", "pairing_broken", RuleViolated),
        ("store", "put", StoreFailed),
        ("prepare", "ValueError", PassedThrough),
    ],
)
def test_whatever_was_left_undone_is_counted(what: str, reason: str, event: type[Event]) -> None:
    told: list[Event] = []
    Accounts(told.append, "memory").degraded(what, reason)
    assert [type(one) for one in told] == [event]


def test_an_exchange_is_told_event_by_event() -> None:
    told: list[Event] = []
    settled = last(CHAT, IDLE)
    Accounts(told.append, "memory").accounted(settled)
    assert told == list(accounted(settled))

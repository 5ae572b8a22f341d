"""What events add up to: reported figures only, each request once."""

import pytest

from metrics.events import (
    Begun,
    CacheLost,
    Costed,
    Event,
    Measured,
    PassedThrough,
    Planned,
    Relayed,
    RuleViolated,
    Sized,
)
from metrics.labels import Traffic
from metrics.loss import Cause, Party
from metrics.tally import ModelTally, Tally

CHAT = Traffic("openai", "openai_chat", "gpt-5.1")


def tally(*events: Event) -> Tally:
    found = Tally()
    for event in events:
        found.add(event)
    return found


def test_tokens_dollars_and_requests_add_up_by_model() -> None:
    other = Traffic("anthropic", "anthropic_messages", "claude-sonnet-4-5")
    found = tally(
        Relayed(CHAT, 200, stream=True),
        Measured(CHAT, 100, 60, None, 40, 7),
        Costed(CHAT, "actual", 0.5),
        Costed(CHAT, "direct", 0.75),
        Relayed(CHAT, 200, stream=True),
        Measured(CHAT, 50, 30, 5, 15, 1),
        Costed(CHAT, "actual", 0.25),
        Costed(CHAT, "direct", 0.25),
        Relayed(other, 200, stream=False),
    )
    assert found.models["gpt-5.1"] == ModelTally(2, 0, 2, 150, 90, 5, 55, 8, 0.75, 1.0)
    assert found.models["claude-sonnet-4-5"] == ModelTally(requests=1)


def test_what_was_not_reported_is_no_zero() -> None:
    found = tally(Relayed(CHAT, 200, stream=True), Relayed(CHAT, 500, stream=False), Measured(CHAT, output=5))
    model = found.models["gpt-5.1"]
    assert (model.unreported, model.failed, model.input, model.output) == (1, 1, 0, 0)
    assert model.actual_usd is None and model.direct_usd is None


def test_requests_for_no_answer_and_those_refused_here_belong_to_no_model() -> None:
    found = tally(Relayed(Traffic("openai"), 200, stream=False), Relayed(Traffic(), 404, stream=False))
    assert (found.other, found.refused, dict(found.models)) == (1, 1, {})


def test_edits_are_counted_by_verdict_and_so_are_the_requests_that_met_it() -> None:
    waits = Planned(CHAT, "mask", "deferred", "rent", 4, 900)
    found = tally(waits, waits, Planned(CHAT, "mask", "applied", "pays", 4, 900))
    assert found.edits == {("mask", "deferred", "rent"): 8, ("mask", "applied", "pays"): 4}
    assert found.turns == {("mask", "deferred", "rent"): 2, ("mask", "applied", "pays"): 1}


def test_sizes_losses_passthroughs_and_violations_add_up() -> None:
    lost = CacheLost(CHAT, Cause.POLICY_MASK, Party.POLICY, 30)
    found = tally(
        Sized(CHAT, "received", 100),
        Sized(CHAT, "sent", 80),
        lost,
        lost,
        CacheLost(CHAT, Cause.COLD_START, Party.CLIENT, 0),
        PassedThrough("no_messages"),
        RuleViolated(CHAT, "paired"),
    )
    assert (found.received, found.sent) == (100, 80)
    assert (found.lost, found.losses) == ({"policy_mask": 60}, {"policy_mask": 2})
    assert (found.passthroughs, found.violations) == ({"no_messages": 1}, {"paired": 1})


@pytest.mark.parametrize("event", [Begun("openai")])
def test_what_a_summary_does_not_say_changes_nothing(event: Event) -> None:
    assert tally(event) == Tally()

"""What was lost is counted at the size that was reported, and charged for what was really paid again."""

import pytest
from msgspec.structs import replace

from policies.core.divergence import Difference
from policies.core.edits import Arithmetic
from policies.core.lineage import Sent
from policies.core.plan import Break, Loss, Plan
from policies.core.usage import Usage
from proxy.profiles import load_profiles, profile_for
from proxy.reckoning import Reckoned, reckon

PROFILE = profile_for(load_profiles(), "claude-sonnet-4-5")  # input 3, read 0.30, write 3.75
PLAN = Plan(achievable_tokens=8_000, sent=Sent(0.0, 10_000, 10_000))


def _reckoned(plan: Plan, usage: Usage) -> Reckoned:
    found = reckon(plan, PROFILE, usage)
    assert found is not None
    return found


@pytest.mark.parametrize("usage", [Usage(), Usage(input=9), Usage(input=0, cache_read=0), Usage(cache_read=9)])
def test_nothing_is_reckoned_where_input_or_read_was_not_reported(usage: Usage) -> None:
    assert reckon(PLAN, PROFILE, usage) is None
    assert reckon(Plan(), PROFILE, Usage(input=9, cache_read=9)) is None


def test_an_estimate_is_brought_to_the_size_that_was_reported() -> None:
    found = _reckoned(PLAN, Usage(input=20_000, cache_read=16_000))
    assert found == Reckoned(16_000, ())


def test_of_a_provider_that_reads_in_steps_no_broken_step_is_expected() -> None:
    stepping = profile_for(load_profiles(), "gpt-4.1")
    found = reckon(Plan(achievable_tokens=1_408, sent=Sent(0.0, 1_835, 1_835)), stepping, Usage(1_905, 1_408))
    assert found == Reckoned(1_408, ())


@pytest.mark.parametrize(("read", "lost"), [(2_304, 0), (2_176, 0), (2_048, 256)])
def test_one_step_less_is_no_loss_where_an_estimate_stands_near_its_edge(read: int, lost: int) -> None:
    stepping = profile_for(load_profiles(), "gpt-4.1")
    found = reckon(Plan(achievable_tokens=2_304, sent=Sent(0.0, 4_207, 4_207)), stepping, Usage(4_207, read))
    assert found is not None and sum(each.tokens for each in found.losses) == lost


def test_a_partial_read_is_a_partial_loss() -> None:
    (lost,) = _reckoned(PLAN, Usage(input=10_000, cache_read=5_000)).losses
    assert (lost.cause, lost.party, lost.tokens) == ("provider_unexplained", "provider", 3_000)
    assert lost.cost == pytest.approx(3_000 * (3 - 0.30) / 1e6)


def test_what_an_estimate_may_be_wrong_by_is_no_loss() -> None:
    assert not _reckoned(PLAN, Usage(input=10_000, cache_read=7_800)).losses


def test_what_was_written_again_costs_a_write_and_never_more_than_was_paid() -> None:
    plan = replace(PLAN, achievable_tokens=0, losses=(Loss("system_changed", 9_000),))
    (lost,) = _reckoned(plan, Usage(input=10_000, cache_read=0, cache_write=10_000)).losses
    assert (lost.party, lost.tokens) == ("client", 9_000)
    assert lost.cost == pytest.approx(9_000 * (3.75 - 0.30) / 1e6)
    # the client also took most of its history out: what is no longer sent is not paid for
    (lost,) = _reckoned(replace(plan, sent=Sent(0.0, 1_000, 1_000)), Usage(input=1_000, cache_read=0)).losses
    assert lost.tokens == 9_000 and lost.cost == pytest.approx(1_000 * (3 - 0.30) / 1e6)


def test_a_rewrite_of_ours_is_charged_to_its_rule_at_its_price() -> None:
    plan = replace(
        PLAN,
        losses=(Loss("policy_mask", 4_000),),
        breaks=(Break("policy_mask", "mask", Difference("messages", 3, "", "changed", "", "")),),
        arithmetic=Arithmetic(price_usd=0.01),
    )
    (lost,) = _reckoned(plan, Usage(input=20_000, cache_read=16_000)).losses
    assert (lost.party, lost.tokens, lost.cost) == ("mask", 8_000, 0.02)


def test_no_more_can_be_read_than_the_turn_before_was_reported_to_hold() -> None:
    """An estimate of a text that is hardly words is off by more than what is tolerated."""
    plan = Plan(achievable_tokens=2_500, sent=Sent(0.0, 4_400, 4_400))
    usage = Usage(input=4_193, cache_read=2_288)
    alone, known = reckon(plan, PROFILE, usage), reckon(plan, PROFILE, usage, before=2_288)
    assert alone and [lost.cause for lost in alone.losses] == ["provider_unexplained"]
    assert known and known.achievable == 2_288 and not known.losses

"""When an edit pays: each rule by itself, against figures worked out by hand (test_turn.py has the prices).

An edit of 500 tokens at message 2 costs w(S - D) - rS = 1850 - 235 = 1615 millionths once and saves 50 a
turn; one of 1900 tokens costs 215 and saves 190. Not editing costs 900.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from policies.core.conversation import Conversation, Role
from policies.core.edits import Anchor, Placed
from policies.core.index import Index
from policies.core.lineage import Ledger, Lineage, Sent
from policies.core.plan import Loss, Marker, Plan
from policies.core.planner import (
    BATCHES,
    HORIZON_FLOOR,
    HORIZON_SHARE,
    PRESSURE,
    RENT_SHARE,
    WORST_CASE,
    Terms,
    horizon,
)
from policies.core.planner import plan as planned
from policies.core.profile import Breakpoints, LongestPrefix, Prices, Profile, Tier
from proxy.profiles import load_profiles, profile_for
from tests.policies.building import (
    MICRO,
    after,
    asked,
    called,
    conversation,
    marked_at_the_end,
    message,
    observation,
    observed,
    placed,
    profile,
    seen,
    steps,
    thought,
)

WHOLE = conversation(asked(), *steps(2000, 300, 500))
SMALL, LARGE = placed(WHOLE, 2, 500), placed(WHOLE, 2, 1900)
CLAUDE = profile(Breakpoints(), Prices(input=3.0, read=0.3, write=3.75, output=15.0))
RICH = Ledger(direct_usd=1.0, actual_usd=1.0)
"""So much spent that a single turn breaks no bound."""


def waited(edit: Placed, tokens: int, ledger: Ledger = RICH) -> Ledger:
    """A ledger with this rent after one more turn of waiting."""
    return replace(ledger, rents=((edit.edit.anchor, tokens - edit.edit.removes),))


def plan(
    *proposals: Placed,
    whole: Conversation = WHOLE,
    known: Profile | None = None,
    now: float = 1.0,
    terms: Terms | None = None,
    cached: int = 5,
    **lineage: Any,
) -> Plan:
    past = lineage.pop("past", None) or seen(whole, cached, **{"ledger": RICH} | lineage)
    return planned(whole, past, proposals, known or profile(), now, terms or Terms())


def verdicts(decided: Plan) -> list[tuple[str, str]]:
    return [(decision.verdict, decision.reason) for decision in decided.decisions]


def test_the_figures_of_the_rule() -> None:
    assert (RENT_SHARE, HORIZON_FLOOR, HORIZON_SHARE, WORST_CASE, PRESSURE) == (1 / 3, 10, 1 / 3, 0.02, 0.80)
    assert [horizon(turns) for turns in (0, 3, 30)] == [10, 11, 20]


# Rent, horizon and bound. 1615 / 3 = 538.3 millionths of rent are 5383 tokens read at 0.1; a run of t turns is
# expected to last 10 + t/3 more, 50 each: that exceeds 1615 from turn 67 on.


@pytest.mark.parametrize(
    ("rent", "turns", "verdict"),
    [
        (5383, 67, ("deferred", "rent")),
        (5384, 67, ("applied", "pays")),
        (5384, 66, ("deferred", "horizon")),
        (90_000, 66, ("deferred", "horizon")),
        (5383, 9000, ("deferred", "rent")),
        (5384, 9000, ("applied", "pays")),
    ],
)
def test_rent_and_horizon_defer_each_by_itself(rent: int, turns: int, verdict: tuple[str, str]) -> None:
    assert verdicts(plan(SMALL, ledger=waited(SMALL, rent), turn=turns)) == [verdict]


# BOUND: 900 + 1615 = 2515 with the edit. 2515 + A + O <= 1.02 (900 + B + O).


@pytest.mark.parametrize(
    ("ledger", "verdict"),
    [
        (Ledger(), ("deferred", "bound")),
        (Ledger(79849e-6, 79849e-6), ("deferred", "bound")),
        (Ledger(79850e-6, 79850e-6), ("applied", "pays")),
        (Ledger(output_usd=79849e-6), ("deferred", "bound")),
        (Ledger(output_usd=79850e-6), ("applied", "pays")),
        (Ledger(direct_usd=1565e-6), ("deferred", "bound")),
        (Ledger(direct_usd=1566e-6), ("applied", "pays")),
        (Ledger(direct_usd=1.0, actual_usd=1.02 - 0.0015), ("deferred", "bound")),
        (Ledger(1.0, 0.01, markers_usd=-0.99), ("deferred", "bound")),  # what markers saved is not the edits' to spend
        (Ledger(1.0, 0.01, markers_usd=-0.98), ("applied", "pays")),
    ],
)
def test_bound_defers_by_itself_and_output_is_part_of_both_sides(ledger: Ledger, verdict: tuple[str, str]) -> None:
    assert verdicts(plan(SMALL, ledger=waited(SMALL, 5384, ledger), turn=67)) == [verdict]


def test_the_first_turn_of_waiting_is_free_and_each_later_one_adds_what_it_would_have_saved() -> None:
    ledger = RICH
    for rent in (0, 500, 1000):
        decided = plan(SMALL, ledger=ledger)
        ledger = decided.ledger
        assert ledger.rents == ((SMALL.edit.anchor, rent),)
        assert decided.arithmetic.rent_usd == pytest.approx(rent * 0.1 * MICRO)


def test_the_rent_of_what_no_longer_waits_is_dropped() -> None:
    assert plan(ledger=waited(SMALL, 700)).ledger.rents == ()
    assert plan(LARGE, ledger=waited(placed(WHOLE, 4, 100), 700)).ledger.rents == ((LARGE.edit.anchor, 0),)
    paid = plan(LARGE, ledger=waited(LARGE, 1900))
    assert (verdicts(paid), paid.ledger.rents) == ([("applied", "pays")], ())


def test_the_arithmetic_of_what_was_applied() -> None:
    shown = plan(LARGE, ledger=waited(LARGE, 1900)).arithmetic
    assert (shown.suffix_tokens, shown.removed_tokens) == (2350, 1900)
    assert (shown.price_usd, shown.rent_usd, shown.saving_usd) == pytest.approx((215 * MICRO, 190 * MICRO, 190 * MICRO))


def test_where_nothing_was_applied_the_arithmetic_is_that_of_all_proposals() -> None:
    shown = plan(SMALL, placed(WHOLE, 4, 100)).arithmetic
    assert (shown.suffix_tokens, shown.removed_tokens, shown.rent_usd) == (2350, 600, 0.0)
    assert shown.price_usd == pytest.approx((1750 - 235) * MICRO)


def test_without_proposals_there_is_nothing_to_decide() -> None:
    decided = plan()
    assert (decided.decisions, decided.applied, decided.in_force) == ((), (), ())
    assert (decided.arithmetic.price_usd, decided.markers, decided.waiting) == (0.0, (), ())


# Moments at which nothing cached is lost.


def test_a_cold_cache_applies_everything() -> None:
    decided = plan(SMALL, placed(WHOLE, 4, 100), now=301.0)
    assert verdicts(decided) == [("applied", "cold")] * 2
    assert decided.arithmetic.price_usd == pytest.approx(-600 * MICRO)


@pytest.mark.parametrize("part", ["model", "tools", "system", "parameters"])
def test_a_changed_head_is_a_cold_cache(part: str) -> None:
    assert verdicts(plan(SMALL, changed=part)) == [("applied", "cold")]


def test_a_client_that_caches_nothing_gets_its_edits_free() -> None:
    decided = plan(SMALL, known=CLAUDE)
    assert (verdicts(decided), decided.markers) == ([("applied", "free")], ())


def test_a_client_that_leaves_its_marker_to_the_provider_has_something_to_lose() -> None:
    moved = replace(WHOLE, head=replace(WHOLE.head, markers=1, automatic=True))
    assert plan(SMALL, whole=moved, known=CLAUDE) == plan(SMALL, whole=marked_at_the_end(WHOLE), known=CLAUDE)
    assert verdicts(plan(SMALL, whole=moved, known=CLAUDE)) == [("deferred", "rent")]


def test_what_the_client_broke_itself_in_front_of_the_edit_is_free() -> None:
    decided = plan(SMALL, complete=False, common=1)
    assert (verdicts(decided), decided.prefix) == ([("applied", "free")], "broken:history_edited")
    assert verdicts(plan(SMALL, complete=False, common=4)) == [("deferred", "rent")]


def test_t7_leaving_a_price_tier_is_part_of_the_price() -> None:
    # double prices above 4000 tokens: 1800 for 4050 tokens; 1115 for 2150
    tiers = (Tier(4000, Prices(input=2.0, read=0.2, output=7.5)),)
    assert verdicts(plan(LARGE, known=profile(tiers=tiers))) == [("applied", "free")]
    assert verdicts(plan(LARGE, known=profile(tiers=(replace(tiers[0], above=4050),)))) == [("deferred", "rent")]


@pytest.mark.parametrize("model", ["gpt-5.4", "gpt-5.5"])
def test_t7_the_cliff_at_272k_pays_for_an_edit_at_once(model: str) -> None:
    over = conversation(asked(), *steps(3000, 30_000, 500), tokens=239_000)
    under = conversation(asked(), *steps(3000, 30_000, 500), tokens=230_000)
    for whole, verdict in ((over, ("applied", "free")), (under, ("deferred", "rent"))):
        known = profile_for(load_profiles(), model)
        assert verdicts(plan(placed(whole, 2, 2000), whole=whole, known=known, cached=5)) == [verdict]


# Limits, and the other moments that a policy may ask for.


@pytest.mark.parametrize(
    ("known", "terms", "verdict"),
    [
        ({"context_limit": 4050}, Terms(), ("deferred", "rent")),
        ({"context_limit": 4049}, Terms(), ("applied", "pressure")),
        ({"context_limit": 9000, "effective_limit": 4049}, Terms(), ("applied", "pressure")),
        ({"context_limit": 4049, "effective_limit": 4050}, Terms(), ("deferred", "rent")),
        ({"context_limit": 4049}, Terms(limit=4050), ("deferred", "rent")),
        ({}, Terms(limit=4049), ("applied", "pressure")),
        ({}, Terms(when="always"), ("applied", "always")),
        ({"context_limit": 4049}, Terms(when="always"), ("applied", "always")),
        ({"context_limit": 5063}, Terms(when="on_pressure"), ("deferred", "no_pressure")),
        ({"context_limit": 5062}, Terms(when="on_pressure"), ("applied", "pressure")),
    ],
)
def test_limits_and_moments(known: dict[str, Any], terms: Terms, verdict: tuple[str, str]) -> None:
    assert verdicts(plan(SMALL, known=profile(**known), terms=terms)) == [verdict]


def test_on_pressure_does_not_even_use_a_cold_cache() -> None:
    assert verdicts(plan(SMALL, now=1e6, terms=Terms(when="on_pressure"))) == [("deferred", "no_pressure")]


# What may not be edited at all.


def bound_session() -> Conversation:
    return conversation(asked(), observed("a", 2000), observed("b", 2000), thought("t"), observed("c", 2000))


@pytest.mark.parametrize("binds", ["rejects", "drops"])
@pytest.mark.parametrize("terms", [Terms(), Terms(when="always"), Terms(limit=1)])
def test_bound_reasoning_rejects_what_stands_before_it_whatever_the_price(binds: Any, terms: Terms) -> None:
    whole = bound_session()
    decided = plan(
        *(placed(whole, n, 1000) for n in (1, 2, 4)),
        whole=whole,
        known=profile(binds_reasoning=binds),
        now=1e6,
        terms=terms,
    )
    assert [verdict for verdict, _ in verdicts(decided)] == ["rejected", "rejected", "applied"]
    assert verdicts(decided)[0] == ("rejected", "bound_reasoning")
    assert [each.message for each in decided.in_force] == [4]


def test_where_reasoning_is_not_bound_all_of_it_may_be_edited() -> None:
    whole = bound_session()
    assert verdicts(plan(placed(whole, 1, 1000), whole=whole, now=1e6)) == [("applied", "cold")]


def test_a_history_that_somebody_else_manages_is_left_alone() -> None:
    whole = replace(WHOLE, head=replace(WHOLE.head, stand_down="context_management"))
    decided = plan(SMALL, placed(WHOLE, 4, 100), whole=whole, now=1e6, terms=Terms(when="always", limit=1))
    assert verdicts(decided) == [("rejected", "stand_down")] * 2
    assert decided.arithmetic.removed_tokens == 600  # shown, though not to be had


def test_t10_a_prefix_is_never_made_too_short_to_be_cached() -> None:
    known = profile(LongestPrefix(minimum=2151))  # 2150 tokens would be left
    assert verdicts(plan(LARGE, known=known, now=1e6)) == [("deferred", "below_minimum")]
    assert verdicts(plan(LARGE, known=known, ledger=waited(LARGE, 9000))) == [("deferred", "below_minimum")]
    fits = profile(LongestPrefix(minimum=2150))
    assert verdicts(plan(LARGE, known=fits, now=1e6)) == [("applied", "cold")]
    assert verdicts(plan(LARGE, known=known, terms=Terms(limit=1))) == [("applied", "pressure")]


def test_t10_what_still_leaves_enough_is_applied_at_a_cold_cache() -> None:
    decided = plan(LARGE, placed(WHOLE, 4, 200), known=profile(LongestPrefix(minimum=2151)), now=1e6)
    assert verdicts(decided) == [("deferred", "suffix"), ("applied", "pays")]


# Which batch.


def test_a_late_batch_is_taken_where_an_early_edit_would_break_too_much() -> None:
    whole = conversation(asked(), *steps(100, 9000, 4000, 300))
    early, late = placed(whole, 2, 20), placed(whole, 6, 3900)
    ledger = replace(RICH, rents=((early.edit.anchor, 0), (late.edit.anchor, 3900)))
    decided = plan(early, late, whole=whole, cached=7, ledger=ledger)
    assert verdicts(decided) == [("deferred", "suffix"), ("applied", "pays")]
    assert decided.waiting == (early,)
    assert decided.ledger.rents == ((early.edit.anchor, 20),)


@pytest.mark.parametrize(("early", "applied"), [(200, 1), (900, 2)])
def test_of_the_batches_that_may_be_taken_the_one_with_the_largest_gain_is(early: int, applied: int) -> None:
    # the later one alone: 100 - 400 to pay, 390 a turn saved, over 11 turns a gain of 4590.
    # both, with 3000 between them: 4000 - 810 to pay, 410 saved, a gain of 1320. With 10 between: 310 - 511, free
    whole = conversation(asked(), *steps(1000, 3000 if applied == 1 else 10, 4000, 300))
    both = placed(whole, 2, early), placed(whole, 6, 3900)
    ledger = replace(RICH, rents=tuple((each.edit.anchor, 60_000) for each in both))
    decided = plan(*both, whole=whole, cached=7, ledger=ledger)
    assert len(decided.applied) == applied


def test_the_observations_of_one_message_are_taken_together_or_not_at_all() -> None:
    parts = [observation(f"o{n}", 1500) for n in range(3)]
    whole = conversation(asked(tokens=4000), message(Role.USER, *parts), *steps(100, 500, first=9))
    edits = [replace(placed(whole, 1, 900), block=n) for n in range(3)]
    edits = [replace(each, edit=replace(each.edit, anchor=Anchor(parts[n].hash))) for n, each in enumerate(edits)]
    ledger = replace(
        RICH, rents=tuple((each.edit.anchor, rent) for each, rent in zip(edits, (0, 0, 9000), strict=True))
    )
    found = verdicts(plan(*edits, whole=whole, cached=4, ledger=ledger))
    assert found == [("applied", "pays")] * 3


def test_of_many_proposals_some_beginnings_are_compared_and_the_whole_is_among_them() -> None:
    whole = conversation(asked(), *steps(*[1000] * (3 * BATCHES), 300))
    proposals = [placed(whole, 2 * n + 2, 900) for n in range(3 * BATCHES)]
    ledger = replace(RICH, rents=tuple((each.edit.anchor, 9000) for each in proposals))
    decided = plan(*proposals, whole=whole, cached=len(whole.messages) - 2, ledger=ledger)
    assert verdicts(decided) == [("applied", "pays")] * len(proposals)


# What the plan says of the cache.


@pytest.mark.parametrize(
    ("changes", "now", "cause"),
    [
        ({}, 301.0, "ttl_expired"),
        ({"changed": "model"}, 1.0, "model_changed"),
        ({"changed": "tools"}, 1.0, "tools_changed"),
        ({"changed": "system"}, 1.0, "system_changed"),
        ({"changed": "parameters"}, 1.0, "parameters_changed"),
    ],
)
def test_a_loss_names_its_cause_and_tokens(changes: dict[str, Any], now: float, cause: Any) -> None:
    decided = plan(now=now, **changes)
    assert (decided.losses, decided.prefix) == ((Loss(cause, 3500),), f"broken:{cause}")


def test_history_edited_by_the_client_loses_what_stands_behind() -> None:
    decided = plan(complete=False, common=2)
    assert (decided.losses, decided.achievable_tokens) == ((Loss("history_edited", 2350),), 1150)


def test_t12_changed_parameters_lose_anthropics_messages_and_keep_its_head() -> None:
    whole = marked_at_the_end(conversation(*WHOLE.messages, tokens=2000))
    decided = plan(whole=whole, known=CLAUDE, changed="parameters")
    assert (decided.losses, decided.achievable_tokens) == ((Loss("parameters_changed", 2500),), 2000)


def test_t9_growing_by_more_than_the_lookback_is_a_loss_of_its_own() -> None:
    whole = marked_at_the_end(conversation(asked(tokens=2000), *steps(*[100] * 15)))
    past = replace(seen(whole, 5), last=Sent(0.0, 3300, 3300, 3300, entries=(5,)))
    assert plan(whole=whole, known=CLAUDE, past=past).losses == (Loss("lookback_exceeded", 3300),)


def test_a_prefix_below_a_minimum_that_has_risen_is_a_loss_of_its_own() -> None:
    lineage = seen(WHOLE, 5)
    known = replace(CLAUDE, cache=Breakpoints(minimum=3501))
    decided = plan(whole=marked_at_the_end(WHOLE), known=known, past=lineage)
    assert decided.losses == (Loss("below_minimum", 3500),)


def test_an_edit_is_charged_with_what_it_breaks() -> None:
    decided = plan(LARGE, ledger=waited(LARGE, 1900))
    assert (decided.losses, decided.prefix) == ((Loss("policy_mask", 2350),), "broken:policy_mask")
    assert decided.achievable_tokens == 1150


def test_of_two_losses_the_larger_one_names_the_prefix() -> None:
    decided = plan(LARGE, complete=False, common=4, terms=Terms(when="always"))
    assert decided.losses == (Loss("history_edited", 300), Loss("policy_mask", 2050))
    assert decided.prefix == "broken:policy_mask"
    other = plan(placed(WHOLE, 2, 1900), complete=False, common=3, terms=Terms(when="always"))
    assert other.losses == (Loss("history_edited", 350), Loss("policy_mask", 2000))


def test_append_only_a_turn_that_only_adds_keeps_the_prefix() -> None:
    decided = plan()
    assert (decided.prefix, decided.losses, decided.achievable_tokens) == ("kept", (), 3500)


def test_the_first_turn_has_nothing_to_keep() -> None:
    decided = plan(past=Lineage())
    assert (decided.prefix, decided.losses, decided.achievable_tokens) == ("first", (), 0)


@pytest.mark.parametrize("rule", [LongestPrefix(holdback=1), LongestPrefix(step=128, minimum=1024)])
def test_sending_the_same_again_loses_nothing(rule: Any) -> None:
    first = plan(known=profile(rule))
    again = plan(known=profile(rule), past=after(first, WHOLE, 4))
    assert (again.losses, again.prefix) == ((), "kept")


def test_t8_the_clients_markers_are_kept_and_ours_fill_what_is_free() -> None:
    whole = marked_at_the_end(WHOLE)
    decided = plan(LARGE, whole=whole, known=CLAUDE, terms=Terms(when="always"))
    assert decided.markers == (Marker(1, 0),)
    full = replace(whole, head=replace(whole.head, markers=3))
    assert plan(LARGE, whole=full, known=CLAUDE, terms=Terms(when="always")).markers == ()


# What the next turn is told.


def test_ledgers_add_up() -> None:
    past = Ledger(direct_usd=2.0, actual_usd=1.5, output_usd=0.25)
    decided = plan(LARGE, ledger=waited(LARGE, 1900, past))
    assert (decided.direct_usd, decided.actual_usd) == pytest.approx((900 * MICRO, 1115 * MICRO))
    assert (decided.ledger.direct_usd, decided.ledger.actual_usd) == pytest.approx((2.0009, 1.501115))
    assert decided.ledger.output_usd == 0.25
    assert plan(LARGE, ledger=past).ledger.actual_usd == pytest.approx(1.5009)


def test_with_edits_in_force_direct_is_still_what_would_have_been_paid() -> None:
    decided = plan(placed=(LARGE,))
    # 1600 of 2150 tokens read and 550 fresh; direct: 3500 read and 550 fresh
    assert (decided.actual_usd, decided.direct_usd) == pytest.approx((710 * MICRO, 900 * MICRO))


def test_what_was_sent_is_told_as_sent_and_as_received() -> None:
    sent = plan(LARGE, ledger=waited(LARGE, 1900), now=77.0).sent
    assert (sent.at, sent.tokens, sent.received_tokens, sent.written) == (77.0, 2150, 4050, 2150)
    assert (sent.entries, sent.explicit) == ((0, 1, 2, 7), ())


def test_what_is_written_ends_at_the_last_marker() -> None:
    whole = marked_at_the_end(WHOLE)
    sent = plan(LARGE, whole=whole, known=CLAUDE, terms=Terms(when="always")).sent
    assert (sent.entries, sent.explicit, sent.written) == ((0, 1, 2, 7), (2,), 2150)
    assert plan(whole=conversation(asked()), known=CLAUDE, past=Lineage()).sent.entries == ()
    assert plan(whole=WHOLE, known=CLAUDE, now=1e6).sent.written == 0


def test_sticky_edits_in_force_stay_and_new_ones_stand_in_order() -> None:
    early, middle, late = (placed(WHOLE, n, 100) for n in (2, 4, 6))
    decided = plan(early, late, placed=(middle,), terms=Terms(when="always"))
    assert decided.in_force == (early, middle, late)
    assert plan(early, placed=(middle,)).in_force == (middle,)


def test_an_index_at_hand_gives_the_same_plan() -> None:
    lineage = seen(WHOLE, 5, ledger=waited(LARGE, 1900))
    index = Index().extended(WHOLE.messages)
    assert planned(WHOLE, lineage, (LARGE,), profile(), 1.0, Terms(), index) == plan(LARGE, past=lineage)


def test_what_was_never_sent_is_changed_at_once_and_costs_no_cache() -> None:
    new = placed(WHOLE, 6, 200)
    shape = replace(new, edit=replace(new.edit, kind="shape"))
    note = replace(new, edit=replace(new.edit, kind="recite", removes=-30, way="append"))
    lineage = seen(WHOLE, 5, ledger=RICH)
    plain = plan(LARGE, past=lineage)
    fresh = planned(WHOLE, lineage, (LARGE,), profile(), 1.0, Terms(), fresh=(shape, note))
    assert verdicts(fresh) == [("applied", "first_sending")] * 2 + verdicts(plain)
    assert fresh.in_force == (shape, note)
    assert fresh.sent.tokens == plain.sent.tokens - 170
    assert fresh.sent.received_tokens == plain.sent.received_tokens
    assert (fresh.achievable_tokens, fresh.losses) == (plain.achievable_tokens, plain.losses)


def test_what_was_masked_and_is_shown_again_is_counted_by_tool() -> None:
    again = (called("o0", tool="bash"), observed("o0", 2000))
    whole = conversation(asked(), *again, *again)
    masked = (placed(whole, 2, 1900),)
    assert plan(whole=whole, cached=3, placed=masked).ledger.rereads == (("bash", 1),)
    assert plan(whole=whole, cached=5, placed=masked).ledger.rereads == ()
    assert plan(whole=whole, cached=3).ledger.rereads == ()


# An image in Claude's prompt: to take it loses all messages.

SHOWN = conversation(asked(tokens=20_000), *steps(5000, 2000, 500))
SHOWN = replace(
    SHOWN,
    messages=(
        *SHOWN.messages[:4],
        message(Role.TOOL, replace(SHOWN.messages[4].blocks[0], editable=False, picture="image")),
        *SHOWN.messages[5:],
    ),
)
TEXT, IMAGE = placed(SHOWN, 2, 4900), placed(SHOWN, 4, 1900)


def test_an_image_waits_for_a_cold_moment_and_the_text_beside_it_need_not() -> None:
    whole, rents = marked_at_the_end(SHOWN), tuple((each.edit.anchor, 40_000) for each in (TEXT, IMAGE))
    past: dict[str, Any] = {"ledger": replace(RICH, rents=rents), "turn": 60, "whole": whole, "known": CLAUDE}
    warm = plan(TEXT, IMAGE, cached=6, **past)
    verdict = {decision.edit: (decision.verdict, decision.reason) for decision in warm.decisions}
    assert verdict == {TEXT.edit: ("applied", "pays"), IMAGE.edit: ("deferred", "horizon")}
    assert (warm.waiting, warm.in_force) == ((IMAGE,), (TEXT,))
    assert warm.ledger.rents == ((IMAGE.edit.anchor, 41_900),)
    assert verdicts(plan(TEXT, IMAGE, cached=6, now=400.0, **past)) == [("applied", "cold")] * 2
    assert verdicts(plan(IMAGE, cached=6, **past)) == [("deferred", "rent")]

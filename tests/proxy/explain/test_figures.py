"""Shares and sums are of what was reported; what was not adds nothing."""

import pytest
from msgspec.structs import replace

from policies.core.edits import FIRST_SENDING, Arithmetic
from policies.core.outcome import Outcome, Step, Tally
from proxy.explain.figures import Rewrite, line_of, payback, rewrites_of, share, total_of
from proxy.explain.looking import Turn
from tests.proxy.explain.building import CHANGED, MASKING, turn
from tests.proxy.store.records import record


def test_a_line_says_what_was_read_what_could_be_and_what_was_lost_where() -> None:
    line = line_of(turn())
    assert (line.input, line.read, line.achievable, line.cost) == (10_000, 0.1, 0.1, 0.05)
    assert line.lost == CHANGED.losses[0] and line.place == "system[1].text"
    assert line_of(turn(story=MASKING)).applied == {"mask": 2}


def test_a_change_without_a_loss_is_still_placed() -> None:
    line = line_of(turn(story=replace(CHANGED, losses=())))
    assert (line.lost, line.place) == (None, "system[1].text")
    elsewhere = replace(CHANGED, losses=(replace(CHANGED.losses[0], cause="ttl_expired"),))
    assert line_of(turn(story=elsewhere)).place == ""


def test_what_was_not_reported_is_not_zero() -> None:
    line = line_of(turn(input=None, cache_read=None))
    assert (line.input, line.read, line.achievable, line.cost) == (None, None, None, None)
    assert line_of(turn(cache_read=None)).achievable is None
    unanswered = line_of(Turn(1, record(), None))
    assert (unanswered.input, unanswered.lost, unanswered.prefix) == (None, None, "")


def test_each_rewrite_of_a_batch_has_its_share_and_the_batch_its_payback() -> None:
    rejected, small, large = rewrites_of(MASKING)
    assert (rejected.price, rejected.saving, rejected.payback) == (None, None, None)
    assert [each.price for each in (small, large)] == pytest.approx([0.02, 0.06])
    assert [each.saving for each in (small, large)] == pytest.approx([0.005, 0.015])
    assert small.payback == large.payback == 4.0


def test_where_nothing_was_applied_what_waits_is_priced() -> None:
    steps = tuple(replace(step, verdict="deferred") for step in MASKING.steps)
    tallies = tuple(replace(tally, verdict="deferred") for tally in MASKING.tallies)
    assert all(rewrite.price for rewrite in rewrites_of(replace(MASKING, steps=steps, tallies=tallies)))
    free = replace(MASKING, arithmetic=Arithmetic())
    assert [rewrite.price for rewrite in rewrites_of(free)] == [None, 0.0, 0.0]


def test_what_was_changed_before_its_first_sending_is_in_no_batch() -> None:
    first = Step("recite", "applied", FIRST_SENDING, -90)
    waits = tuple(replace(step, verdict="deferred") for step in MASKING.steps)
    tallies = (Tally("recite", "applied", FIRST_SENDING, 1, -90), Tally("mask", "deferred", "rent", 3, 450))
    free, *priced = rewrites_of(replace(MASKING, steps=(first, *waits), tallies=tallies))
    assert free == Rewrite(first)
    assert all(rewrite.price for rewrite in priced)


@pytest.mark.parametrize(
    ("price", "saving", "turns"), [(0.08, 0.02, 4.0), (-0.1, 0.02, 0.0), (0.0, 0.0, 0.0), (0.1, 0.0, None)]
)
def test_a_rewrite_pays_when_its_savings_reach_its_price(price: float, saving: float, turns: float | None) -> None:
    assert payback(price, saving) == turns


def test_a_session_adds_up_what_was_reported() -> None:
    total = total_of("s", [turn(1), turn(2, input=None, cache_read=None, direct_usd=None, cost_usd=0.0), turn(3)])
    assert (total.turns, total.input, total.read, total.agent) == (3, 20_000, 0.1, "claude-code")
    assert [total.cost, total.saved] == pytest.approx([0.10, 0.04])
    silent = total_of("s", [Turn(1, record(), Outcome(200))])
    assert (silent.agent, silent.input, silent.read, silent.unit) == ("unknown", 0, None, "usd")


def test_a_share_of_nothing_is_none() -> None:
    assert (share(None, 3), share(1, None), share(1, 0), share(1, 4)) == (None, None, None, 0.25)

"""The optimum is one: nothing beats it, and played it costs what was calculated."""

import dataclasses
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, Profile, TokenBlocks, Units
from policies.core.usage import input_cost, output_cost
from proxy.replay.gaps import Constant
from proxy.replay.legality import violations
from proxy.replay.pipeline import Stage, direct
from proxy.replay.schedule import Offer, Schedule, cheapest, played
from proxy.replay.session import offered, staged
from proxy.replay.trace import Exchange, Recording, Trace
from proxy.replay.wire import Script, script

from .sessions import count, marked_profile, observed, profile, trace

SIZES = st.lists(st.sampled_from([5, 80, 250, 400, 900]), min_size=3, max_size=6)
LIMITED = Breakpoints(minimum=20, lookback=20, ttl=300.0, automatic=True)


@dataclasses.dataclass(frozen=True)
class Solved:
    """A session, its best schedule, and the moments to choose from."""

    stage: Stage
    offers: Sequence[Offer]
    newest: int
    best: Schedule

    @property
    def moments(self) -> list[int]:
        return [turn for turn, offer in enumerate(self.offers) if offer.proposals]

    def cost(self, moments: Sequence[int]) -> float:
        known = self.stage.profile
        usages = (usage for _, usage in played(self.offers, known, self.newest, self.stage.variant, moments))
        return sum(input_cost(known, usage) + output_cost(known, usage) for usage in usages)

    def cheapest_of(self, moments: Sequence[int]) -> float:
        """By trying all."""
        subsets = (chosen for size in range(len(moments) + 1) for chosen in combinations(moments, size))
        return min(map(self.cost, subsets))


def solved(session: Trace | Recording | Script, known: Profile, gap: float | None, newest: int) -> Solved:
    made = session if isinstance(session, Script) else script(session, known, None if gap is None else Constant(gap))
    stage = staged(made, known, count)
    offers = offered(stage, newest)
    return Solved(stage, offers, newest, cheapest(offers, known, newest, stage.variant))


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule", [LongestPrefix(ttl=300.0), LongestPrefix(step=128, minimum=300), TokenBlocks(), None, LIMITED, Units()]
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(sizes=SIZES, gap=st.sampled_from([10.0, 299.0, 400.0]), newest=st.integers(0, 2))
def test_no_other_choice_of_moments_is_cheaper(
    rule: CacheRule | None, sizes: list[int], gap: float, newest: int
) -> None:
    known = marked_profile() if rule is None else profile(rule, write=1.25 if rule is LIMITED else None)
    found = solved(trace(sizes), known, gap, newest)
    assert found.best.usd == pytest.approx(found.cheapest_of(found.moments), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("known", [profile(), marked_profile(), profile(LIMITED), profile(Units())])
@settings(max_examples=15)
@given(sizes=st.lists(st.integers(1, 600), max_size=14), gap=st.sampled_from([10.0, 400.0]))
def test_played_it_costs_what_was_calculated_is_legal_and_never_dearer_than_direct(
    known: Profile, sizes: list[int], gap: float
) -> None:
    found = solved(trace(sizes), known, gap, 2)
    assert found.cost(found.best.moments) == pytest.approx(found.best.usd, rel=1e-9)
    assert found.best.usd <= sum(one.usd for one in direct(found.stage)) * (1 + 1e-9)
    sendings = played(found.offers, known, 2, found.stage.variant)
    for step, (sent, _) in zip(found.stage.steps, sendings, strict=True):
        assert violations(step.received, sent, known) == ()


def test_where_nothing_may_be_masked_there_is_no_moment() -> None:
    found = solved(trace([500] * 4), profile(), 10.0, 50)
    assert (found.best.moments, found.moments) == ((), [])
    assert found.best.usd == pytest.approx(sum(one.usd for one in direct(found.stage)))


def test_a_long_run_is_masked_and_seldom() -> None:
    found = solved(trace([600] * 30), profile(), 10.0, 3)
    assert 1 <= len(found.best.moments) < len(found.moments) / 2


def test_a_cold_cache_makes_every_moment_free_so_it_masks_at_once() -> None:
    found = solved(trace([600] * 6), profile(), 400.0, 1)
    assert found.best.moments[0] == found.moments[0]


def test_a_session_without_calls_costs_nothing() -> None:
    assert solved(Trace("t", [], "made-up"), profile(), 10.0, 1).best == Schedule((), 0.0)


def test_a_session_that_drops_its_own_history_is_solved_as_well() -> None:
    calls = script(trace([400] * 6), profile()).calls
    bodies = [call.body for call in calls]
    bodies[4:] = [body.replace(calls[0].answer[0] + b",", b"") for body in bodies[4:]]
    exchanges = [Exchange(10.0 * n, "openai_chat", "/v1/chat/completions", Raw(body)) for n, body in enumerate(bodies)]
    found = solved(Recording("r", "m", tuple(exchanges)), profile(), 10.0, 1)
    steps = found.stage.steps
    assert len(steps[4].received.messages) == len(steps[3].received.messages) + 1
    assert found.best.usd == pytest.approx(found.cheapest_of(found.moments))


def thinking(sizes: Sequence[int], at: int) -> Trace:
    """An agent that thinks once, signed, ahead of call `at`; the trace is of Anthropic's format."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Tidy up."}]
    for number, tokens in enumerate(sizes):
        use = {"type": "tool_use", "id": f"t{number}", "name": "read", "input": {"path": f"m{number}.py"}}
        thought = [{"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}] if number == at else []
        messages.append({"role": "assistant", "content": [*thought, use]})
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": observed(number, tokens)}
        messages.append({"role": "user", "content": [result]})
    return Trace("t", [*messages, {"role": "assistant", "content": "Done."}], "made-up", format="anthropic")


@pytest.mark.parametrize("at", [2, 4])
def test_where_reasoning_binds_what_stands_before_it_nothing_in_front_of_it_is_masked(at: int) -> None:
    session = thinking([500] * 7, at)
    found = solved(session, marked_profile(binds_reasoning="rejects"), 10.0, 1)
    assert found.best.moments and found.cost(found.best.moments) == pytest.approx(found.best.usd)
    assert found.best.usd == pytest.approx(found.cheapest_of(found.moments), rel=1e-9)
    assert solved(session, marked_profile(), 10.0, 1).best.usd < found.best.usd
    before: list[bytes] = []
    for sent, _ in played(found.offers, found.stage.profile, 1, found.stage.variant):
        bound = max((n for n, each in enumerate(sent.messages) if any(block.bound for block in each.blocks)), default=0)
        now = [message.raw for message in sent.messages]
        assert all(one == other or b"cache_control" in one for one, other in zip(before, now[:bound], strict=False))
        before = now


def test_what_was_masked_before_reasoning_bound_it_counts_for_the_calls_that_follow() -> None:
    found = solved(
        thinking([250, 250, 250, 400, 400, 900, 900, 250], 2), marked_profile(binds_reasoning="drops"), 10.0, 1
    )
    assert found.best.usd == pytest.approx(found.cheapest_of(found.moments), rel=1e-9)


def test_a_call_to_a_cold_cache_is_a_moment_although_nothing_became_maskable_there() -> None:
    made = script(trace([250, 100, 100, 100, 5, 5, 5]), profile())
    late = [dataclasses.replace(call, now=call.now + 1000 * (turn >= 6)) for turn, call in enumerate(made.calls)]
    found = solved(dataclasses.replace(made, calls=tuple(late)), profile(), None, 3)
    assert 6 not in found.moments and found.best.moments == (6,)
    assert found.best.usd == pytest.approx(found.cheapest_of(range(len(late))), rel=1e-9)

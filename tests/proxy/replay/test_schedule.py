"""The optimum is one: nothing beats it, and played it costs what was calculated."""

import asyncio
import dataclasses
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, Profile, TokenBlocks, Units
from policies.policy import Policy
from proxy.replay.gaps import Constant
from proxy.replay.pipeline import Stage, direct, through
from proxy.replay.schedule import Schedule
from proxy.replay.session import always, optimum, scheduled, staged, switched
from proxy.replay.trace import Exchange, Recording, Trace
from proxy.replay.wire import script

from .sessions import count, marked_profile, observed, policy, profile, trace

SIZES = st.lists(st.sampled_from([5, 80, 150, 400, 900]), min_size=3, max_size=6)
LIMITED = Breakpoints(minimum=20, lookback=20, ttl=300.0, automatic=True)


def cost(stage: Stage, masking: Policy, moments: Sequence[int]) -> float:
    return sum(one.figures.usd for one in asyncio.run(through(stage, scheduled(masking, moments))))


def solved(
    session: Trace | Recording, known: Profile, gap: float, masking: Policy
) -> tuple[Stage, Schedule, list[int]]:
    """The session, its best schedule, and the moments to choose from."""
    stage = staged(script(session, known, Constant(gap)), known, count)
    every = asyncio.run(through(stage, always(switched(masking, on=True))))
    return stage, optimum(stage, masking, every), [turn for turn, one in enumerate(every) if one.applied]


def brute_force(stage: Stage, masking: Policy, moments: Sequence[int]) -> float:
    subsets = (chosen for size in range(len(moments) + 1) for chosen in combinations(moments, size))
    return min(cost(stage, masking, chosen) for chosen in subsets)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule", [LongestPrefix(ttl=300.0), LongestPrefix(step=128, minimum=300), TokenBlocks(), None, LIMITED, Units()]
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(sizes=SIZES, gap=st.sampled_from([10.0, 299.0, 400.0]), keep=st.integers(0, 2))
def test_no_other_choice_of_moments_is_cheaper(rule: CacheRule | None, sizes: list[int], gap: float, keep: int) -> None:
    known = marked_profile() if rule is None else profile(rule, write=1.25 if rule is LIMITED else None)
    stage, best, moments = solved(trace(sizes), known, gap, policy(keep))
    assert set(best.moments) <= set(moments)
    assert best.usd == pytest.approx(brute_force(stage, policy(keep), moments), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("known", [profile(), marked_profile(), profile(LIMITED), profile(Units())])
@settings(max_examples=15)
@given(sizes=st.lists(st.integers(1, 600), max_size=14), gap=st.sampled_from([10.0, 400.0]))
def test_played_it_costs_what_was_calculated_and_never_more_than_direct(
    known: Profile, sizes: list[int], gap: float
) -> None:
    stage, best, _ = solved(trace(sizes), known, gap, policy(2))
    assert cost(stage, policy(2), best.moments) == pytest.approx(best.usd, rel=1e-9)
    assert best.usd <= sum(one.usd for one in direct(stage)) * (1 + 1e-9)


def test_where_nothing_may_be_masked_there_is_no_moment() -> None:
    stage, best, moments = solved(trace([500] * 4), profile(), 10.0, policy(50))
    assert (best.moments, moments) == ((), [])
    assert best.usd == pytest.approx(sum(one.usd for one in direct(stage)))


def test_a_long_run_is_masked_and_seldom() -> None:
    _, best, moments = solved(trace([600] * 30), profile(), 10.0, policy(3))
    assert 1 <= len(best.moments) < len(moments) / 2


def test_a_cold_cache_makes_every_moment_free_so_it_masks_at_once() -> None:
    _, best, moments = solved(trace([600] * 6), profile(), 400.0, policy(1))
    assert best.moments[0] == moments[0]


def test_a_session_without_calls_costs_nothing() -> None:
    _, best, _ = solved(Trace("t", [], "made-up"), profile(), 10.0, policy())
    assert best == Schedule((), 0.0)


def test_a_session_that_drops_its_own_history_is_solved_as_well() -> None:
    calls = script(trace([400] * 6), profile()).calls
    bodies = [call.body for call in calls]
    bodies[4:] = [body.replace(calls[0].answer[0] + b",", b"") for body in bodies[4:]]
    exchanges = [Exchange(10.0 * n, "openai_chat", "/v1/chat/completions", Raw(body)) for n, body in enumerate(bodies)]
    stage, best, moments = solved(Recording("r", "m", tuple(exchanges)), profile(), 10.0, policy(1))
    assert len(stage.steps[4].received.messages) == len(stage.steps[3].received.messages) + 1
    assert best.usd == pytest.approx(brute_force(stage, policy(1), moments))


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
def test_where_reasoning_binds_what_stands_before_it_only_legal_masks_are_in_the_schedule(at: int) -> None:
    known = marked_profile(binds_reasoning="rejects")
    stage, best, moments = solved(thinking([500] * 7, at), known, 10.0, policy(1))
    assert moments and best.moments
    assert best.usd == pytest.approx(cost(stage, policy(1), best.moments))
    assert best.usd == pytest.approx(brute_force(stage, policy(1), moments), rel=1e-9)
    free = solved(thinking([500] * 7, at), marked_profile(), 10.0, policy(1))[1]
    assert free.usd < best.usd


def test_a_call_to_a_cold_cache_is_a_moment_although_nothing_became_maskable_there() -> None:
    session = trace([200, 5, 5, 5, 5, 5])
    calls = script(session, profile()).calls
    late = [dataclasses.replace(call, now=call.now + 1000 * (turn >= 4)) for turn, call in enumerate(calls)]
    made = dataclasses.replace(script(session, profile()), calls=tuple(late))
    stage = staged(made, profile(), count)
    every = asyncio.run(through(stage, always(switched(policy(1), on=True))))
    assert not every[4].applied
    best = optimum(stage, policy(1), every)
    assert best.moments == (4,)
    assert best.usd == pytest.approx(brute_force(stage, policy(1), range(len(calls))), rel=1e-9)

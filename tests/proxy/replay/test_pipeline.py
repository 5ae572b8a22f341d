"""A pass: real planning, real bytes, an independent bill."""

import asyncio

import pytest
from msgspec.structs import replace

from policies.core.edits import Placed
from policies.core.usage import Usage, input_cost, output_cost
from policies.policy import Policy
from proxy.replay.figures import Figures
from proxy.replay.gaps import Constant
from proxy.replay.pipeline import Stage, direct, through
from proxy.replay.session import staged
from proxy.replay.trace import Trace
from proxy.replay.wire import script

from .sessions import count, marked_profile, policy, profile, trace, untyped

SIZES = [600] * 14


def stage(session: Trace | None = None, *, marked: bool = False, gap: float = 10.0) -> Stage:
    known = marked_profile() if marked else profile()
    return staged(script(session or trace(SIZES), known, Constant(gap)), known, count)


def passed(made: Stage, masking: Policy) -> tuple[Figures, ...]:
    return asyncio.run(through(made, masking))


def always(keep_newest: int = 1) -> Policy:
    """Masks on every call."""
    return policy(keep_newest, when="always")


@pytest.mark.parametrize("marked", [False, True])
def test_with_the_policy_off_a_pass_is_direct(marked: bool) -> None:
    made = stage(marked=marked)
    assert passed(made, replace(policy(), mode="off")) == direct(made)


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_nothing_is_removed_unless_it_is_enforced(mode: str) -> None:
    found = passed(stage(), replace(always(), mode=mode))
    assert all(one.removed_tokens == 0 for one in found)


@pytest.mark.parametrize("marked", [False, True])
def test_masking_sends_less_and_stays_legal(marked: bool) -> None:
    found = passed(stage(marked=marked), always(2))
    assert found[-1].removed_tokens > 4000
    assert [one.violations for one in found] == [()] * len(found)


def test_an_observation_that_only_the_trace_knows_is_masked_too() -> None:
    found = passed(stage(untyped(SIZES)), always(2))
    assert found[-1].removed_tokens > 4000


def test_the_bill_is_the_offline_providers_not_the_plans() -> None:
    made = stage()
    for figures in passed(made, policy(2)):
        usage = Usage(figures.input_tokens, figures.read, figures.written, output=figures.output_tokens)
        assert figures.input_usd == input_cost(made.profile, usage)
        assert figures.output_usd == output_cost(made.profile, usage)


def test_a_cut_costs_the_cache_behind_it() -> None:
    found = passed(stage(), always(2))
    cut = next(turn for turn, one in enumerate(found) if one.removed_tokens)
    assert found[cut].read < found[cut - 1].read
    assert found[cut].read > 0


def test_a_pause_longer_than_the_cache_lives_reads_nothing() -> None:
    assert all(one.read == 0 for one in passed(stage(gap=400.0), policy()))


def test_two_passes_are_the_same() -> None:
    made = stage(marked=True)
    assert passed(made, policy(2)) == passed(made, policy(2))


def test_a_fault_of_the_pipeline_is_a_violation_and_the_original_is_sent() -> None:
    class Broken(type(policy().mask)):  # type: ignore[misc]
        def propose(self, *_: object, **__: object) -> tuple[Placed, ...]:
            raise ZeroDivisionError

    broken = replace(policy(), mask=Broken())
    found = passed(stage(trace([10])), broken)
    assert [one.violations for one in found] == [("degraded_prepare",)] * 2
    assert [one.removed_tokens for one in found] == [0, 0]

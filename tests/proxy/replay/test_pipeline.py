"""A pass: real planning, real bytes, an independent bill."""

import asyncio

import pytest
from msgspec.structs import replace

from policies.core.edits import Placed
from policies.core.usage import Usage, input_cost, output_cost
from policies.policy import Policy
from proxy.replay.gaps import Constant
from proxy.replay.pipeline import Passed, Stage, direct, through
from proxy.replay.session import always, staged, switched
from proxy.replay.trace import Trace
from proxy.replay.wire import script

from .sessions import count, marked_profile, policy, profile, trace, untyped

SIZES = [600] * 14


def stage(session: Trace | None = None, *, marked: bool = False, gap: float = 10.0) -> Stage:
    known = marked_profile() if marked else profile()
    return staged(script(session or trace(SIZES), known, Constant(gap)), known, count)


def passed(made: Stage, masking: Policy) -> list[Passed]:
    return asyncio.run(through(made, always(masking)))


@pytest.mark.parametrize("marked", [False, True])
def test_with_the_policy_off_a_pass_is_direct(marked: bool) -> None:
    made = stage(marked=marked)
    found = passed(made, replace(policy(), mode="off"))
    assert tuple(one.figures for one in found) == direct(made)


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_nothing_is_removed_unless_it_is_enforced(mode: str) -> None:
    found = passed(stage(), replace(switched(policy(), on=True), mode=mode))
    assert all(one.figures.removed_tokens == 0 for one in found)


@pytest.mark.parametrize("marked", [False, True])
def test_masking_sends_less_and_stays_legal(marked: bool) -> None:
    found = passed(stage(marked=marked), switched(policy(2), on=True))
    assert found[-1].figures.removed_tokens > 4000
    assert [one.figures.violations for one in found] == [()] * len(found)
    assert sum(len(one.applied) for one in found) == len(SIZES) - 2


def test_an_observation_that_only_the_trace_knows_is_masked_too() -> None:
    found = passed(stage(untyped(SIZES)), switched(policy(2), on=True))
    assert sum(len(one.applied) for one in found) == len(SIZES) - 2


def test_the_bill_is_the_offline_providers_not_the_plans() -> None:
    made = stage()
    for one in passed(made, policy(2)):
        figures = one.figures
        usage = Usage(figures.input_tokens, figures.read, figures.written, output=figures.output_tokens)
        assert figures.input_usd == input_cost(made.profile, usage)
        assert figures.output_usd == output_cost(made.profile, usage)


def test_a_cut_costs_the_cache_behind_it() -> None:
    found = passed(stage(), switched(policy(2), on=True))
    cut = next(turn for turn, one in enumerate(found) if one.applied)
    assert found[cut].figures.read < found[cut - 1].figures.read
    assert found[cut].figures.read > 0


def test_a_pause_longer_than_the_cache_lives_reads_nothing() -> None:
    assert all(one.figures.read == 0 for one in passed(stage(gap=400.0), policy()))


def test_two_passes_are_the_same() -> None:
    made = stage(marked=True)
    assert passed(made, policy(2)) == passed(made, policy(2))


def test_a_fault_of_the_pipeline_is_a_violation_and_the_original_is_sent() -> None:
    class Broken(type(policy().mask)):  # type: ignore[misc]
        def propose(self, *_: object, **__: object) -> tuple[Placed, ...]:
            raise ZeroDivisionError

    broken = replace(policy(), mask=Broken())
    found = passed(stage(trace([10])), broken)
    assert [one.figures.violations for one in found] == [("degraded_prepare",)] * 2
    assert [one.conversation for one in found] == [None, None]

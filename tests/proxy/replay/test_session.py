"""A session under every policy and baseline."""

import pytest
from msgspec.structs import replace

from proxy.replay.figures import Series
from proxy.replay.session import ALWAYS, DIRECT, OPTIMUM, Played, play
from proxy.replay.trace import Trace
from proxy.replay.wire import script

from .sessions import count, marked_profile, policy, profile, trace

KNOWN = {"prefix": profile(), "markers": marked_profile()}


def played(kind: str, sizes: list[int]) -> Played:
    other = replace(policy(5), name="other")
    return play(script(trace(sizes), KNOWN[kind]), KNOWN[kind], [policy(2), other], count)


def usd(series: Series) -> float:
    return sum(call.usd for call in series)


@pytest.mark.parametrize("kind", KNOWN)
def test_every_pass_has_every_call_and_the_same_output(kind: str) -> None:
    one = played(kind, [400] * 8)
    assert list(one.policies) == ["masking", "other"] and list(one.baselines) == [DIRECT, ALWAYS, OPTIMUM]
    passes = [*one.policies.values(), *one.baselines.values()]
    assert {len(series) for series in passes} == {9}
    assert len({tuple(call.output_tokens for call in series) for series in passes}) == 1
    assert one.baselines[DIRECT][-1].output_tokens > 0


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize("sizes", [[600] * 30, [100, 900] * 10, [50] * 12])
def test_the_optimum_is_the_cheapest_of_the_baselines(kind: str, sizes: list[int]) -> None:
    one = played(kind, sizes)
    assert usd(one.baselines[OPTIMUM]) <= min(usd(one.baselines[DIRECT]), usd(one.baselines[ALWAYS])) + 1e-12


@pytest.mark.parametrize("kind", KNOWN)
def test_no_rule_is_broken_on_any_pass(kind: str) -> None:
    one = played(kind, [300, 700, 20] * 7)
    passes = [*one.policies.values(), *one.baselines.values()]
    assert [call.violations for series in passes for call in series if call.violations] == []


def test_masking_takes_evidence_that_direct_keeps() -> None:
    session = trace([400] * 16)
    session.messages[3]["content"] += "\nthe key is in vault/secret_key.pem"
    session.messages[-1] = {**session.messages[-2], "role": "assistant", "content": None}
    session.messages[-1]["tool_calls"] = [
        {"id": "last", "type": "function", "function": {"name": "read", "arguments": '{"p": "vault/secret_key.pem"}'}}
    ]
    one = play(script(session, profile()), profile(), [policy(2)], count)
    direct, every = one.baselines[DIRECT][-1].score, one.baselines[ALWAYS][-1].score
    assert direct.at_risk == every.at_risk == direct.at_risk_retained == count("vault/secret_key.pem")
    assert every.at_risk_retained == 0


def test_a_session_without_calls_has_no_figures() -> None:
    one = play(script(Trace("t", []), profile()), profile(), [policy()], count)
    assert one.baselines == {DIRECT: (), ALWAYS: (), OPTIMUM: ()} and one.policies == {"masking": ()}


def test_the_baselines_are_the_same_whatever_the_policies_are() -> None:
    session = script(trace([600] * 14), profile())
    one, other = (play(session, profile(), [made], count) for made in (policy(5), replace(policy(1), mode="off")))
    assert one.baselines == other.baselines and one.moments == other.moments


def test_a_policy_that_only_watches_still_says_what_masking_would_give() -> None:
    watching = replace(policy(2), mode="off")
    one = play(script(trace([600] * 30), profile()), profile(), [watching], count)
    assert usd(one.policies["masking"]) == usd(one.baselines[DIRECT]) > usd(one.baselines[OPTIMUM])

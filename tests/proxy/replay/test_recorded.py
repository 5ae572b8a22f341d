"""The rules on recorded runs of real agents: what replay is for."""

from pathlib import Path

import pytest

from policies.policy import Policy
from proxy.config.policies import load_policy
from proxy.replay.figures import Series
from proxy.replay.run import replay, tasks
from proxy.replay.session import DIRECT, OPTIMUM, Played

FILES = {
    "isobench-trae-gpt-5": ("gpt-5.1", 18),
    "isobench-trae-sonnet-4.5": ("claude-sonnet-4-5", 12),
    "miniswe-gemini3pro": ("claude-sonnet-4-5", 12),
    "pi-sessions-claude": ("claude-sonnet-4-5", 1),
    "tau-bench-airline-gpt4o": ("gpt-4o", 15),
    "sweagent-demos": ("gpt-4o", 2),
}
"""The model whose rules price a file, and which sessions are taken: one of so many (bench/economics.py takes all)."""

TOTAL, WORST = 1.05, 1.02


def usd(series: Series) -> float:
    return sum(call.usd for call in series)


def sample(shared: Path, name: str, policy: Policy) -> list[Played]:
    model, every = FILES[name]
    work = tasks([shared / "traces" / f"{name}.jsonl.gz"], [policy], model)
    return replay(work[::every], 2, lambda done, total: None)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_the_default_policy_comes_near_the_optimum_harms_nobody_and_breaks_nothing(shared: Path, name: str) -> None:
    played = sample(shared, name, load_policy("default").policy)
    ours = [one.policies["default"] for one in played]
    direct = [one.baselines[DIRECT] for one in played]
    assert sum(map(usd, ours)) <= TOTAL * sum(usd(one.baselines[OPTIMUM]) for one in played)
    assert max(usd(a) / usd(b) for a, b in zip(ours, direct, strict=True) if b) <= WORST
    passes = [series for one in played for series in (*one.policies.values(), *one.baselines.values())]
    assert [call.violations for series in passes for call in series if call.violations] == []

"""Many sessions: found, checked, played in order."""

from pathlib import Path

import msgspec
import pytest

from policies.policy import Policy
from proxy.errors import ConfigError
from proxy.replay.gaps import Spread
from proxy.replay.run import FEW, Task, replay, tasks, told_apart
from proxy.replay.trace import Trace

from .sessions import policy, trace

POLICY = Policy(name="default")


def written(folder: Path, *sessions: Trace, name: str = "t.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"".join(msgspec.json.encode(session) + b"\n" for session in sessions))
    return path


def named(id: str, model: str = "gpt-5.1", sizes: int = 2) -> Trace:
    made = trace([30] * sizes, id=id)
    return Trace(made.id, made.messages, model, tools=made.tools)


def silent(done: int, total: int) -> None:
    """Nobody watches."""


def test_each_session_has_its_own_model_unless_one_is_given(tmp_path: Path) -> None:
    path = written(tmp_path, named("a"), named("b", "anthropic/claude-sonnet-4-5-20250929"))
    assert [task.profile.name for task in tasks([path], [POLICY])] == ["gpt-5.1", "claude-sonnet-4-5"]
    assert {task.profile.name for task in tasks([path], [POLICY], "llama.cpp")} == {"llama.cpp"}


def test_a_model_that_nobody_describes_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path, named("a", "replay"))
    with pytest.raises(ConfigError, match=r"t\.jsonl: session `a`: no profile describes the model `replay`; .*--model"):
        tasks([path], [POLICY])
    with pytest.raises(ConfigError, match="no profile describes the model `nonsense`"):
        tasks([path], [POLICY], "nonsense")


def test_two_policies_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two policies are called `default`"):
        tasks([written(tmp_path, named("a"))], [POLICY, POLICY])


def test_policies_of_one_name_are_called_as_they_were_asked_for() -> None:
    given = [("a.yaml", POLICY), ("b.yaml", POLICY), ("c.yaml", policy(2))]
    assert [one.name for one in told_apart(given)] == ["a.yaml", "b.yaml", "masking"]


def test_dollars_and_relative_units_are_never_added(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dollars and relative units cannot be added; choose one model with --model"):
        tasks([written(tmp_path, named("a"), named("b", "vllm/some-model"))], [POLICY])


def test_files_are_played_in_their_order(tmp_path: Path) -> None:
    files = [written(tmp_path, named("b"), named("a"), name="1"), written(tmp_path, named("c"), name="2")]
    seen: list[tuple[int, int]] = []
    played = replay(tasks(files, [POLICY]), 1, lambda done, total: seen.append((done, total)))
    assert [one.id for one in played] == ["b", "a", "c"]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_nothing_to_play_is_nothing() -> None:
    assert replay([], 4, silent) == []


@pytest.mark.slow
def test_processes_change_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, *(named(str(number), sizes=number) for number in range(FEW + 3)))
    work: list[Task] = tasks([path], [POLICY, policy(2)], "claude-sonnet-4-5", Spread(7.0, 900.0))
    assert replay(work, 2, silent) == replay(work, 1, silent)

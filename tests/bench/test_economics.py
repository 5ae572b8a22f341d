"""The table of what policies cost and keep: every file under every model, in one table or one document."""

import json
from pathlib import Path

import msgspec
import pytest

from bench.economics import MODELS, main, sampled
from policies.core.profile import find_profile
from proxy.profiles import load_profiles
from proxy.replay.run import tasks

from ..proxy.replay.sessions import policy, trace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, sizes in (("one", (3, 14)), ("other", (2,))):
        lines = (msgspec.json.encode(trace([900] * size, id=f"{name}-{size}")) for size in sizes)
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(lines))
    return tmp_path


def test_every_model_of_the_table_has_a_profile() -> None:
    assert all(find_profile(load_profiles(), model) for model in MODELS)


def test_the_document_has_each_file_under_each_model_with_its_dearest_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--model", "gpt-5.1", "--model", "vllm"]
    assert main([str(folder), *models, "--workers", "1", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [(one["file"], one["model"], one["unit"], one["sessions"]) for one in found] == [
        ("one", "gpt-5.1", "usd", 2),
        ("one", "vllm", "relative", 2),
        ("other", "gpt-5.1", "usd", 1),
        ("other", "vllm", "relative", 1),
    ]
    assert found[0]["dearest"]["default"]["id"] in ("one-3", "one-14")
    assert found[2]["dearest"]["default"]["cost_ratio"] == found[2]["policies"]["default"]["cost_ratio"]
    assert "6 of 6 sessions" in err


def test_the_table_has_a_line_for_each_policy_and_leaves_its_name_out_where_there_is_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(folder / "other.jsonl"), "--model", "gpt-5.1", "--workers", "1"]
    assert main(arguments) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["file", "model", "direct", "every"] and line.split()[:2] == ["other", "gpt-5.1"]
    assert main([*arguments, "--policy", "default", "--policy", "observe"]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["policy", "default", "observe"]


def test_an_engine_of_ones_own_is_priced_in_prefill_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder / "one.jsonl"), "--model", "vllm", "--workers", "1", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    for one in (*found["policies"].values(), *found["baselines"].values()):
        assert one["cost_usd"] == one["input_cost_usd"] > 0
    assert found["baselines"]["direct"]["cost_ratio"] == 1.0


def test_a_sample_is_spread_over_the_file(folder: Path) -> None:
    work = tasks([folder / "one.jsonl"], [policy()], "gpt-5.1") * 5
    assert sampled(work, None) is work and len(sampled(work, 99)) == 10
    assert sampled(work, 3) == [work[0], work[3], work[6]]


def test_nothing_to_play_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert "no recorded runs" in capsys.readouterr().err

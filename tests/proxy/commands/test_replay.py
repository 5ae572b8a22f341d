"""`holdfast replay`."""

import json
from pathlib import Path

import msgspec
import pytest

from proxy.cli import main

from ..replay.sessions import trace


@pytest.fixture
def recorded(tmp_path: Path) -> str:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(msgspec.json.encode(trace([900] * 14)) + b"\n")
    return str(path)


def test_the_table_compares_a_policy_with_the_baselines(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", recorded, "--model", "gpt-5.1"], {}) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["default", "direct", "mask_every_turn", "optimum"]
    assert err == ""


def test_json_is_one_document_with_each_policy(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--policy", "observe", "--policy", "aggressive", "--model", "gpt-5.1", "--format", "json"]
    assert main(["replay", recorded, *arguments], {}) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["policies"]) == ["observe", "aggressive"]
    assert found["policies"]["observe"]["cost_ratio"] == 1.0


def test_a_page_is_written_to_a_file(recorded: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "replay.html"
    assert main(["replay", recorded, "--model", "gpt-5.1", "--format", "html", "--output", str(page)], {}) == 0
    assert page.read_text("utf-8").startswith("<!doctype html>") and capsys.readouterr().out == ""


def test_progress_goes_to_standard_error(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", recorded, "--model", "gpt-5.1", "--progress"], {}) == 0
    assert capsys.readouterr().err == "1 of 1 sessions\n"


def test_the_gap_makes_the_cache_cold(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", recorded, "--model", "gpt-5.1", "--gap", "4000", "--format", "json"], {}) == 0
    assert json.loads(capsys.readouterr().out)["baselines"]["direct"]["hit_rate"] == 0.0


def test_a_bad_line_or_model_is_a_bad_usage(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", recorded], {}) == 2
    assert "no profile describes the model `made-up`" in capsys.readouterr().err
    Path(recorded).write_text("{}\n")
    assert main(["replay", recorded], {}) == 2
    assert f"{recorded}:1: not a trace or recording" in capsys.readouterr().err


def test_a_spread_of_gaps_makes_it_cold_now_and_then_and_always_alike(
    recorded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["replay", recorded, "--model", "claude-sonnet-4-5", "--gap", "p50=100s,p99=1h", "--format", "json"]
    texts = []
    for _ in range(2):
        assert main(arguments, {}) == 0
        texts.append(capsys.readouterr().out)
    steady = ["--gap", "100", "--format", "json"]
    assert main([*arguments[:4], *steady], {}) == 0
    spread, warm = (json.loads(text)["baselines"]["direct"]["hit_rate"] for text in (texts[0], capsys.readouterr().out))
    assert texts[0] == texts[1] and 0 < spread < warm


@pytest.mark.parametrize("arguments", [["--gap", "-1"], ["--gap", "soon"], ["--workers", "0"], ["--format", "xml"]])
def test_an_argument_that_makes_no_sense_is_refused(
    recorded: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replay", recorded, *arguments], {})
    assert caught.value.code == 2 and len(capsys.readouterr().err.splitlines()) == 1

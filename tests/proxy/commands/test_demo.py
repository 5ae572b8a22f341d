"""`holdfast demo`, end to end: what the README promises, on real input, over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from proxy.cli import main
from proxy.explain.words import WIDE
from proxy.tables import WIDTH

PROGRAM = [sys.executable, "-m", "proxy.cli", "demo"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    command = [*PROGRAM, "--format", "json", "--output", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    assert answer.stderr == ""
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.slow
def test_it_costs_fewer_dollars_through_holdfast_at_a_hit_rate_of_95_percent(document: dict[str, Any]) -> None:
    assert document["holdfast"]["cost_usd"] < document["direct"]["cost_usd"]
    assert document["holdfast"]["hit_rate"] >= 0.95


@pytest.mark.slow
def test_nothing_is_refused_lost_without_a_reason_or_answered_differently(document: dict[str, Any]) -> None:
    assert document["holdfast"]["refused"] == document["direct"]["refused"] == 0
    assert document["unexplained_breaks"] == document["direct_breaks"] == document["different_answers"] == 0
    assert document["breaks"] and all(found["cause"] == "policy_mask" for found in document["breaks"])


@pytest.mark.slow
def test_the_plot_exists_and_is_well_formed(document: dict[str, Any]) -> None:
    assert ElementTree.parse(document["plot"]).getroot().tag.endswith("svg")


@pytest.mark.slow
def test_each_rewrite_can_be_explained_with_its_price_and_payback(
    document: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = f"sqlite:///{folder / 'demo.db'}"
    for found in document["breaks"]:
        assert main(["explain", "--turn", str(found["turn"]), "--store", store, "--format", "json"], {}) == 0
        rewrites = json.loads(capsys.readouterr().out)["rewrites"]
        applied = [each for each in rewrites if each["step"]["verdict"] == "applied"]
        assert len(applied) == found["masked"]
        assert all(each["price"] > 0 and 0 < each["payback"] < 100 for each in applied)
    assert main(["explain", "--store", store], {}) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= WIDE


@pytest.mark.slow
def test_with_serve_it_says_where_it_runs_and_ends_with_everything_it_started(folder: Path) -> None:
    environ = {**os.environ, "COLUMNS": "80"}  # noqa: TID251  the child needs PATH and the like
    process = subprocess.Popen(
        [*PROGRAM, "--serve", "--output", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ,
    )  # fmt: skip
    assert process.stdout
    try:
        lines: list[str] = []
        while not (lines and lines[-1].startswith("  provider")):
            line = process.stdout.readline()
            assert line, process.communicate()
            lines.append(line.rstrip("\n"))
        assert max(len(line) for line in lines if str(folder) not in line) <= WIDTH
        metrics = next(found[1] for line in lines if (found := re.match(r"  metrics +(\S+)", line)))
        with urllib.request.urlopen(metrics, timeout=10) as answer:
            assert b"holdfast_input_tokens_total" in answer.read()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
        assert process.returncode == 0
        with pytest.raises(OSError):
            urllib.request.urlopen(metrics, timeout=10)
    finally:
        process.kill()
        process.communicate()

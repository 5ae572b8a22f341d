"""`holdfast policy`."""

import json
from pathlib import Path

import pytest
import yaml

from proxy.commands import policy
from proxy.commands.terminal import Terminal
from proxy.config.policies import PRESETS, load_policy, parse_policy
from proxy.config.schema import policy_schema
from tests.proxy.config.documents import POLICY

TABLE, JSON = Terminal(), Terminal(json=True)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(POLICY)
    Path("bad.yaml").write_text("name: bad\nmaks: {}\nholdout: 2\n")
    return tmp_path


def test_check_reports_every_problem_of_every_file(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.check(["bad.yaml", "good.yaml", "gone.yaml"], TABLE) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "bad.yaml:2: unknown key `maks`; did you mean `mask`?",
        "bad.yaml:3: `holdout` is `2`; allowed: a number from 0 to 1",
        "gone.yaml: cannot be read: no such file or directory",
    ]
    assert "good.yaml:7: `compact` is not in effect in this version" in captured.out.splitlines()
    assert captured.out.splitlines()[-1] == "good.yaml: policy `default` can be used"


def test_check_of_good_files_is_status_0(files: Path) -> None:
    assert policy.check(["good.yaml", *PRESETS], TABLE) == 0


def test_check_as_json_says_the_same(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.check(["bad.yaml", "good.yaml"], JSON) == 2
    bad, good = json.loads(capsys.readouterr().out)
    assert (bad["valid"], len(bad["errors"]), bad["notes"]) == (False, 2, [])
    assert (good["valid"], good["errors"], len(good["notes"])) == (True, [], 1)


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_effective_is_a_policy_file_again(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.show(name, True, TABLE) == 0
    text = capsys.readouterr().out
    assert parse_policy(text, "shown.yaml").policy == load_policy(name).policy


def test_what_is_effective_marks_what_has_no_effect(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.show("good.yaml", True, TABLE)
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines() if not line.startswith(" "))
    assert lines["compact"].endswith("  # not in effect in this version")
    assert all("#" not in line for key, line in lines.items() if key != "compact")


def test_show_prints_the_file_with_what_has_no_effect(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.show("good.yaml", False, TABLE)
    text = capsys.readouterr().out
    assert text.startswith(POLICY)
    assert "# good.yaml:7: `compact` is not in effect in this version" in text
    assert yaml.safe_load(text) == yaml.safe_load(POLICY)


@pytest.mark.parametrize("effective", [True, False])
def test_show_as_json(effective: bool, capsys: pytest.CaptureFixture[str]) -> None:
    policy.show("observe", effective, JSON)
    shown = json.loads(capsys.readouterr().out)
    assert shown["mode"] == "off"
    assert ("holdout" in shown) is effective


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.schema(TABLE) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(policy_schema()))

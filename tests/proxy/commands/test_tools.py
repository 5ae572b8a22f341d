"""`holdfast tools`."""

import json
from pathlib import Path

import msgspec
import pytest

from proxy.cli import main

from ..replay.sessions import trace

TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"{name} whatever is asked for, in full."}}
    for name in ("read_file", "book_flight")
]


@pytest.fixture
def recorded(tmp_path: Path) -> str:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(msgspec.json.encode(trace([90] * 4, tools=TOOLS)) + b"\n")
    return str(path)


def test_the_table_says_which_tools_were_used(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", recorded, "--model", "gpt-5.1"], {}) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "made-up: 2 tools, 1 session, 5 requests" and err == ""
    assert lines[2].split() == ["tool", "tokens", "head", "calls", "last", "cost", "remarks"]
    assert {line.split()[0]: line.split()[3:5] for line in lines[3:5]} == {
        "read_file": ["4", "4/5"],
        "book_flight": ["0", "-"],
    }


def test_json_is_one_document(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", recorded, recorded, "--model", "gpt-5.1", "--format", "json"], {}) == 0
    (found,) = json.loads(capsys.readouterr().out)["toolsets"]
    assert found["sessions"] == 2 and found["unused"]["tools"] == 1


def test_a_model_that_nobody_describes_has_no_prices(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", recorded], {}) == 0
    out = capsys.readouterr().out
    assert out.startswith("made-up, prices not known: ") and "$" not in out


def test_a_bad_line_file_or_model_is_a_bad_usage(recorded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", recorded, "--model", "made-up"], {}) == 2
    assert "no profile describes the model `made-up`" in capsys.readouterr().err
    assert main(["tools", "nowhere.jsonl"], {}) == 2
    assert "nowhere.jsonl: cannot be read" in capsys.readouterr().err
    Path(recorded).write_text("{}\n")
    assert main(["tools", recorded], {}) == 2
    assert f"{recorded}:1: not a trace or recording" in capsys.readouterr().err

"""`holdfast run`, end to end: real small agents, a real terminal, the strict simulated provider."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from proxy.simulator.brains import script
from proxy.simulator.records import Record
from proxy.tables import WIDTH
from tests.end_to_end.agents import KINDS, PROFILES, cost, counted, hit_rate, turns
from tests.end_to_end.running import ROOT, Stage, done, environment, raw_upstream, stage
from tests.proxy.commands.console import console

TURNS = 12
CANARY = "sk-canary-7f3a9d"

AGENT = """
import os, sys, httpx
from tests.end_to_end.agents import KINDS
kind, model = KINDS[sys.argv[1]]
base = os.environ[sys.argv[2]].removesuffix("/v1")
with httpx.Client(trust_env=False, timeout=20) as client:
    agent = kind(base, client, model)
    agent.headers = {name: value.replace("key-of-", "sk-canary-7f3a9d-") for name, value in agent.headers.items()}
    agent.run()
print("the agent's last word")
print("the agent's own error", file=sys.stderr)
sys.exit(3)
"""

ASKING = """
import os, sys, urllib.request
open_ = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
print(open_(os.environ[sys.argv[1]] + sys.argv[2], timeout=20).read().decode())
"""


@pytest.fixture(scope="module")
def staged() -> Iterator[Stage]:
    with stage() as opened:
        yield opened


def holdfast(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "proxy.cli", "run", *words],
        cwd=ROOT,
        env=environment(folder, environ or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def state(folder: Path) -> Path:
    return folder / ".local" / "state" / "holdfast"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "upstream", "variable"),
    [
        ("anthropic", "anthropic", "ANTHROPIC_BASE_URL"),
        ("chat", "openai", "OPENAI_API_BASE"),
        ("responses", "openai", "OPENAI_BASE_URL"),
        ("gemini", "gemini", "GOOGLE_GEMINI_BASE_URL"),
    ],
)
def test_the_summary_is_what_the_provider_says(
    kind: str, upstream: str, variable: str, staged: Stage, tmp_path: Path
) -> None:
    model = KINDS[kind][1]
    log = staged.simulate(script(turns(TURNS)), PROFILES, count=counted(model))
    words = [
        "--format",
        "json",
        "--output",
        str(tmp_path / "summary"),
        "--upstream",
        f"{upstream}={staged.urls[upstream]}",
    ]
    answer = holdfast(tmp_path, *words, "--", sys.executable, "-c", AGENT, kind, variable)
    assert (answer.returncode, answer.stdout) == (3, "the agent's last word\n"), answer.stderr
    assert answer.stderr == "the agent's own error\n"
    records = done(log, TURNS + 1)
    found = json.loads((tmp_path / "summary").read_text())["models"][model]
    assert (found["requests"], found["sessions"], found["failed"], found["unreported"]) == (TURNS + 1, 1, 0, 0)
    assert found["input_tokens"] == _total(records, "total")
    assert found["cache_read_tokens"] == _total(records, "read")
    assert found["hit_rate"] == pytest.approx(hit_rate(records))
    assert found["cost_usd"] == pytest.approx(cost(records))
    for file in state(tmp_path).iterdir():
        assert CANARY.encode() not in file.read_bytes(), file.name
    assert CANARY not in (tmp_path / "summary").read_text()
    assert (state(tmp_path) / "run.log").stat().st_mode & 0o777 == 0o600


def _total(records: Sequence[Record], part: str) -> int:
    return sum(getattr(record.usage.input, part) for record in records if record.usage)


@pytest.mark.slow
def test_on_a_terminal_the_summary_stands_last_and_stdout_is_the_agents(staged: Stage, tmp_path: Path) -> None:
    log = staged.simulate(script(turns(3)), PROFILES, count=counted("claude-sonnet-4-5"))
    (tmp_path / "agent.py").write_text(AGENT)
    run = f"{sys.executable} -m proxy.cli run --upstream anthropic={staged.urls['anthropic']}"
    with console(tmp_path, environment(tmp_path, {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"})) as terminal:
        terminal.type(f"{run} -- {sys.executable} agent.py anthropic ANTHROPIC_BASE_URL > out; echo sta''tus $?\n")
        shown = terminal.expect(r"(?s)the agent's own error\r\n(holdfast: 4 requests .*)status 3\r\n")[1]
    assert (tmp_path / "out").read_text() == "the agent's last word\n"
    assert max(map(len, shown.splitlines())) <= WIDTH and "\x1b" not in shown
    assert len(done(log, 4)) == 4


@pytest.mark.slow
def test_a_url_of_the_users_own_becomes_the_upstream_and_is_said_in_one_line(tmp_path: Path) -> None:
    with raw_upstream() as gateway:
        own = {
            "OPENAI_BASE_URL": f"{gateway.url}/gateway/v1",
            "https_proxy": "http://127.0.0.1:9",
            "OPENAI_API_KEY": CANARY,
        }
        command = (sys.executable, "-c", ASKING, "OPENAI_BASE_URL", "/models?x=1")
        answer = holdfast(tmp_path, "--store", "memory:", "--", *command, environ=own)
        targets = [arrived.target for arrived in gateway.arrived]
    assert answer.returncode == 0, answer.stderr
    assert targets == ["/gateway/v1/models?x=1"]
    first, *summary = answer.stderr.splitlines()
    assert first == f"holdfast: `OPENAI_BASE_URL` is yours: upstream `openai` is {gateway.url}/gateway"
    assert summary == [
        "holdfast: 1 request, none that asks a model for an answer",
        "log       ~/.local/state/holdfast/run.log",
    ]
    assert CANARY not in answer.stderr


@pytest.mark.slow
def test_with_an_agent_that_is_killed_or_asks_nothing_the_status_is_its_own(tmp_path: Path) -> None:
    answer = holdfast(tmp_path, "--", "sh", "-c", "kill -KILL $$")
    assert answer.returncode == 137
    assert answer.stderr.startswith("holdfast: no request came through\nDoes `sh` read one of these?\nset ")
    assert max(map(len, answer.stderr.splitlines())) <= WIDTH


@pytest.mark.slow
def test_a_summary_that_cannot_be_written_leaves_the_status_alone(tmp_path: Path) -> None:
    answer = holdfast(tmp_path, "--output", str(tmp_path), "--", "sh", "-c", "exit 5")
    assert answer.returncode == 5
    assert answer.stderr == "holdfast: the summary cannot be written: is a directory\n"
    (tmp_path / "closed").touch()
    with (tmp_path / "closed").open("rb") as closed:
        command = [sys.executable, "-m", "proxy.cli", "run", "--", "sh", "-c", "exit 6"]
        process = subprocess.run(
            command, cwd=ROOT, env=environment(tmp_path, {}), stderr=closed, timeout=60, check=False
        )
    assert process.returncode == 6


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ([], 2, "holdfast run: write the agent's command after `--`; see `holdfast run --help`"),
        (["--"], 2, "holdfast run: write the agent's command after `--`; see `holdfast run --help`"),
        (["claude", "-p", "x"], 2, "holdfast run: write the agent's command after `--`; see `holdfast run --help`"),
        (["--polcy", "x", "--", "sh"], 2, "holdfast: unrecognized arguments: --polcy"),
        (["--policy", "agressive", "--", "sh"], 2, "--policy: unknown policy `agressive`; did you mean `aggressive`?"),
        (["--", "no-such-agent-here"], 127, "holdfast: `no-such-agent-here` is not found"),
        (["--", "./README.md"], 126, "holdfast: `./README.md` cannot be executed"),
    ],
)
def test_bad_usage_is_one_line(words: list[str], status: int, line: str, tmp_path: Path) -> None:
    answer = holdfast(tmp_path, *words)
    assert answer.returncode == status
    assert answer.stderr.startswith(line) and answer.stderr.count("\n") == 1
    assert answer.stdout == ""


@pytest.mark.slow
def test_a_store_that_cannot_be_used_ends_it_before_the_agent_begins(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    answer = holdfast(tmp_path, "--store", f"sqlite:///{tmp_path}/state.db", "--", "sh", "-c", "echo begun")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("holdfast: ") and answer.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_log_that_cannot_be_written_or_has_grown_is_no_obstacle(tmp_path: Path) -> None:
    old = state(tmp_path) / "run.log"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x" * 5_000_001)
    assert holdfast(tmp_path, "--", "true").returncode == 0
    assert old.stat().st_size < 10_000 and (old.parent / "run.log.1").stat().st_size == 5_000_001
    old.unlink()
    old.mkdir()
    answer = holdfast(tmp_path, "--", "true")
    assert answer.returncode == 0
    assert "log       none: its folder cannot be written to" in answer.stderr

"""`holdfast run --intercept`: an agent without a base URL, told of proxy and authority by its variables alone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.simulator.brains import script
from tests.end_to_end.agents import PROFILES, counted, turns
from tests.end_to_end.running import ROOT, Stage, done, environment, stage
from tests.proxy.intercept.running import Trust

TURNS = 6
AGENT = """
import os, sys, httpx
from tests.end_to_end.agents import Chat
assert "OPENAI_BASE_URL" not in os.environ
del os.environ["NO_PROXY"], os.environ["no_proxy"]  # here the provider is on loopback
with httpx.Client(timeout=20) as client:
    Chat(sys.argv[1], client, "gpt-5.1").run()
sys.exit(4)
"""


@pytest.fixture
def staged(trust: Trust) -> Iterator[Stage]:
    with stage((trust.certificate, trust.key)) as running:
        yield running


@pytest.mark.slow
def test_an_agent_is_intercepted_and_its_summary_is_what_the_provider_says(
    trust: Trust, staged: Stage, tmp_path: Path
) -> None:
    log = staged.simulate(script(turns(TURNS)), PROFILES, count=counted("gpt-5.1"))
    url = staged.urls["openai"]
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "proxy.cli", "run", "--intercept", "--upstream", f"openai={url}"),
            *("--format", "json", "--output", str(tmp_path / "summary"), "--", sys.executable, "-c", AGENT, url),
        ],
        cwd=ROOT,
        env=environment(tmp_path, {"HOLDFAST_CA_FILE": str(trust.certificate)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (4, "", ""), answer.stderr
    records = done(log, TURNS + 1)
    found = json.loads((tmp_path / "summary").read_text())["models"]["gpt-5.1"]
    assert (found["requests"], found["sessions"], found["failed"]) == (TURNS + 1, 1, 0)
    assert found["input_tokens"] == sum(record.usage.input.total for record in records if record.usage)
    assert found["cache_read_tokens"] == sum(record.usage.input.read for record in records if record.usage)

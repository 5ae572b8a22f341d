"""Real clients under `holdfast run`: their own base URL becomes the upstream, and all that they ask passes through.

Each client is set up for the simulated provider as its user would set it up (a variable, its configuration file);
nothing tells it of Holdfast but `run`.
"""

import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.client import Client, Place, brain
from tests.clients.run import run
from tests.clients.table import CLIENTS
from tests.clients.task import EXPECTED, FINAL, lay_out, result
from tests.end_to_end.agents import PROFILES, counted
from tests.end_to_end.running import ROOT, stage

UNDER_TEST = ("claude-code", "codex", "codex-websocket", "gemini-cli", "opencode-openai")
"""One for each way in which a base URL is found and set."""
PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from proxy.cli import main; sys.exit(main())"

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]


@pytest.mark.parametrize("client", [client for client in CLIENTS if client.name in UNDER_TEST], ids=lambda c: c.name)
def test_a_client_works_under_run_and_its_summary_is_what_the_provider_says(client: Client, tmp_path: Path) -> None:
    if not client.needs.exists():
        pytest.skip(f"{client.name} is not installed (no {client.needs.name}): see `make clients`")
    summary = tmp_path / "summary"

    def command(place: Place) -> Sequence[str]:
        ours = (sys.executable, "-c", PROGRAM, "run", "--format", "json", "--output", str(summary), "--")
        return (*ours, *client.command(place))

    with stage() as staged:
        place = Place(staged.urls["openai"], tmp_path / "home", tmp_path / "work")  # the stage is the same on all
        lay_out(place.work)
        log = staged.simulate(brain(client, place), PROFILES, count=functools.cache(counted(client.model)))
        finished = run(replace(client, command=command), place)
        bills = [record.usage for record in log if record.usage]
    assert finished.status == 0, finished.errors[-1500:]
    assert FINAL in finished.output and result(place.work) == EXPECTED
    assert "is yours: upstream" in finished.errors
    models = json.loads(summary.read_text())["models"].values()
    assert sum(model["input_tokens"] for model in models) == sum(bill.input.total for bill in bills)
    assert sum(model["cache_read_tokens"] for model in models) == sum(bill.input.read for bill in bills)
    assert sum(model["requests"] - model["unreported"] for model in models) == len(bills)

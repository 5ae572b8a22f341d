"""What a client is to the harness, and the scripted model that keeps one busy.

A client under test is one `Client` value in a module of its own (`cli_*.py` from npm, `python_*.py` from pip),
listed in `table.py`. It says how the client is started against a base URL in a scratch home, and how this
client's model words each step of the task (`task.py`): tool names and argument shapes are the client's own.

To add one: write `words` (a step as the answer of the model, usually one tool call), `command`, `environ`, and
`prepare` where it needs configuration files. Then `pytest -m clients tests/clients -k NAME -s`. What to judge
is decided in `measure.py`, alike for all.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.simulator.brains import Answer, Brain, SeenRequest, ToolCall
from tests.clients.sidecalls import aside
from tests.clients.task import FINAL, STEPS, Step
from tests.end_to_end.agents import extends
from tests.end_to_end.running import ROOT

INSTALLED = ROOT / ".clients"
"""Where `make clients` puts the packages: `npm/node_modules`, and environments below `python`."""

KEY = "sk-fake-key-of-a-test"


@dataclass(frozen=True)
class Place:
    """One run of a client: where it finds its provider, its home and its workspace."""

    url: str
    """Without a path and without a slash at the end: the simulated provider, or Holdfast."""
    home: Path
    work: Path


def has_tools(body: Mapping[str, Any]) -> bool:
    """Whether a request belongs to the main loop: calls beside it (titles, summaries) bring no tools."""
    return bool(body.get("tools"))


def answered(seen: SeenRequest) -> int:
    """Steps that the request already carries."""
    return seen.assistant_messages


def nothing(place: Place) -> None:
    """No configuration file is needed."""


@dataclass(frozen=True)
class Client:
    name: str
    needs: Path
    """A file that is there when the client is installed."""
    version: Callable[[], str]
    model: str
    """The model that it asks for; its profile sets prices and cache rules."""
    words: Callable[[Step, Place], Answer]
    command: Callable[[Place], Sequence[str]]
    environ: Callable[[Place], Mapping[str, str]]
    """On top of a small environment of the harness (`run.py`)."""
    prepare: Callable[[Place], None] = nothing
    main: Callable[[Mapping[str, Any]], bool] = has_tools
    """Whether a request body belongs to the main loop."""
    turn: Callable[[SeenRequest], int] = answered
    """Which step is due."""
    aside: Callable[[SeenRequest], Answer] = aside
    """The answer to a request beside the main loop."""
    final: Answer = Answer(text=FINAL)
    """What the model says when all steps are done. `FINAL` must come out on standard output."""
    extends: Callable[[bytes, bytes], bool] = extends
    """Whether a request of the main loop extends the one before."""
    observations: bool = True
    """Its requests hold what its tools reported, not only the newest of it: there is something to mask."""
    patience: float = 100.0
    """Seconds that one run may take."""


def called(name: str, **arguments: Any) -> Answer:
    """The model's turn that calls one tool, after some reasoning and a sentence."""
    calls = (ToolCall(name, json.dumps(arguments)),)
    return Answer(text="The next step.", reasoning=f"What {name} finds will tell.", calls=calls)


def brain(client: Client, place: Place) -> Brain:
    """The scripted model: the step that is due follows from the request alone."""

    def play(seen: SeenRequest) -> Answer:
        if not client.main(seen.body):
            return client.aside(seen)
        turn = client.turn(seen)
        return client.words(STEPS[turn], place) if turn < len(STEPS) else client.final

    return play

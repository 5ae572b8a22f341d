"""aider. It has no tools: files come into the chat by a command of its user, and edits are blocks in the reply.

Each step of the task is one message on its standard input. It puts the files behind the history, so its
prompt is not append-only.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from proxy.simulator.brains import Answer, SeenRequest
from tests.clients.client import KEY, Client, Place
from tests.clients.pip import binary, version_of
from tests.clients.task import STEPS, TASK, Edit, Read, Shell, Step

ENVIRONMENT = "aider"
AIDER = binary(ENVIRONMENT, "aider")
MODEL = "gpt-4o"
NUMBER = re.compile(r"Step (\d+):")


def _lines() -> Iterator[str]:
    """What its user types: a file to add or a command to run, then the message."""
    for number, step in enumerate(STEPS):
        match step:
            case Read(name):
                yield f"/add {name}"
            case Shell(command):
                yield f"/run {command}"
        yield f"Step {number}: {TASK}"
    yield f"Step {len(STEPS)}: What came of it?"


def _prepare(place: Place) -> None:
    (place.home / "typed").write_text("".join(f"{line}\n" for line in _lines()))


def _command(place: Place) -> tuple[str, ...]:
    flags = ("--model", f"openai/{MODEL}", "--yes-always", "--no-stream", "--no-check-update", "--analytics-disable")
    quiet = ("--no-show-release-notes", "--no-show-model-warnings", "--no-pretty", "--no-fancy-input")
    return ("bash", "-c", 'exec "$@" < "$0"', str(place.home / "typed"), str(AIDER), *flags, *quiet)


def _words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return Answer(text=f"I have read {name.removesuffix('.py')}.")
        case Shell():
            return Answer(text="I have seen what it says.")
        case Edit(name, old, new):
            block = f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"
            return Answer(text=f"The next step.\n\n{name}\n```python\n{block}\n```")


def _turn(seen: SeenRequest) -> int:
    """The history keeps the words of the earlier steps."""
    return max(int(number) for number in NUMBER.findall(str(seen.body["messages"])))


def _main(body: Mapping[str, Any]) -> bool:
    """Messages for commits and summaries are left to a smaller model."""
    return bool(body["model"] == MODEL)


CLIENTS = (
    Client(
        name="aider",
        needs=AIDER,
        version=version_of(ENVIRONMENT, "aider-chat"),
        model=MODEL,
        words=_words,
        command=_command,
        environ=lambda place: {
            "OPENAI_API_BASE": f"{place.url}/v1",
            "OPENAI_API_KEY": KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHONHASHSEED": "0",  # it keeps its files in a set, whose order changes from run to run
        },
        prepare=_prepare,
        main=_main,
        turn=_turn,
        observations=False,
    ),
)

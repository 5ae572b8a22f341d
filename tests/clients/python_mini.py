"""mini-swe-agent, through LiteLLM. It has one tool, and is done when a command prints its marker."""

from collections.abc import Mapping
from shlex import quote

from msgspec.structs import replace

from proxy.simulator.brains import Answer
from tests.clients.client import KEY, Client, Place, called
from tests.clients.pip import binary, version_of
from tests.clients.task import FINAL, TASK, Edit, Read, Shell, Step

ENVIRONMENT = "mini"
MINI = binary(ENVIRONMENT, "mini")


def _words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return called("bash", command=f"cat {name}")
        case Shell(command):
            return called("bash", command=command)
        case Edit(name, old, new):
            return called("bash", command=f"sed -i {quote(f's/{old}/{new}/')} {name}")


def _environ(place: Place) -> Mapping[str, str]:
    return {
        "OPENAI_API_BASE": f"{place.url}/v1",
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_BASE": place.url,
        "ANTHROPIC_API_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "MSWEA_CONFIGURED": "true",
        "MSWEA_COST_TRACKING": "ignore_errors",
    }


def _client(name: str, model: str) -> Client:
    flags = ("-m", model, "-y", "--exit-immediately", "-t", TASK)
    return Client(
        name=name,
        needs=MINI,
        version=version_of(ENVIRONMENT, "mini-swe-agent"),
        model=model.rpartition("/")[2],
        words=_words,
        command=lambda place: (str(MINI), *flags, "-o", str(place.home / "trajectory.json")),
        environ=_environ,
        final=replace(called("bash", command="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"), text=FINAL),
    )


CLIENTS = (
    _client("mini-swe-agent, OpenAI", "openai/gpt-5.1"),
    _client("mini-swe-agent, Anthropic", "anthropic/claude-sonnet-4-5"),
)

"""Claude Code. The model's name decides its requests: newer ones think adaptively and take system messages midway.

Telemetry and updates are switched off by the variables that it documents; what else it asks its provider stays.
"""

from collections.abc import Callable

from msgspec.structs import replace

from proxy.simulator.brains import Answer
from tests.clients.client import KEY, Client, Place, called
from tests.clients.npm import binary, version_of
from tests.clients.task import STEPS, TASK, Edit, Read, Shell, Step

SEARCH = 13
"""By then there is enough to lose."""
QUIET = ("DISABLE_TELEMETRY", "DISABLE_AUTOUPDATER", "DISABLE_ERROR_REPORTING")


def _words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return called("Read", file_path=str(place.work / name))
        case Shell(command):
            return called("Bash", command=command, description="One step of the task")
        case Edit(name, old, new):
            return called("Edit", file_path=str(place.work / name), old_string=old, new_string=new)


def _searching(step: Step, place: Place) -> Answer:
    """With one file it also searches for a tool: from the next request on that is listed, with loading deferred."""
    if step != STEPS[SEARCH]:
        return _words(step, place)
    both = _words(step, place), called("ToolSearch", query="select:WebFetch", max_results=1)
    return replace(both[0], calls=tuple(call for answer in both for call in answer.calls))


def _client(name: str, model: str, words: Callable[[Step, Place], Answer]) -> Client:
    return Client(
        name=name,
        needs=binary("claude"),
        version=version_of("@anthropic-ai/claude-code"),
        model=model,
        words=words,
        command=lambda place: (str(binary("claude")), "-p", TASK, "--model", model, "--dangerously-skip-permissions"),
        environ=lambda place: {
            "ANTHROPIC_BASE_URL": place.url,
            "ANTHROPIC_API_KEY": KEY,
            "IS_SANDBOX": "1",  # else it refuses to skip permissions when run as root
            **dict.fromkeys(QUIET, "1"),
        },
    )


CLIENTS = (
    _client("claude-code", "claude-opus-4-8", _searching),
    _client("claude-code-sonnet", "claude-sonnet-4-5", _words),
)

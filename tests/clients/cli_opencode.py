"""opencode, with the provider packages for OpenAI-compatible servers and for Anthropic.

Its configuration lies in the home, so that the workspace holds nothing but the task's files.
"""

import json
from functools import partial

from proxy.simulator.brains import Answer
from tests.clients.client import KEY, Client, Place, called
from tests.clients.npm import binary, version_of
from tests.clients.task import TASK, Edit, Read, Shell, Step


def _words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return called("read", filePath=str(place.work / name))
        case Shell(command):
            return called("bash", command=command, description="One step of the task")
        case Edit(name, old, new):
            return called("edit", filePath=str(place.work / name), oldString=old, newString=new)


def _prepare(package: str, model: str, place: Place) -> None:
    folder = place.home / ".config" / "opencode"
    folder.mkdir(parents=True)
    provider = {
        "npm": package,
        "name": "Tested",
        "options": {"baseURL": f"{place.url}/v1", "apiKey": KEY},
        "models": {model: {"name": model, "limit": {"context": 128_000, "output": 8_000}}},
    }
    allowed = {"edit": "allow", "bash": "allow", "webfetch": "allow", "external_directory": "allow"}
    settings = {
        "model": f"tested/{model}",
        "small_model": f"tested/{model}",
        "autoupdate": False,
        "share": "disabled",
        "provider": {"tested": provider},
        "permission": allowed,
    }
    (folder / "opencode.json").write_text(json.dumps(settings))


def _client(name: str, package: str, model: str) -> Client:
    return Client(
        name=name,
        needs=binary("opencode"),
        version=version_of("opencode-ai"),
        model=model,
        words=_words,
        command=lambda place: (str(binary("opencode")), "run", TASK),
        environ=lambda place: {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
        prepare=partial(_prepare, package, model),
    )


CLIENTS = (
    _client("opencode-openai", "@ai-sdk/openai-compatible", "gpt-4o"),
    _client("opencode-anthropic", "@ai-sdk/anthropic", "claude-sonnet-4-5"),
)

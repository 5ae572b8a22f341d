"""Gemini CLI. Without the settings file it asks how to sign in."""

import json

from proxy.simulator.brains import Answer
from tests.clients.client import KEY, Client, Place, called
from tests.clients.npm import binary, version_of
from tests.clients.task import TASK, Edit, Read, Shell, Step

SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
}


def _words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return called("read_file", file_path=str(place.work / name))
        case Shell(command):
            return called("run_shell_command", command=command, description="One step of the task")
        case Edit(name, old, new):
            path = str(place.work / name)
            return called("replace", file_path=path, instruction="As asked", old_string=old, new_string=new)


def _prepare(place: Place) -> None:
    folder = place.home / ".gemini"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(SETTINGS))


def _client(name: str, model: str) -> Client:
    return Client(
        name=name,
        needs=binary("gemini"),
        version=version_of("@google/gemini-cli"),
        model=model,
        words=_words,
        command=lambda place: (str(binary("gemini")), "--yolo", "--skip-trust", "-m", model, "-p", TASK),
        environ=lambda place: {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": place.url},
        prepare=_prepare,
    )


CLIENTS = (_client("gemini-cli", "gemini-2.5-pro"), _client("gemini-cli-3", "gemini-3.1-pro-preview"))

"""Codex CLI over HTTP: a provider entry of one's own is spoken to without WebSocket."""

from proxy.simulator.brains import Answer
from tests.clients.client import KEY, Client, Place, called
from tests.clients.npm import binary, version_of
from tests.clients.task import TASK, Edit, Read, Shell, Step

CONFIG = """
model = "{model}"
model_provider = "tested"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.tested]
name = "tested"
base_url = "{url}/v1"
env_key = "TESTED_KEY"
wire_api = "responses"
"""


def _words(step: Step, place: Place) -> Answer:
    """It has no tools for files: all goes through the shell."""
    match step:
        case Read(name):
            return called("exec_command", cmd=f"cat {name}", max_output_tokens=20_000)
        case Shell(command):
            return called("exec_command", cmd=command)
        case Edit(name, old, new):
            return called("exec_command", cmd=f"sed -i 's/{old}/{new}/' {name}")


def _prepare(model: str, place: Place) -> None:
    folder = place.home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG.format(model=model, url=place.url))


def _client(name: str, model: str) -> Client:
    return Client(
        name=name,
        needs=binary("codex"),
        version=version_of("@openai/codex"),
        model=model,
        words=_words,
        command=lambda place: (
            *(str(binary("codex")), "exec", "--skip-git-repo-check"),
            *("--dangerously-bypass-approvals-and-sandbox", TASK),
        ),
        environ=lambda place: {"TESTED_KEY": KEY},
        prepare=lambda place: _prepare(model, place),
    )


CLIENTS = (_client("codex", "gpt-5.1-codex"),)

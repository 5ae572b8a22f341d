"""Codex CLI, over HTTP and over WebSocket: a provider entry of one's own is spoken to over HTTP, its own otherwise."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from proxy.simulator.brains import Answer
from tests.clients.client import KEY, Client, Place, called, has_tools
from tests.clients.npm import binary, version_of
from tests.clients.task import TASK, Edit, Read, Shell, Step

MODEL = "gpt-5.1-codex"
QUIET = """
check_for_update_on_startup = false
analytics.enabled = false
"""
HTTP = """
model_provider = "tested"

[model_providers.tested]
name = "tested"
base_url = "{url}/v1"
env_key = "TESTED_KEY"
wire_api = "responses"
"""
WEBSOCKET = """
openai_base_url = "{url}/v1"
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


def _generating(body: Mapping[str, Any]) -> bool:
    """Over WebSocket it first has the prompt read without an answer."""
    return has_tools(body) and body.get("generate") is not False


def _continues(before: bytes, after: bytes) -> bool:
    """Over WebSocket each message names the answer that it goes on from, and brings only what is new."""
    first, then = json.loads(before), json.loads(after)
    return bool(then.get("previous_response_id")) and first["tools"] == then["tools"]


def _prepare(config: str, place: Place) -> None:
    folder = place.home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(f'model = "{MODEL}"' + QUIET + config.format(url=place.url))


_HTTP = Client(
    name="codex",
    needs=binary("codex"),
    version=version_of("@openai/codex"),
    model=MODEL,
    words=_words,
    command=lambda place: (
        *(str(binary("codex")), "exec", "--skip-git-repo-check"),
        *("--dangerously-bypass-approvals-and-sandbox", TASK),
    ),
    environ=lambda place: {"TESTED_KEY": KEY, "OPENAI_API_KEY": KEY, "CODEX_API_KEY": KEY},
    prepare=partial(_prepare, HTTP),
)
_WEBSOCKET = replace(
    _HTTP,
    name="codex-websocket",
    prepare=partial(_prepare, WEBSOCKET),
    main=_generating,
    extends=_continues,
    observations=False,
)
CLIENTS = (_HTTP, _WEBSOCKET)

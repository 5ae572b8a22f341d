"""Vertex AI: an OAuth token, the model in the path; for Claude a version in the body and no model there."""

import re

from msgspec.structs import replace

from proxy.simulator.apis import Asked, Call, Desk
from proxy.simulator.gemini import GEMINI
from proxy.simulator.messages import MESSAGES
from proxy.simulator.nodes import Node, Unknown
from proxy.simulator.refusals import Refusal

_PATH = re.compile(r"/projects/(?P<project>[^/]+)/.*/models/(?P<model>[^/:]+):")
VERSION = "vertex-2023-10-16"
SDK_VERSION = "2026-10-21"
"""What the anthropic package sends from 2.12, to every cloud alike (its `_constants.py`)."""
COUNTING = "count-tokens"


def _opened(call: Call) -> tuple[str, str]:
    """The project, which is who has the cache whatever the token of the hour is, and the model."""
    if not call.headers.get("authorization", "").startswith("Bearer "):
        raise Refusal(401, "Request is missing required authentication credential. Expected OAuth 2 access token.")
    found = _PATH.search(call.path)
    assert found
    return found["project"], found["model"]


def as_messages(call: Call, body: Node, owner: str, model: str, version: str) -> tuple[Call, dict[str, object]]:
    """A cloud's envelope taken off a Messages request; what is left to check is Anthropic's."""
    fields = dict(body.keys())
    if fields.pop("anthropic_version", None) not in (version, SDK_VERSION):
        raise Refusal(400, f"anthropic_version: Input should be '{version}'")
    betas = fields.pop("anthropic_beta", None)
    if model != COUNTING:
        if "model" in fields:
            raise Unknown(("model",))
        fields["model"] = model
    headers = {**call.headers, "authorization": f"Bearer {owner}", "anthropic-version": "2023-06-01"}
    if isinstance(betas, list):
        headers["anthropic-beta"] = ",".join(map(str, betas))
    path = "/v1/messages/count_tokens" if model == COUNTING else "/v1/messages"
    return replace(call, path=path, headers=headers), fields


def _read_messages(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    inner, fields = as_messages(call, body, *_opened(call), VERSION)
    return MESSAGES.read(inner, Node(fields, body.path), desk, name)


def _read_contents(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    project, _ = _opened(call)
    return GEMINI.read(replace(call, headers={"authorization": f"Bearer {project}"}), body, desk, name)


VERTEX_MESSAGES = replace(MESSAGES, read=_read_messages)
VERTEX_GEMINI = replace(GEMINI, read=_read_contents)

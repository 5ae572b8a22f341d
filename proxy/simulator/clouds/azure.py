"""Azure OpenAI and Azure AI Foundry: a key of their own, a version in the query, a deployment in the path."""

import re

from msgspec.structs import replace

from proxy.simulator.apis import Api, Asked, Call, Desk
from proxy.simulator.chat import CHAT
from proxy.simulator.messages import MESSAGES
from proxy.simulator.nodes import Node
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses import RESPONSES

_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/")
_DENIED = "Access denied due to invalid subscription key or wrong API endpoint."


def _key(call: Call) -> str:
    key = call.headers.get("api-key") or call.headers.get("authorization", "").removeprefix("Bearer ")
    if not key:
        raise Refusal(401, _DENIED, code="401")
    return key


def _through(api: Api, path: str) -> Api:
    """An API of OpenAI's behind Azure's door."""

    def read(call: Call, body: Node, desk: Desk, name: str) -> Asked:
        headers = {**call.headers, "authorization": f"Bearer {_key(call)}"}
        if not call.path.startswith("/openai/v1/") and not call.query.get("api-version"):
            raise Refusal(404, "Resource not found", code="404")
        if deployment := _DEPLOYMENT.match(call.path):
            body = Node({**body.keys(), "model": deployment[1]}, body.path)
        return api.read(replace(call, path=path, headers=headers), body, desk, name)

    return replace(api, read=read)


def _read_messages(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    inner = replace(call, path=call.path.removeprefix("/anthropic"), headers={**call.headers, "x-api-key": _key(call)})
    return MESSAGES.read(inner, body, desk, name)


AZURE_CHAT = _through(CHAT, "/v1/chat/completions")
AZURE_RESPONSES = _through(RESPONSES, "/v1/responses")
FOUNDRY_MESSAGES = replace(MESSAGES, read=_read_messages)

"""Conversations held by the server: a request that continues one carries only what is new.

Source: `types/beta/beta_thread_{create,continue}_params.py` of the anthropic package (beta message-threads-2026-08-12).
"""

from collections.abc import Mapping
from typing import Any

from proxy.simulator.apis import Call, Memory, Told
from proxy.simulator.nodes import Node
from proxy.simulator.refusals import Refusal


def whole(body: Node, call: Call, memory: Memory) -> Node:
    """The request as if it carried the thread's history itself."""
    thread = body.get("thread")
    if thread is None:
        return body
    kind = thread.need("type").text()
    if kind == "create":
        thread.only(("type",))
        return body
    if kind != "continue":
        raise Refusal(400, "thread.type: Input should be 'create' or 'continue'")
    thread.only(("type", "previous_message_id"))
    name = thread.need("previous_message_id").text()
    held = memory.threads.get((call.credential, name))
    if held is None:
        raise Refusal(404, f"thread.previous_message_id: no thread continues from {name}")
    new = body.need("messages").items()
    messages = [*held["messages"], *(message.value for message in new)]
    return Node({**held, **body.keys(), "messages": messages}, body.path)


def hold(told: Told, content: list[dict[str, Any]], memory: Memory) -> None:
    """Keeps the conversation under the answer's id, if the request asked for a thread."""
    body: Mapping[str, Any] = told.asked.seen.body
    if body.get("thread") is not None:
        messages = [*body["messages"], {"role": "assistant", "content": content}]
        memory.threads[told.asked.credential, f"msg_{told.asked.name}"] = {**body, "messages": messages}

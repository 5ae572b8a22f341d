"""The messages of a trace as a provider takes them: OpenAI chat, or Anthropic's blocks.

Rules of this room: only fields of the wire survive; what a trace notes for itself (kind, reasoning
beside the content) is dropped. Nothing that was sent in one call looks different in a later one.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import msgspec

from proxy.replay.trace import Object, Trace

CHAT_FIELDS = ("role", "content", "tool_calls", "function_call", "tool_call_id", "name", "refusal")
EMPTY = "(empty)"
"""Stands where a provider takes no empty message."""


def chat_messages(trace: Trace) -> list[Object]:
    """The whole session as OpenAI chat messages."""
    if trace.format == "anthropic":
        return [wire for message in trace.messages for wire in _chat(message)]
    return [{key: message[key] for key in CHAT_FIELDS if key in message} for message in trace.messages]


def anthropic_messages(trace: Trace) -> tuple[list[Object], list[Object]]:
    """The system blocks, and the whole session as Anthropic messages."""
    opening = list(takewhile(lambda message: message["role"] in ("system", "developer"), trace.messages))
    system = [{"type": "text", "text": text} for message in opening for text in texts(message.get("content")) if text]
    wire: list[Object] = []
    for message in trace.messages[len(opening) :]:
        _append(wire, message)
    return system, wire


def anthropic_tools(tools: Sequence[Object]) -> list[Object]:
    """Tool definitions, from either format; a trace may have kept names only."""
    return [_tool(tool) for tool in tools]


def texts(content: Any) -> Iterator[str]:
    """Every text of a message's content."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (item["text"] for item in content if isinstance(item, dict) and isinstance(item.get("text"), str))


def _tool(tool: Object) -> Object:
    inner = tool.get("function", tool)
    schema = inner.get("input_schema") or inner.get("parameters") or {"type": "object"}
    described = {"description": inner["description"]} if inner.get("description") else {}
    return {"name": inner.get("name", ""), **described, "input_schema": schema}


def _append(wire: list[Object], message: Object) -> None:
    """Results go together, with what the user says behind them, as the answer to one message of calls."""
    role = "assistant" if message["role"] == "assistant" else "user"
    blocks = _blocks(message)
    last = wire[-1] if wire else None
    if role == "user" and last is not None and last["role"] == "user" and _is_result(last["content"][0]):
        last["content"].extend(blocks)
    else:
        wire.append({"role": role, "content": blocks})


def _is_result(block: Object) -> bool:
    return bool(block.get("type") == "tool_result")


def _blocks(message: Object) -> list[Object]:
    content = message.get("content")
    if message["role"] == "tool":
        return [{"type": "tool_result", "tool_use_id": message.get("tool_call_id", ""), "content": _plain(content)}]
    spoken = _content(content)
    calls = [_tool_use(call) for call in message.get("tool_calls") or ()]
    return [*spoken, *calls] or [{"type": "text", "text": EMPTY}]


def _content(content: Any) -> list[Object]:
    """Blocks as they are; plain text as one block. Blank text is refused by the provider."""
    if isinstance(content, list):
        return [dict(item) for item in content if item.get("type") != "text" or item["text"].strip()]
    return [{"type": "text", "text": content}] if isinstance(content, str) and content.strip() else []


def _tool_use(call: Object) -> Object:
    function = call.get("function", {})
    return {
        "type": "tool_use",
        "id": call.get("id", ""),
        "name": function.get("name", ""),
        "input": _arguments(function.get("arguments", "")),
    }


def _arguments(text: Any) -> Object:
    """What a model wrote as arguments need not be a JSON object."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError):
        value = None
    return value if isinstance(value, dict) else {"arguments": text}


def _chat(message: Object) -> Iterator[Object]:
    """One Anthropic message as chat messages; thinking is not sent back in this format."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    for block in blocks:
        if block.get("type") == "tool_result":
            yield {
                "role": "tool",
                "tool_call_id": block.get("tool_use_id", ""),
                "content": _plain(block.get("content")),
            }
    spoken = "\n".join(block["text"] for block in blocks if block.get("type") == "text")
    calls = [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]
    if spoken or calls or not blocks:
        yield {"role": message["role"], "content": spoken or None, **({"tool_calls": calls} if calls else {})}


def _tool_call(block: Object) -> Object:
    arguments = msgspec.json.encode(block.get("input", {})).decode()
    name = block.get("name", "")
    return {"id": block.get("id", ""), "type": "function", "function": {"name": name, "arguments": arguments}}


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(texts(content))

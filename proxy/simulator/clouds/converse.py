"""Converse in Anthropic's words and back: what it says is what Claude would have been asked.

Rules of this room: a part has exactly one known key; a cache point belongs to the part before it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proxy.simulator.nodes import Node, Unknown
from proxy.simulator.refusals import Refusal

REQUEST = (
    *("messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "guardrailConfig"),
    *("additionalModelResponseFieldPaths", "requestMetadata", "performanceConfig", "serviceTier", "outputConfig"),
)
CONFIG = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop_sequences"}
PARTS = ("text", "image", "toolUse", "toolResult", "reasoningContent", "cachePoint")
TOOLS = ("toolSpec", "cachePoint")
CHOICES = ("auto", "any", "tool")

Fields = dict[str, Any]


def as_request(body: Node) -> Fields:
    """The body of a Messages request."""
    body.only(REQUEST)
    fields: Fields = {"max_tokens": 4096}
    fields["messages"] = [_message(message) for message in body.need("messages").items()]
    if system := body.all("system"):
        fields["system"] = _listed(system, ("text", "cachePoint"))
    if (config := body.get("inferenceConfig")) is not None:
        config.only(CONFIG)
        fields |= {CONFIG[key]: value for key, value in config.keys().items()}
    if (tools := body.get("toolConfig")) is not None:
        fields |= _tools(tools)
    if (more := body.get("additionalModelRequestFields")) is not None:
        fields |= more.keys()
    return fields


def _message(message: Node) -> Fields:
    message.only(("role", "content"))
    return {"role": message.need("role").text(), "content": _listed(message.need("content").items(), PARTS)}


def _tools(config: Node) -> Fields:
    config.only(("tools", "toolChoice"))
    fields: Fields = {"tools": _listed(config.need("tools").items(), TOOLS)}
    if (choice := config.get("toolChoice")) is not None:
        kind, value = _only_key(choice, CHOICES)
        fields["tool_choice"] = {"type": kind, **value.keys()}
    return fields


def _listed(parts: tuple[Node, ...], allowed: tuple[str, ...]) -> list[Fields]:
    blocks: list[Fields] = []
    for part in parts:
        kind, value = _only_key(part, allowed)
        if kind != "cachePoint":
            blocks.append(_block(kind, value))
        elif not blocks:
            raise Refusal(400, "cachePoint cannot be the first part")
        else:
            value.need("type")
            ttl = {"ttl": value.word("ttl")} if value.get("ttl") is not None else {}
            blocks[-1]["cache_control"] = {"type": "ephemeral", **ttl}
    return blocks


def _only_key(part: Node, allowed: tuple[str, ...]) -> tuple[str, Node]:
    keys = [key for key, value in part.keys().items() if value is not None]
    if len(keys) != 1:
        raise Refusal(400, f"exactly one member is required at {'/'.join(map(str, part.path))}")
    if keys[0] not in allowed:
        raise Unknown((*part.path, keys[0]))
    return keys[0], part.need(keys[0])


def _block(kind: str, value: Node) -> Fields:
    match kind:
        case "text":
            return {"type": "text", "text": value.text()}
        case "toolUse":
            value.only(("toolUseId", "name", "input", "type"))
            called = {key: value.need(key).value for key in ("name", "input")}
            return {"type": "tool_use", "id": value.need("toolUseId").text(), **called}
        case "toolResult":
            return _result(value)
        case "toolSpec":
            return _spec(value)
        case "image":
            source = {"type": "base64", "media_type": f"image/{value.need('format').text()}"}
            return {"type": "image", "source": {**source, "data": value.need("source").need("bytes").text()}}
        case _:
            return _reasoning(value)


def _result(value: Node) -> Fields:
    value.only(("toolUseId", "content", "status", "type"))
    block: Fields = {"type": "tool_result", "tool_use_id": value.need("toolUseId").text()}
    block["content"] = [_answered(*_only_key(part, ("text", "json"))) for part in value.need("content").items()]
    return {**block, "is_error": True} if value.word("status") == "error" else block


def _answered(kind: str, value: Node) -> Fields:
    return {"type": "text", "text": value.text() if kind == "text" else json.dumps(value.value)}


def _spec(value: Node) -> Fields:
    value.only(("name", "description", "inputSchema", "strict"))
    spec: Fields = {"name": value.need("name").text(), "input_schema": value.need("inputSchema").need("json").value}
    return {**spec, "description": value.word("description")} if value.get("description") is not None else spec


def _reasoning(value: Node) -> Fields:
    told = value.get("reasoningText")
    if told is None:
        return {"type": "redacted_thinking", "data": value.need("redactedContent").text()}
    return {"type": "thinking", "thinking": told.need("text").text(), "signature": told.word("signature")}


def as_answer(message: Mapping[str, Any]) -> Fields:
    """What Converse makes of Claude's message."""
    usage = message["usage"]
    read, write = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    given, made = usage["input_tokens"], usage["output_tokens"]
    lives = {"1h": "ephemeral_1h_input_tokens", "5m": "ephemeral_5m_input_tokens"}
    details = [{"ttl": ttl, "inputTokens": usage["cache_creation"][name]} for ttl, name in lives.items()]
    return {
        "output": {"message": {"role": "assistant", "content": [_part(block) for block in message["content"]]}},
        "stopReason": message["stop_reason"],
        "usage": {
            "inputTokens": given,
            "outputTokens": made,
            "totalTokens": given + read + write + made,
            "cacheReadInputTokens": read,
            "cacheWriteInputTokens": write,
            "cacheDetails": [one for one in details if one["inputTokens"]],
        },
        "metrics": {"latencyMs": 1},
    }


def _part(block: Mapping[str, Any]) -> Fields:
    match block["type"]:
        case "text":
            return {"text": block["text"]}
        case "tool_use":
            return {"toolUse": {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}}
        case _:
            text = {"text": block["thinking"], "signature": block["signature"]}
            return {"reasoningContent": {"reasoningText": text}}


def as_events(answer: Mapping[str, Any]) -> Iterator[tuple[str, Fields]]:
    """The same answer as a stream, each event with its type."""
    yield "messageStart", {"role": "assistant"}
    for index, part in enumerate(answer["output"]["message"]["content"]):
        ((kind, value),) = part.items()
        if kind == "toolUse":
            start = {"toolUse": {"toolUseId": value["toolUseId"], "name": value["name"]}}
            yield "contentBlockStart", {"contentBlockIndex": index, "start": start}
        for delta in _deltas(kind, value):
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}
        yield "contentBlockStop", {"contentBlockIndex": index}
    yield "messageStop", {"stopReason": answer["stopReason"]}
    yield "metadata", {"usage": answer["usage"], "metrics": answer["metrics"]}


def _deltas(kind: str, value: Any) -> tuple[Fields, ...]:
    match kind:
        case "text":
            return ({"text": value},)
        case "toolUse":
            return ({"toolUse": {"input": json.dumps(value["input"])}},)
        case _:
            told = value["reasoningText"]
            return tuple({"reasoningContent": {key: told[key]}} for key in ("text", "signature"))

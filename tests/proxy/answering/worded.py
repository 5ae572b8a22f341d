"""Answers of a provider as each dialect words them, short enough to be read."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["thought", "text", "call"]


class Part(NamedTuple):
    """`text`: what is thought or said, or the arguments of the call of `tool`."""

    kind: Kind
    text: str
    tool: str = ""


class Said(NamedTuple):
    name: str
    parts: tuple[Part, ...]
    stop: Literal["end", "calls", "length"] = "end"


def thought(text: str) -> Part:
    return Part("thought", text)


def spoken(text: str) -> Part:
    return Part("text", text)


def calling(tool: str, arguments: str = '{"id": "hf-a"}') -> Part:
    return Part("call", arguments, tool)


def worded(dialect: str, said: Said, streamed: bool) -> bytes:
    """Each answer has 100 tokens of input, 60 of them from the cache, and 10 of output."""
    if not streamed:
        return json.dumps(WHOLE[dialect](said)).encode()
    return b"".join(_sse(event) for event in STREAMS[dialect](said))


def _sse(event: Any) -> bytes:
    if event == "[DONE]":
        return b"data: [DONE]\n\n"
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


# Anthropic Messages

_USAGE = {"input_tokens": 40, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 0, "output_tokens": 10}
_HOLLOW: dict[Kind, dict[str, Any]] = {
    "thought": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "call": {"input": {}},
}
_STOPS = {"end": "end_turn", "calls": "tool_use", "length": "max_tokens"}


def _block(said: Said, place: int) -> dict[str, Any]:
    part = said.parts[place]
    match part.kind:
        case "thought":
            return {"type": "thinking", "thinking": part.text, "signature": f"sealed {part.text}"}
        case "text":
            return {"type": "text", "text": part.text}
        case "call":
            name = f"toolu_{said.name}{place}"
            return {"type": "tool_use", "id": name, "name": part.tool, "input": json.loads(part.text)}


def _message(said: Said) -> dict[str, Any]:
    content = [_block(said, place) for place in range(len(said.parts))]
    fields = {"id": f"msg_{said.name}", "type": "message", "role": "assistant", "model": "m", "content": content}
    return {**fields, "stop_reason": _STOPS[said.stop], "stop_sequence": None, "usage": _USAGE}


def _message_events(said: Said) -> Iterator[Any]:
    empty = {**_message(said), "content": [], "stop_reason": None, "usage": {**_USAGE, "output_tokens": 1}}
    yield {"type": "message_start", "message": empty}
    yield {"type": "ping"}
    for index, part in enumerate(said.parts):
        block = _block(said, index)
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **_HOLLOW[part.kind]}}
        for half in _halves(part.text):
            yield {"type": "content_block_delta", "index": index, "delta": _delta(part, half)}
        if part.kind == "thought":
            delta = {"type": "signature_delta", "signature": block["signature"]}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": _STOPS[said.stop], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 10}}
    yield {"type": "message_stop"}


def _delta(part: Part, half: str) -> dict[str, str]:
    match part.kind:
        case "thought":
            return {"type": "thinking_delta", "thinking": half}
        case "text":
            return {"type": "text_delta", "text": half}
        case "call":
            return {"type": "input_json_delta", "partial_json": half}


# Chat Completions

_FINISHES = {"end": "stop", "calls": "tool_calls", "length": "length"}
_CHAT_USAGE = {
    "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "prompt_tokens_details": {"cached_tokens": 60}
}  # fmt: skip


def _of(said: Said, kind: Kind) -> Sequence[tuple[int, Part]]:
    return list(enumerate(part for part in said.parts if part.kind == kind))


def _completion(said: Said) -> dict[str, Any]:
    calls = [_tool_call(said, place, part, part.text) for place, part in _of(said, "call")]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(part.text for _, part in _of(said, "text")) or None,
    }
    message |= {"reasoning_content": "".join(part.text for _, part in _of(said, "thought"))}
    message |= {"tool_calls": calls} if calls else {}
    choice = {"index": 0, "message": message, "finish_reason": _FINISHES[said.stop]}
    return {**_envelope(said, "chat.completion"), "choices": [choice], "usage": _CHAT_USAGE}


def _envelope(said: Said, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{said.name}", "object": kind, "created": len(said.name), "model": "m"}


def _tool_call(said: Said, place: int, part: Part, arguments: str) -> dict[str, Any]:
    function = {"name": part.tool, "arguments": arguments}
    return {"id": f"call_{said.name}{place}", "type": "function", "function": function}


def _chunks(said: Said) -> Iterator[Any]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": half} for _, part in _of(said, "thought") for half in _halves(part.text)]
    deltas += [{"content": half} for _, part in _of(said, "text") for half in _halves(part.text)]
    for place, part in _of(said, "call"):
        deltas.append({"tool_calls": [{"index": place, **_tool_call(said, place, part, "")}]})
        for half in _halves(part.text):
            deltas.append({"tool_calls": [{"index": place, "function": {"arguments": half}}]})
    for delta in deltas:
        yield _chunk(said, [{"index": 0, "delta": delta, "finish_reason": None}])
    yield _chunk(said, [{"index": 0, "delta": {}, "finish_reason": _FINISHES[said.stop]}])
    yield {**_chunk(said, []), "usage": _CHAT_USAGE}
    yield "[DONE]"


def _chunk(said: Said, choices: list[Any]) -> dict[str, Any]:
    return {**_envelope(said, "chat.completion.chunk"), "choices": choices}


# Responses

_INPUT_USAGE = {
    "input_tokens": 100, "output_tokens": 10, "total_tokens": 110, "input_tokens_details": {"cached_tokens": 60},
    "output_tokens_details": {"reasoning_tokens": 1},
}  # fmt: skip

_EMPTY: dict[Kind, dict[str, Any]] = {"thought": {}, "text": {"content": []}, "call": {"arguments": ""}}


def _item(said: Said, place: int) -> dict[str, Any]:
    part, name = said.parts[place], f"{said.name}{place}"
    match part.kind:
        case "thought":
            return {"id": f"rs_{name}", "type": "reasoning", "summary": [], "encrypted_content": f"sealed {part.text}"}
        case "text":
            content = [{"type": "output_text", "text": part.text, "annotations": []}]
            head = {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed"}
            return {**head, "content": content}
        case "call":
            head = {"id": f"fc_{name}", "type": "function_call", "status": "completed"}
            return {**head, "call_id": f"call_{name}", "name": part.tool, "arguments": part.text}


def _response(said: Said) -> dict[str, Any]:
    output = [_item(said, place) for place in range(len(said.parts))]
    status = "incomplete" if said.stop == "length" else "completed"
    fields = {"id": f"resp_{said.name}", "object": "response", "created_at": len(said.name), "model": "m"}
    more = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return {**fields, **more, "status": status, "output": output, "usage": _INPUT_USAGE}


def _response_events(said: Said) -> Iterator[Any]:
    for number, event in enumerate(_unnumbered(said)):
        yield {**event, "sequence_number": number}


def _unnumbered(said: Said) -> Iterator[dict[str, Any]]:
    begun = {**_response(said), "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, part in enumerate(said.parts):
        item = _item(said, index)
        at = {"item_id": item["id"], "output_index": index}
        yield {"type": "response.output_item.added", "output_index": index, "item": {**item, **_EMPTY[part.kind]}}
        if part.kind == "text":
            yield from _text_events({**at, "content_index": 0}, part.text)
        if part.kind == "call":
            for half in _halves(part.text):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": half}
            done = {"name": part.tool, "arguments": part.text}
            yield {"type": "response.function_call_arguments.done", **at, **done}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    last = _response(said)
    yield {"type": f"response.{last['status']}", "response": last}


def _text_events(at: dict[str, Any], text: str) -> Iterator[dict[str, Any]]:
    part = {"type": "output_text", "text": "", "annotations": []}
    yield {"type": "response.content_part.added", **at, "part": part}
    for half in _halves(text):
        yield {"type": "response.output_text.delta", **at, "delta": half, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": {**part, "text": text}}


WHOLE = {"anthropic_messages": _message, "openai_chat": _completion, "openai_responses": _response}
STREAMS = {"anthropic_messages": _message_events, "openai_chat": _chunks, "openai_responses": _response_events}

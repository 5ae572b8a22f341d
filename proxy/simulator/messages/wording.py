"""How Anthropic words an answer: one message, or its events. Source: the response types of the anthropic package.

Usage excludes what was read from or written to the cache (T11); in a stream it stands in `message_start`, and
`message_delta` repeats it with the output.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proxy.simulator.apis import Asked, Desk, Told, in_parts, sse
from proxy.simulator.bills import Bill
from proxy.simulator.brains import Answer
from proxy.simulator.diagnoses import anthropic_diagnosis
from proxy.simulator.messages.threads import hold
from proxy.simulator.prompt import Count, Piece
from proxy.simulator.seals import Seal

STOPS = {"end": "end_turn", "length": "max_tokens", "refusal": "refusal"}


def said(answer: Answer, count: Count) -> tuple[Piece, ...]:
    text = (Piece("messages", "assistant", "text", "", answer.text, count(answer.text)),) if answer.text else ()
    calls = tuple(
        Piece("messages", "assistant", "call", call.id, row := call.name + call.arguments, count(row))
        for call in answer.calls
    )
    return text + calls


def reply(told: Told, desk: Desk) -> Mapping[str, Any]:
    content = list(_blocks(told, desk))
    hold(told, content, desk.memory)
    return {
        **_envelope(told),
        "content": content,
        "stop_reason": _stop(told),
        "usage": _usage(told.bill),
        **_reports(told.asked),
        **_edits(told.asked),
        **anthropic_diagnosis(told.asked, desk.memory),
    }


def _envelope(told: Told) -> dict[str, Any]:
    return {
        "id": f"msg_{told.asked.name}",
        "type": "message",
        "role": "assistant",
        "model": told.asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _reports(asked: Asked) -> dict[str, Any]:
    return {"input_transformations": list(asked.reports)} if asked.options["reports"] else {}


def _edits(asked: Asked) -> dict[str, Any]:
    edits = asked.options.get("edits")
    return {} if edits is None else {"context_management": {"applied_edits": edits}}


def _stop(told: Told) -> str:
    if told.asked.options["prewarm"]:
        return "max_tokens"
    return "tool_use" if told.answer.calls else STOPS[told.answer.stop]


def _usage(bill: Bill) -> dict[str, Any]:
    return {
        "input_tokens": bill.uncached,
        "cache_creation_input_tokens": bill.input.write + bill.input.write_long,
        "cache_read_input_tokens": bill.input.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": bill.input.write,
            "ephemeral_1h_input_tokens": bill.input.write_long,
        },
        "output_tokens": bill.output,
        "service_tier": "standard",
    }


def _blocks(told: Told, desk: Desk) -> Iterator[dict[str, Any]]:
    options, answer = told.asked.options, told.answer
    if options["prewarm"]:
        return
    if answer.reasoning and options["thinks"]:
        seen = "" if options["omitted"] else answer.reasoning
        seal = Seal(model=told.asked.model, bound=options["bound"], before=options["before"])
        yield {"type": "thinking", "thinking": seen, "signature": desk.seals.close(seal, seen)}
    if answer.text:
        yield {"type": "text", "text": answer.text}
    for call in answer.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}


def _event(kind: str, **fields: Any) -> bytes:
    return sse(json.dumps({"type": kind, **fields}), kind)


def stream(told: Told, desk: Desk) -> Iterator[bytes]:
    start = {**_envelope(told), "usage": {**_usage(told.bill), "output_tokens": 1}, **_reports(told.asked)}
    yield _event("message_start", message={**start, **anthropic_diagnosis(told.asked, desk.memory)})
    yield _event("ping")
    blocks = list(_blocks(told, desk))
    hold(told, blocks, desk.memory)
    for index, block in enumerate(blocks):
        empty, deltas = _opened(block)
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event("message_delta", delta={"stop_reason": _stop(told), "stop_sequence": None}, usage=_usage(told.bill))
    yield _event("message_stop")


def _opened(block: dict[str, Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """The empty block that opens it, and the deltas that fill it."""
    match block["type"]:
        case "thinking":
            texts = tuple({"type": "thinking_delta", "thinking": part} for part in in_parts(block["thinking"]))
            sign = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, (*texts, sign)
        case "tool_use":
            parts = ("", *in_parts(json.dumps(block["input"]) if block["input"] else ""))
            deltas = tuple({"type": "input_json_delta", "partial_json": part} for part in parts)
            return {**block, "input": {}}, deltas
        case _:
            texts = tuple({"type": "text_delta", "text": part} for part in in_parts(block["text"]))
            return {**block, "text": ""}, texts


def counted(asked: Asked) -> Mapping[str, Any]:
    original = asked.options.get("original")
    edited = {} if original is None else {"context_management": {"original_input_tokens": original}}
    return {"input_tokens": asked.prompt.total, **edited}

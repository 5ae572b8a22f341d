"""How Gemini words an answer: one response, server-sent events, or a JSON array that grows.

Source: the response types of the google-genai package and recorded answers. `promptTokenCount` includes what was read
from the cache; thoughts are counted beside the candidates.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from policies.core.profile import Profile
from proxy.simulator.apis import Asked, Desk, Told, in_parts
from proxy.simulator.bills import Bill
from proxy.simulator.brains import Answer
from proxy.simulator.gemini.turns import signature, wants_signatures
from proxy.simulator.nodes import BadShape, Unknown, bracketed
from proxy.simulator.prompt import Count, Piece
from proxy.simulator.refusals import Refusal

STOPS = {"end": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}
STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
UNREADABLE = "Invalid JSON payload received. Unable to parse the request body."


def said(answer: Answer, count: Count) -> tuple[Piece, ...]:
    text = (Piece("messages", "model", "text", "", answer.text, count(answer.text)),) if answer.text else ()
    calls = tuple(
        Piece("messages", "model", "call", call.name + call.id, call.arguments, count(call.arguments))
        for call in answer.calls
    )
    return text + calls


def reply(told: Told, desk: Desk) -> Mapping[str, Any]:
    return _response(told, [part for part in _parts(told, desk)], last=True)


def _response(told: Told, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = STOPS[told.answer.stop]
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(told.bill, last=last),
        "modelVersion": told.asked.model,
        "responseId": told.asked.name,
    }


def _usage(bill: Bill, *, last: bool) -> dict[str, Any]:
    total = bill.input.total
    row: dict[str, Any] = {"promptTokenCount": total, "totalTokenCount": total}
    if bill.input.read:
        row["cachedContentTokenCount"] = bill.input.read
        row["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": bill.input.read}]
    row["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": total}]
    if last:
        row |= {"candidatesTokenCount": bill.output - bill.reasoning, "totalTokenCount": total + bill.output}
    if last and bill.reasoning:
        row["thoughtsTokenCount"] = bill.reasoning
    return row


def _parts(told: Told, desk: Desk) -> Iterator[dict[str, Any]]:
    """The first call carries the signature (T5); without a call, the last text of an answer that was thought about."""
    answer, model = told.answer, told.asked.model
    if answer.reasoning and told.asked.options["thoughts"]:
        yield {"text": answer.reasoning, "thought": True}
    sealed = {"thoughtSignature": signature(model, desk.seals)} if answer.reasoning or wants_signatures(model) else {}
    if answer.text:
        yield {"text": answer.text, **({} if answer.calls else sealed)}
    for place, call in enumerate(answer.calls):
        function = {"name": call.name, "args": json.loads(call.arguments), "id": call.id}
        yield {"functionCall": function, **({} if place else sealed)}


def _chunks(told: Told, desk: Desk) -> Iterator[str]:
    rows = [row for part in _parts(told, desk) for row in _split(part)] or [{"text": ""}]
    for place, row in enumerate(rows):
        yield json.dumps(_response(told, [row], last=place == len(rows) - 1))


def _split(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A text comes in pieces; what it carries beside comes with the last."""
    pieces = in_parts(part.get("text", ""))
    if not pieces:
        yield part
        return
    kept = {"thought": True} if part.get("thought") else {}
    for piece in pieces[:-1]:
        yield {"text": piece, **kept}
    yield {**part, "text": pieces[-1]}


def stream(told: Told, desk: Desk) -> Iterator[bytes]:
    if told.asked.options["sse"]:
        for chunk in _chunks(told, desk):
            yield f"data: {chunk}\r\n\r\n".encode()
        return
    for place, chunk in enumerate(_chunks(told, desk)):
        yield (f",\r\n{chunk}" if place else f"[{chunk}").encode()
    yield b"]"


def stream_type(asked: Asked) -> str:
    return "text/event-stream" if asked.options["sse"] else "application/json; charset=UTF-8"


def counted(asked: Asked) -> Mapping[str, Any]:
    total = asked.prompt.total
    return {"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]}


def too_long(tokens: int, profile: Profile) -> Refusal:
    limit = profile.context_limit
    return Refusal(400, f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit}).")


def refusal(fault: BadShape | Unknown) -> Refusal:
    if isinstance(fault, Unknown):
        parent, key = bracketed(fault.path[:-1]), fault.path[-1]
        where = f" at '{parent}'" if parent else ""
        return Refusal(400, f'Invalid JSON payload received. Unknown name "{key}"{where}: Cannot find field.')
    path = bracketed(fault.path)
    if not fault.path:
        return Refusal(400, UNREADABLE)
    if not fault.got:
        return Refusal(400, f"* GenerateContentRequest.{path}: required field is not specified\n")
    return Refusal(400, f"Invalid value at '{path}': expected {fault.expected}, got {fault.got}")


def error(fault: Refusal, _: str) -> tuple[int, Mapping[str, Any]]:
    status = fault.kind or STATUSES.get(fault.status, "INVALID_ARGUMENT" if fault.status < 500 else "INTERNAL")
    return fault.status, {"error": {"code": fault.status, "message": fault.message, "status": status}}

"""A Responses answer as its events, numbered. Source: `types/responses/response_*_event.py` of the openai package."""

import json
from collections.abc import Iterator
from typing import Any

from proxy.simulator.apis import Desk, Told, in_parts, sse
from proxy.simulator.responses.wording import begun, finished, output, remember

Event = tuple[str, dict[str, Any]]


def stream(told: Told, desk: Desk) -> Iterator[bytes]:
    for number, (kind, fields) in enumerate(events(told, desk)):
        yield sse(json.dumps({"type": kind, **fields, "sequence_number": number}), kind)


def events(told: Told, desk: Desk) -> Iterator[Event]:
    items = output(told, desk)
    yield "response.created", {"response": begun(told)}
    yield "response.in_progress", {"response": begun(told)}
    for index, item in enumerate(items):
        yield "response.output_item.added", {"output_index": index, "item": _opened(item)}
        yield from _inside(item, {"item_id": item["id"], "output_index": index})
        yield "response.output_item.done", {"output_index": index, "item": item}
    remember(told, items, desk)
    last = finished(told, items, desk)
    yield f"response.{last['status']}", {"response": last}


def _opened(item: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "function_call": {"arguments": ""},
        "reasoning": {"summary": []},
    }
    status = {} if item["type"] == "reasoning" else {"status": "in_progress"}
    return {**item, **empty[item["type"]], **status}


def _inside(item: dict[str, Any], at: dict[str, Any]) -> Iterator[Event]:
    match item["type"]:
        case "message":
            yield from _text(item["content"][0], {**at, "content_index": 0})
        case "function_call":
            for part in in_parts(item["arguments"]):
                yield "response.function_call_arguments.delta", {**at, "delta": part}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield "response.function_call_arguments.done", {**at, **done}
        case _:
            for place, summary in enumerate(item["summary"]):
                yield from _summary(summary, {**at, "summary_index": place})


def _text(part: dict[str, Any], at: dict[str, Any]) -> Iterator[Event]:
    yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
    for piece in in_parts(part["text"]):
        yield "response.output_text.delta", {**at, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**at, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**at, "part": part}


def _summary(summary: dict[str, Any], at: dict[str, Any]) -> Iterator[Event]:
    yield "response.reasoning_summary_part.added", {**at, "part": {**summary, "text": ""}}
    for piece in in_parts(summary["text"]):
        yield "response.reasoning_summary_text.delta", {**at, "delta": piece}
    yield "response.reasoning_summary_text.done", {**at, "text": summary["text"]}
    yield "response.reasoning_summary_part.done", {**at, "part": summary}

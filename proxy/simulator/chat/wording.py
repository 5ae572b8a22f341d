"""How Chat Completions words an answer: one object, or chunks. Source: `types/chat` of the openai package.

`prompt_tokens` includes what was read and written (provider notes, 2.2). Reasoning stays hidden on OpenAI's own
models; compatible servers send `reasoning_content`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from policies.core.profile import Profile
from proxy.simulator.apis import Asked, Desk, Told, in_parts, sse
from proxy.simulator.bills import Bill
from proxy.simulator.brains import Answer
from proxy.simulator.openai import is_automatic
from proxy.simulator.prompt import Count, Piece
from proxy.simulator.refusals import Refusal

STOPS = {"end": "stop", "length": "length", "refusal": "content_filter"}


def said(answer: Answer, count: Count) -> tuple[Piece, ...]:
    text = (Piece("messages", "assistant", "text", "", answer.text, count(answer.text)),) if answer.text else ()
    calls = tuple(
        Piece("messages", "assistant", "call", call.id, row := call.name + call.arguments, count(row))
        for call in answer.calls
    )
    return text + calls


def reply(told: Told, _: Desk) -> Mapping[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": told.answer.text or None, "refusal": None}
    if told.answer.reasoning and _open(told):
        message["reasoning_content"] = told.answer.reasoning
    if told.answer.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in told.answer.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _stop(told.answer)}
    return {**_envelope(told, "chat.completion"), "choices": [choice], "usage": usage(told.bill, told.asked.profile)}


def _envelope(told: Told, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{told.asked.name}",
        "object": kind,
        "created": int(told.now),
        "model": told.asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def _open(told: Told) -> bool:
    return told.asked.profile.provider != "openai"


def _stop(answer: Answer) -> str:
    return "tool_calls" if answer.calls else STOPS[answer.stop]


def usage(bill: Bill, profile: Profile) -> dict[str, Any]:
    read, total = bill.input.read, bill.input.total
    details: dict[str, Any] = {"cached_tokens": read, "audio_tokens": 0}
    if is_automatic(profile):
        details["cache_write_tokens"] = bill.input.write + bill.input.write_long
    fields: dict[str, Any] = {
        "prompt_tokens": total,
        "completion_tokens": bill.output,
        "total_tokens": total + bill.output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": bill.reasoning, "audio_tokens": 0},
    }
    if profile.provider == "deepseek":
        fields |= {"prompt_cache_hit_tokens": read, "prompt_cache_miss_tokens": total - read}
    return fields


def stream(told: Told, _: Desk) -> Iterator[bytes]:
    for delta in _deltas(told):
        yield _chunk(told, [_choice(delta, None)])
    yield _chunk(told, [_choice({}, _stop(told.answer))])
    if told.asked.options["usage"]:
        yield _chunk(told, [], usage(told.bill, told.asked.profile))
    yield sse("[DONE]")


def _choice(delta: Mapping[str, Any], stop: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": stop}


def _chunk(told: Told, choices: list[dict[str, Any]], total: dict[str, Any] | None = None) -> bytes:
    tail = {"usage": total} if told.asked.options["usage"] else {}
    return sse(json.dumps({**_envelope(told, "chat.completion.chunk"), "choices": choices, **tail}))


def _deltas(told: Told) -> Iterator[dict[str, Any]]:
    answer = told.answer
    yield {"role": "assistant", "content": None if answer.calls and not answer.text else "", "refusal": None}
    for part in in_parts(answer.reasoning) if _open(told) else ():
        yield {"reasoning_content": part}
    for part in in_parts(answer.text):
        yield {"content": part}
    for index, call in enumerate(answer.calls):
        start = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [{"index": index, **start}]}
        for part in in_parts(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def counted(asked: Asked) -> Mapping[str, Any]:
    """Chat has no counting endpoint; nothing routes here."""
    return {"input_tokens": asked.prompt.total}


def too_long(tokens: int, profile: Profile) -> Refusal:
    return Refusal(
        400,
        f"This model's maximum context length is {profile.context_limit} tokens. However, your messages resulted in "
        f"{tokens} tokens. Please reduce the length of the messages.",
        param="messages",
        code="context_length_exceeded",
    )

"""How the agent reads an answer: from its events, whatever their chunks; a refusal is a value."""

import asyncio
import json

import httpx

from policies.core.usage import Usage
from proxy.demo.agent import Answer, ask, assembled

EVENTS = (
    {"type": "message_start", "message": {"usage": {"input_tokens": 5, "cache_read_input_tokens": 90}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "look"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "a", "name": "x"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ":1}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
)
STREAM = b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in EVENTS)
CONTENT = ({"type": "text", "text": "I look"}, {"type": "tool_use", "id": "a", "name": "x", "input": {"a": 1}})


def asked(response: httpx.Response) -> Answer:
    async def work() -> Answer:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: response)) as client:
            return await ask(client, "http://h", "k", b"{}")

    return asyncio.run(work())


def test_blocks_are_put_together_from_any_chunks() -> None:
    assert assembled([STREAM]) == (CONTENT, "tool_use")
    assert assembled([STREAM[at : at + 1] for at in range(len(STREAM))]) == (CONTENT, "tool_use")


def test_an_answer_has_its_usage_and_the_headers_of_holdfast_only() -> None:
    answer = asked(httpx.Response(200, content=STREAM, headers={"x-holdfast-turn": "3", "x-other": "1"}))
    assert answer.headers == {"x-holdfast-turn": "3"}
    assert answer.usage == Usage(input=95, cache_read=90, output=7)
    assert (answer.status, answer.stop, answer.content) == (200, "tool_use", CONTENT)


def test_a_refusal_is_kept_in_the_provider_s_words() -> None:
    answer = asked(httpx.Response(400, content=b'{"error":"no"}'))
    assert (answer.status, answer.refusal, answer.content) == (400, '{"error":"no"}', ())

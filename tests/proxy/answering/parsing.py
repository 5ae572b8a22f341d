"""What the vendors' SDKs make of an answer, as plain data: the judge of what the splicers give."""

from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
from pydantic import BaseModel

Parsed = dict[str, Any]


def _client(body: bytes, streamed: bool) -> httpx2.Client:
    media = "text/event-stream" if streamed else "application/json"

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": media}, content=body)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def _plain(answer: BaseModel) -> Parsed:
    return answer.model_dump(exclude_none=True, warnings=False)


def message(body: bytes, streamed: bool) -> Parsed:
    """An Anthropic message."""
    ask: Any = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    with _client(body, streamed) as http, anthropic.Anthropic(api_key="k", http_client=http) as client:
        if not streamed:
            return _plain(client.messages.create(**ask))
        with client.messages.stream(**ask) as stream:
            return _plain(stream.get_final_message())


def completion(body: bytes, streamed: bool) -> Parsed:
    """A chat completion."""
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with _client(body, streamed) as http, openai.OpenAI(api_key="k", http_client=http) as client:
        if not streamed:
            return _plain(client.chat.completions.create(**ask))
        with client.chat.completions.stream(**ask) as stream:
            return _plain(stream.get_final_completion())


def response(body: bytes, streamed: bool) -> Parsed:
    """A response."""
    ask: Any = {"model": "m", "input": "hi"}
    with _client(body, streamed) as http, openai.OpenAI(api_key="k", http_client=http) as client:
        if not streamed:
            return _plain(client.responses.create(**ask))
        with client.responses.stream(**ask) as stream:
            return _plain(stream.get_final_response())


PARSERS: dict[str, Callable[[bytes, bool], Parsed]] = {
    "anthropic_messages": message,
    "openai_chat": completion,
    "openai_responses": response,
}

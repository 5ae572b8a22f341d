"""The agent's side of the wire: sends one request, reads the streamed answer.

Rules of this room: an answer is taken from its events alone, as a client's library does it; a refusal is
a value, not an error. It must not know what is between it and the provider.
"""

import json
from typing import Any

import httpx
from msgspec import Struct

from policies.core.usage import Usage
from proxy.dialects.registry import by_name
from proxy.dialects.sse import Parser

DIALECT = "anthropic_messages"
PATIENCE = httpx.Timeout(60.0)


class Answer(Struct, frozen=True):
    """One answer as the agent has it."""

    status: int
    content: tuple[dict[str, Any], ...]
    stop: str
    usage: Usage
    headers: dict[str, str]
    """Those of Holdfast only."""
    refusal: str = ""
    """What the provider said where it did not answer."""


async def ask(client: httpx.AsyncClient, url: str, key: str, body: bytes) -> Answer:
    """POST one request and read the answer to its end. Raises httpx.HTTPError."""
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    request = client.build_request(
        "POST", f"{url}/v1/messages", params={"beta": "true"}, content=body, headers=headers, timeout=PATIENCE
    )
    response = await client.send(request, stream=True)
    try:
        chunks = [chunk async for chunk in response.aiter_bytes()]
    finally:
        await response.aclose()
    ours = {name: value for name, value in response.headers.items() if name.startswith("x-holdfast-")}
    if response.status_code != 200:
        return Answer(response.status_code, (), "", Usage(), ours, b"".join(chunks).decode(errors="replace")[:300])
    content, stop = assembled(chunks)
    reader = by_name(DIALECT).usage_reader()
    for chunk in chunks:
        reader.feed(chunk)
    return Answer(200, content, stop, reader.usage() or Usage(), ours)


def assembled(chunks: list[bytes]) -> tuple[tuple[dict[str, Any], ...], str]:
    """The blocks of a streamed answer, and why it ended."""
    parser, blocks, parts, stop = Parser(), [], [], ""
    for event in (event for chunk in chunks for event in parser.feed(chunk)):
        data = json.loads(event.data)
        match data["type"]:
            case "content_block_start":
                blocks.append(data["content_block"])
                parts.append("")
            case "content_block_delta":
                delta = data["delta"]
                parts[data["index"]] += delta.get("text") or delta.get("partial_json") or ""
            case "message_delta":
                stop = data["delta"]["stop_reason"]
    return tuple(_filled(block, text) for block, text in zip(blocks, parts, strict=True)), stop


def _filled(block: dict[str, Any], text: str) -> dict[str, Any]:
    if block["type"] == "tool_use":
        return {**block, "input": json.loads(text or "{}")}
    return {**block, "text": text}

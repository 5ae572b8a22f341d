"""What is only measured passes byte for byte, says why nothing looked into it, and is counted."""

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from proxy.simulator.clouds.frames import MEDIA_TYPE, chunk
from tests.end_to_end.running import Holdfast, Stage, holdfast


@dataclass(frozen=True)
class Case:
    upstream: str
    path: str
    dialect: str
    media_type: str
    parts: tuple[bytes, ...]
    counts: tuple[int, int, int]
    """Input, of it read from the cache, and output."""


METRICS = {"inputTokenCount": 20, "outputTokenCount": 5, "cacheReadInputTokenCount": 80}
CASES = {
    "ollama's stream": Case(
        "ollama",
        "/api/chat",
        "ollama",
        "application/x-ndjson",
        (b'{"message":{"content":"a"},"done":false}\n', b'{"done":true,"prompt_eval_count":26,"eval_count":7}\n'),
        (26, 0, 7),
    ),
    "ollama's whole answer": Case(
        "ollama",
        "/api/generate",
        "ollama",
        "application/json; charset=utf-8",
        (b'{"response":"a","done":true,"prompt_eval_count":26,"eval_count":7}',),
        (26, 0, 7),
    ),
    "another vendor's model on bedrock": Case(
        "bedrock",
        "/model/us.amazon.nova-lite-v1%3A0/invoke-with-response-stream",
        "bedrock_invoke",
        MEDIA_TYPE,
        (chunk(b'{"outputText":"a"}'), chunk(json.dumps({"amazon-bedrock-invocationMetrics": METRICS}).encode())),
        (100, 80, 5),
    ),
}
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()


def answering(case: Case, arrived: list[tuple[str, bytes]]) -> Starlette:
    async def answer(request: Request) -> StreamingResponse:
        arrived.append((request.scope["raw_path"].decode(), await request.body()))
        return StreamingResponse(iter(case.parts), media_type=case.media_type)

    return Starlette(routes=[Route("/{rest:path}", answer, methods=["POST"])])


def asked(running: Holdfast, case: Case) -> tuple[dict[str, str], bytes]:
    headers = {"authorization": "Bearer k", "content-type": "application/json"}
    request: Any = urllib.request.Request(f"{running.url}/{case.upstream}{case.path}", BODY, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}, answer.read()


@pytest.mark.parametrize("name", CASES)
def test_a_format_of_its_own_passes_and_is_counted(staged: Stage, tmp_path: Path, name: str) -> None:
    case, arrived = CASES[name], list[tuple[str, bytes]]()
    staged.app = answering(case, arrived)
    with holdfast(tmp_path, {case.upstream: staged.urls["openai"]}) as running:
        headers, body = asked(running, case)
        numbers = running.settled(1)
    assert arrived == [(case.path, BODY)]
    assert body == b"".join(case.parts)
    assert headers["x-holdfast-passthrough"] == "measured_only"
    labels = {"upstream": case.upstream, "dialect": case.dialect}
    given, read, made = case.counts
    assert numbers.total("holdfast_input_tokens_total", **labels) == given
    assert numbers.total("holdfast_input_tokens_total", cache="read", **labels) == read
    assert numbers.total("holdfast_output_tokens_total", **labels) == made
    assert numbers.total("holdfast_passthrough_total", reason="measured_only", **labels) == 1

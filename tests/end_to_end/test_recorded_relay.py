"""Every recorded exchange over the real relay with policies off: not a byte differs, in either direction."""

import http.client
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from proxy.dialects.registry import recognise
from tests.end_to_end.recorded import FILES, Line, lines
from tests.end_to_end.running import PATIENCE, Holdfast, Numbers, Stage, holdfast

CHUNK = 1_000
"""Bytes of a streamed answer at a time: breaks fall within events, and within characters."""


class Recorded:
    """An upstream that gives the recorded answers, in order."""

    def __init__(self, rows: list[Line]) -> None:
        self.rows = iter(rows)
        self.arrived: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = scope["query_string"].decode()
        self.arrived.append(
            (scope["method"], scope["raw_path"].decode() + (f"?{query}" if query else ""), await request.body())
        )
        await self._answer(next(self.rows))(scope, receive, send)

    def _answer(self, row: Line) -> Response:
        if row.streamed:
            return StreamingResponse(self._chunks(row.answer or b""), row.status, media_type="text/event-stream")
        return Response(row.answer or b"{}", row.status, media_type="application/json")

    async def _chunks(self, answer: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(answer), CHUNK):
            yield answer[start : start + CHUNK]


@pytest.fixture(scope="module")
def recording_proxy(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """With an upstream whose dialect is decided by path, as these files come from many hosts."""
    with holdfast(tmp_path_factory.mktemp("relay"), {"recorded": staged.urls["openai"]}) as proxy:
        yield proxy


def targets(row: Line) -> str:
    """As a client writes it: redacted places hold characters that no request line may."""
    return quote(row.target, safe="/?&=:%@;$,.-_~!*'()+")


@pytest.mark.parametrize("file", FILES)
def test_a_recorded_exchange_passes_byte_for_byte(
    staged: Stage, recording_proxy: Holdfast, shared: Path, file: str
) -> None:
    rows = lines(shared, file)
    staged.app = upstream = Recorded(rows)
    before = recording_proxy.numbers()
    connection = http.client.HTTPConnection(urlsplit(recording_proxy.url).netloc, timeout=PATIENCE)
    settled = 0
    for row in rows:
        headers = {"content-type": "application/json", "authorization": "Bearer recorded", "x-holdfast-policy": "off"}
        connection.request(row.method, f"/recorded{targets(row)}", row.body, headers)
        answer = connection.getresponse()
        body = answer.read()
        where = f"{file}:{row.number}"
        assert (answer.status, where) == (row.status, where)
        assert body == (b"" if row.method == "HEAD" else row.answer or b"{}"), where
        assert upstream.arrived[-1] == (row.method, targets(row), row.body), where
        creates = row.method == "POST" and recognise(row.path) is not None
        said = {"x-holdfast-plan", "x-holdfast-passthrough"} & {name.lower() for name, _ in answer.getheaders()}
        assert len(said) == (1 if creates else 0), where
        settled += creates
    connection.close()
    assert len(upstream.arrived) == len(rows)
    seen = recording_proxy.settled(int(before.total("holdfast_overhead_seconds_count", phase="settle")) + settled)
    assert gained(before, seen) == reported(rows)


def gained(before: Numbers, after: Numbers) -> tuple[float, float]:
    """Input and output tokens that /metrics counted in between."""
    names = ("holdfast_input_tokens_total", "holdfast_output_tokens_total")
    given, made = (after.total(name) - before.total(name) for name in names)
    return given, made


def reported(rows: list[Line]) -> tuple[int, int]:
    """The same, read from the recorded answers themselves."""
    sums = [_counts(row) for row in rows if row.answer and row.method == "POST" and recognise(row.path)]
    return sum(given for given, _ in sums), sum(made for _, made in sums)


COUNTS = {"input_tokens", "prompt_tokens", "promptTokenCount", "inputTokens", "output_tokens", "cached_tokens"}


def _counts(row: Line) -> tuple[int, int]:
    """The last word on each count, wherever in the answer it stands."""
    top: dict[str, int] = {}
    for part in _parts(row):
        for figures in _figures(part):
            top |= figures
    parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    converse = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    summed = sum(top.get(name, 0) for name in (*parts, *converse))
    given = summed or top.get("prompt_tokens") or top.get("promptTokenCount") or 0
    given = max(given, top.get("cached_tokens", 0))  # one host reports what is not cached as `prompt_tokens`
    made = top.get("output_tokens") or top.get("outputTokens") or top.get("completion_tokens")
    if made and "prompt_tokens" in top:  # some hosts leave reasoning out of what is completed, and in the total
        made = max(made, top.get("total_tokens", 0) - top["prompt_tokens"])
    return given, made or top.get("candidatesTokenCount", 0) + top.get("thoughtsTokenCount", 0)


def _parts(row: Line) -> list[Any]:
    assert row.answer is not None
    if not row.streamed:
        return [json.loads(row.answer)]
    data = [line[5:].strip() for line in row.answer.decode().split("\n") if line.startswith("data:")]
    return [json.loads(one) for one in data if one.startswith("{")]


def _figures(value: Any) -> Iterator[dict[str, int]]:
    """Every usage object; steps of the provider's own compaction are no part of the answer's usage."""
    if isinstance(value, list):
        for item in value:
            yield from _figures(item)
    elif isinstance(value, dict):
        if COUNTS & set(value):
            yield {key: item for key, item in value.items() if isinstance(item, int)}
        for key, item in value.items():
            if key != "iterations":
                yield from _figures(item)

"""TRANSPARENT for HTTP/2 on both sides, and for requests as real agents sent them."""

import gzip
import json
from pathlib import Path

import httpx
import pytest

from proxy.upstream import Upstream
from tests.proxy.intercept.running import Trust, intercepting, secure, tunnel
from tests.proxy.running import Driver, scenario
from tests.proxy.secure import http2_upstream
from tests.proxy.wire import json_answer

FILES = ("claude", "codex", "opencode", "pydantic-ai-anth", "openai-agents")


@pytest.mark.parametrize("edited", [False, True])
@scenario
async def test_http2_stays_http2_with_headers_and_body_as_they_were(trust: Trust, edited: bool) -> None:
    seen: list[list[tuple[bytes, bytes]]] = []
    bodies: list[bytes] = []
    headers = {"x-odd": "1", "x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    driver = Driver(edit=lambda body: body.replace(b"m", b"long") if edited else body)
    async with (
        http2_upstream(trust.certificate, trust.key, seen, bodies) as url,
        intercepting(trust, Upstream("api", url), driver=driver) as running,
        httpx.AsyncClient(http2=True, verify=trust.direct()) as straight,
        httpx.AsyncClient(http2=True, verify=trust.agent(), proxy=f"http://127.0.0.1:{running.port}") as agent,
    ):
        expected = await straight.post(f"{url}/v1/messages?b=1", content=b'{"m": 1}', headers=headers)
        answer = await agent.post(f"{url}/v1/messages?b=1", content=b'{"m": 1}', headers=headers)
        await running.driver.settling.wait()
    assert answer.http_version == expected.http_version == "HTTP/2"
    assert answer.content == expected.content == b"data: 1\n\ndata: 2\n\n"
    assert answer.headers["x-up"] == "1" and answer.headers["x-holdfast-turn"] == "1"
    assert bodies[1] == (b'{"long": 1}' if edited else b'{"m": 1}')
    first, second = ([pair for pair in each if not pair[0].startswith(b":")] for each in seen)
    length = (b"content-length", str(len(bodies[1])).encode())
    assert second == [length if name == b"content-length" else (name, value) for name, value in first]
    assert {pair for pair in seen[0] if pair[0][:1] == b":"} == {pair for pair in seen[1] if pair[0][:1] == b":"}


@pytest.mark.parametrize("file", FILES)
@scenario
async def test_recorded_requests_arrive_byte_for_byte(trust: Trust, shared: Path, file: str) -> None:
    async with (
        secure(json_answer(), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        sent = recorded(shared / "captures" / f"{file}.jsonl.gz")
        for one in sent:
            await agent.send(one)
            assert (await agent.reply()).status == 200
    assert [each.head + each.body for each in upstream.requests] == sent
    assert len(running.recorder.begun) == len(sent)


def recorded(file: Path) -> list[bytes]:
    """As they were on the wire, with the length of the body that is kept."""
    found = []
    for line in gzip.open(file, "rt", encoding="utf-8"):
        row = json.loads(line)
        if row["method"] != "POST":
            continue
        body = row["body"].encode()
        values = {**row["headers"], "content-length": str(len(body))}
        head = "".join(f"{name}: {values[name.lower()]}\r\n" for name in row["header_order"])
        target = row["path"] + ("?" + row["query"] if row["query"] else "")
        found.append(f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
    return found

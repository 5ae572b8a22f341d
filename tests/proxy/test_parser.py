"""Malformed and slow requests, as bytes on a socket (reliability tests l and m)."""

import asyncio

import pytest

from proxy import parser
from proxy.upstream import Upstream
from tests.proxy.running import proxy, scenario
from tests.proxy.wire import agent, json_answer, request, upstream

HEAD = b"POST /v1/messages HTTP/1.1\r\n"
BODY = b"content-length: 2\r\n\r\n{}"

REFUSED = {
    "no Host": HEAD + BODY,
    "two Hosts": HEAD + b"host: a\r\nhost: b\r\n" + BODY,
    "a Host with a path": HEAD + b"host: a/?x=\r\n" + BODY,
    "a Host with userinfo": HEAD + b"host: u@a\r\n" + BODY,
    "two framings": HEAD + b"host: a\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"host: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "an unknown transfer coding": HEAD + b"host: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": HEAD + b"host: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": HEAD + b"host : a\r\n" + BODY,
    "obs-fold": HEAD + b"host: a\r\nx: 1\r\n 2\r\n" + BODY,
    "bare line feeds": (HEAD + b"host: a\r\n" + BODY).replace(b"\r\n", b"\n"),
    "a control character": HEAD + b"host: a\r\nx: a\x00b\r\n" + BODY,
    "1,000 headers": HEAD + b"host: a\r\n" + b"x: 1\r\n" * 1000 + BODY,
    "100 KB of headers": HEAD + b"host: a\r\nx: " + b"1" * 100_000 + b"\r\n" + BODY,
    "CONNECT": b"CONNECT host:443 HTTP/1.1\r\nhost: host:443\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
@scenario
async def test_what_is_malformed_reaches_no_upstream_and_no_second_request(case: str) -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(REFUSED[case])
            reply = await client.reply()
        assert reply.status in (400, 431)
        assert not up.connections


UPGRADE = b"connection: upgrade\r\nupgrade: websocket\r\n"
KEY = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"sec-websocket-version: 13\r\n"
AS_UPGRADE = {
    case: sent.replace(HEAD, b"GET /v1/responses HTTP/1.1\r\n" + UPGRADE + KEY + VERSION)
    for case, sent in REFUSED.items()
    if sent.startswith(HEAD)
}


@pytest.mark.parametrize("case", AS_UPGRADE)
@scenario
async def test_what_is_malformed_is_no_more_welcome_as_a_websocket_handshake(case: str) -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("openai", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(AS_UPGRADE[case])
            reply = await client.reply()
        assert reply.status in (400, 431)
        assert not up.connections


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        (UPGRADE + VERSION, 400),
        (UPGRADE + KEY, 400),
        (UPGRADE + KEY + KEY + VERSION, 400),
        (UPGRADE + b"sec-websocket-key: short\r\n" + VERSION, 400),
        (UPGRADE + KEY + b"sec-websocket-version: 8\r\n", 400),
        (UPGRADE + KEY + VERSION + b"sec-websocket-extensions: ;;\r\n", 400),
        (UPGRADE + KEY + VERSION + b"sec-websocket-protocol: " + b"x" * 9000 + b"\r\n", 431),
        (UPGRADE + KEY + VERSION + b"content-length: 5\r\n", 400),
        (b"upgrade: websocket\r\n" + KEY + VERSION, 400),
    ],
)
@scenario
async def test_a_handshake_that_is_none_reaches_no_upstream(extra: bytes, status: int) -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("openai", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(b"GET /v1/responses HTTP/1.1\r\nhost: a\r\n" + extra + b"\r\nhello")
            assert (await client.reply()).status == status
        assert not up.connections


@scenario
async def test_a_head_that_never_ends_is_cut_off_before_it_fills_memory() -> None:
    async with proxy() as running, agent(running.port) as client:
        await client.send(HEAD)
        with pytest.raises(ConnectionError):
            for _ in range(400):
                await client.send(b"x-filler: " + b"1" * 4000 + b"\r\n")
                await asyncio.sleep(0.001)


@scenario
async def test_a_head_that_comes_too_slowly_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "HEAD_SECONDS", 0.2)
    async with proxy() as running, agent(running.port) as client:
        await client.send(HEAD)
        await client.send(b"host: a\r\n")
        assert await client.closed()


@scenario
async def test_a_connection_that_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "FIRST_SECONDS", 0.2)
    async with proxy() as running, agent(running.port) as client:
        assert await client.closed()


@scenario
async def test_the_bound_on_heads_does_not_end_long_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(parser, "FIRST_SECONDS", 0.1)
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            for _ in range(3):
                await client.send(request())
                assert (await client.reply()).status == 200
                await asyncio.sleep(0.15)


@scenario
async def test_requests_sent_without_waiting_are_answered_in_order() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(b"".join(request(b"/v1/messages?n=%d" % number) for number in range(5)))
            for _ in range(5):
                assert (await client.reply()).status == 200
        lines = [seen.line for seen in up.requests]
        assert lines == [b"POST /v1/messages?n=%d HTTP/1.1" % number for number in range(5)]


@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/files"])
@scenario
async def test_what_follows_the_last_chunk_becomes_no_header(target: bytes) -> None:
    head = b"POST %b HTTP/1.1\r\nhost: a\r\nx-api-key: k\r\ntransfer-encoding: chunked\r\n\r\n" % target
    trailers = b"x-api-key: other\r\ncontent-type: text/html\r\nx-holdfast-policy: off\r\n"
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(head + b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n" + request())
            for _ in range(2):
                assert (await client.reply()).status == 200
        trailed, following = up.requests
        assert trailed.body == b"{}" and trailed.values(b"x-api-key") == [b"k"]
        assert not trailed.values(b"content-type")
        assert following.body == b"{}"

"""TLS is verified, HTTP/2 is transparent too, and a failure says what happened without saying secrets."""

import logging
import ssl
from pathlib import Path

import pytest

from proxy.upstream import Upstream, authorities
from tests.proxy.running import proxy, scenario
from tests.proxy.secure import certificate, http2_upstream, needs_openssl, tls_upstream
from tests.proxy.wire import Wire, agent, answering, json_answer, request, upstream


@needs_openssl
@pytest.mark.parametrize("http2", [False, True])
@scenario
async def test_a_certificate_that_nobody_vouches_for_is_502_and_gets_no_credential(http2: bool, tmp_path: Path) -> None:
    seen: list[list[tuple[bytes, bytes]]] = []
    async with http2_upstream(*certificate(tmp_path), seen, []) as url:
        async with proxy(Upstream("anthropic", url, http2=http2)) as running, agent(running.port) as client:
            await client.send(request(extra=b"x-api-key: canary\r\n"))
            reply = await client.reply()
            assert reply.status == 502 and not seen


@needs_openssl
@scenario
async def test_an_authority_of_ones_own_counts_besides_the_public_ones(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    assert authorities(str(cert)).cert_store_stats()["x509"] == authorities(None).cert_store_stats()["x509"] + 1
    async with (
        tls_upstream(cert, key) as url,
        proxy(Upstream("anthropic", url, ca_file=str(cert))) as running,
        agent(running.port) as client,
    ):
        await client.send(request())
        assert (await client.reply()).status == 200


@needs_openssl
@scenario
async def test_over_http2_too_nothing_is_added_and_bytes_are_kept(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=str(cert))
    seen: list[list[tuple[bytes, bytes]]] = []
    bodies: list[bytes] = []
    body = b'{"n":1.0e5}' * 20_000
    async with http2_upstream(cert, key, seen, bodies) as url:
        async with (
            proxy(Upstream("anthropic", url, http2=True), trusted=trusted) as running,
            agent(running.port) as client,
        ):
            for _ in range(2):
                await client.send(request(b"/v1/messages/../messages?a=%2F", body, extra=b"x-one: 1\r\nX-One: 2\r\n"))
                reply = await client.reply()
                assert reply.body == b"data: 1\n\ndata: 2\n\n" and reply.values(b"x-up") == [b"1"]
    host = url.removeprefix("https://").encode()
    assert bodies == [body, body]
    assert seen[0] == [
        (b":method", b"POST"),
        (b":authority", host),
        (b":scheme", b"https"),
        (b":path", b"/v1/messages/../messages?a=%2F"),
        (b"x-one", b"1"),
        (b"x-one", b"2"),
        (b"content-length", b"%d" % len(body)),
    ]


@scenario
async def test_a_header_that_cannot_be_sent_as_it_came_is_refused() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(request(extra=b"x-latin: \xe9\r\n"))
            assert (await client.reply()).status == 400
        assert not up.requests


@scenario
async def test_a_large_head_of_an_answer_passes() -> None:
    answer = json_answer(extra=b"content-security-policy: " + b"x" * 30_000 + b"\r\n")
    async with upstream(answer) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(request())
            assert len((await client.reply()).values(b"content-security-policy")[0]) == 30_000


CANARY = b"sk-canary-0123456789"


@pytest.mark.parametrize(
    "script",
    [
        json_answer(),
        json_answer(status=b"401 Unauthorized"),
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
        answering(b"garbage\r\n\r\n"),
        Wire.until_aborted,
    ],
)
@scenario
async def test_a_credential_appears_in_no_log_and_no_error(script: object, caplog: pytest.LogCaptureFixture) -> None:
    """Reliability test h, for this part: in every header, the query, the path and the body."""
    caplog.set_level(logging.INFO)

    async def closing(wire: Wire) -> None:
        await script(wire)  # type: ignore[operator]
        wire.writer.close()

    names = (b"authorization", b"x-api-key", b"x-goog-api-key", b"cookie", b"x-holdfast-session", b"content-encoding")
    body = b'{"key":"%b"}' % CANARY
    said = b""
    async with upstream(closing) as up:
        for destination in (Upstream("anthropic", up.url), Upstream("anthropic", "http://127.0.0.1:1")):
            async with proxy(destination) as running:
                for name in names:
                    async with agent(running.port) as client:
                        extra = b"%b: %b\r\n" % (name, CANARY)
                        await client.send(request(b"/v1/messages?key=%b&p=/%b" % (CANARY, CANARY), body, extra=extra))
                        if script is Wire.until_aborted and destination.url == up.url:
                            client.leave()
                            continue
                        reply = await client.reply()
                        said += reply.head + reply.body
    assert CANARY not in said
    assert CANARY.decode() not in caplog.text

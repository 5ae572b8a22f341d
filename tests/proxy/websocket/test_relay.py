"""A WebSocket seen from both ends: messages, heads, ends, bounds."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol

from proxy.limits import Limits
from proxy.server import Drain
from proxy.upstream import Timeouts, Upstream
from proxy.websocket import library
from tests.proxy.running import proxy, scenario
from tests.proxy.secure import certificate, needs_openssl
from tests.proxy.websocket.wires import Data, agent, ended, raw, refusing, silence, upstream

TEXTS = st.lists(st.text(max_size=60), min_size=1, max_size=5)
PIECES = st.one_of(TEXTS, st.lists(st.binary(max_size=60), min_size=1, max_size=5))


def to(url: str, **options: object) -> Upstream:
    return Upstream("openai", url, "openai_responses", **options)  # type: ignore[arg-type]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=st.lists(PIECES, max_size=6), compressed=st.booleans())
def test_any_messages_in_any_fragments_arrive_the_same_both_ways(
    sent: Sequence[list[str] | list[bytes]], compressed: bool
) -> None:
    whole: list[Data] = [pieces[0][:0].join(pieces) for pieces in sent]  # type: ignore[arg-type]

    async def both_ways() -> None:
        received: list[Data] = []

        async def script(socket: ServerConnection) -> None:
            for pieces in sent:
                await socket.send(pieces)
            async for message in socket:
                received.append(message)

        compression = "deflate" if compressed else None
        async with upstream(script, compression=compression) as up, proxy(to(up.url)) as running:
            async with agent(running.port, compression=compression) as client:
                assert [await client.recv() for _ in whole] == whole
                for pieces in sent:
                    await client.send(pieces)
            await up.end()
            assert received == whole

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(both_ways(), 20))


@scenario
async def test_a_large_message_passes_whole_and_text_stays_text() -> None:
    large: list[Data] = ["ü" * 3_000_000, os.urandom(5_000_000), "", b""]
    async with upstream() as up, proxy(to(up.url)) as running, agent(running.port) as client:
        for message in large:
            await client.send(message)
            assert await client.recv() == message


@scenario
async def test_the_handshake_is_the_agents_but_for_what_belongs_to_one_connection() -> None:
    headers = [("Authorization", "Bearer k"), ("OpenAI-Beta", "responses_websockets=2026-02-06"), ("X-A", "1")]
    headers += [("x-a", "2"), ("x-utf", "é"), ("x-holdfast-session", "s"), ("Keep-Alive", "1"), ("cookie", "a=1")]
    async with upstream() as up, proxy(to(up.url + "/base")) as running:
        async with agent(running.port, "/v1/responses?x=%20&y", additional_headers=headers) as client:
            await client.ping()
        request = up.requests[0]
        assert request.path == "/base/v1/responses?x=%20&y"
        passed = [(name, value) for name, value in request.headers.raw_items() if not name.lower().startswith("sec-")]
        assert passed[:3] == [("Host", up.url[7:]), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
        assert passed[3:] == [*headers[:5], ("cookie", "a=1")]


@scenario
async def test_the_answer_to_the_handshake_is_the_upstreams_and_names_the_session() -> None:
    def head(socket: ServerConnection, request: object, response: Response) -> None:
        response.headers["X-Codex-Turn-State"] = "t"
        response.headers["set-cookie"] = "a=1"
        response.headers["set-cookie"] = "b=2"

    async with upstream(process_response=head) as up, proxy(to(up.url)) as running:
        async with agent(running.port, additional_headers=[("session-id", "abc")]) as client:
            assert client.response is not None
            lines = list(client.response.headers.raw_items())
            assert ("X-Codex-Turn-State", "t") in lines and ("x-holdfast-session", "abc") not in lines
            assert [value for name, value in lines if name == "set-cookie"] == ["a=1", "b=2"]
            assert len(client.response.headers.get_all("date")) == 1


@scenario
async def test_a_subprotocol_is_offered_chosen_and_told() -> None:
    offered = [Subprotocol("realtime"), Subprotocol("other")]
    async with upstream(subprotocols=[Subprotocol("other")]) as up, proxy(to(up.url)) as running:
        async with agent(running.port, subprotocols=offered) as client:
            assert client.subprotocol == "other"


@pytest.mark.parametrize("offered", ["deflate", None])
@scenario
async def test_compression_is_of_each_connection_and_offered_where_the_agent_offers_it(offered: str | None) -> None:
    async with upstream() as up, proxy(to(up.url)) as running, agent(running.port, compression=offered) as client:
        await client.send("x" * 10_000)
        assert await client.recv() == "x" * 10_000
        assert bool(client.protocol.extensions) is bool(offered)
        assert ("Sec-WebSocket-Extensions" in up.requests[0].headers) is bool(offered)


@pytest.mark.parametrize("status", [401, 404, 426, 429, 500])
@scenario
async def test_a_refusal_of_the_upstream_is_the_agents_with_all_that_it_says(status: int) -> None:
    body = b'{"error":{"code":"x"}}'
    headers = Headers([("Retry-After", "7"), ("X-Two", "1"), ("x-two", "2"), ("content-length", str(len(body)))])
    async with refusing(Response(status, "Some Reason", headers, body)) as up, proxy(to(up.url)) as running:
        with pytest.raises(InvalidStatus) as refused:
            async with agent(running.port):
                pass
        answer = refused.value.response
        assert (answer.status_code, answer.reason_phrase, bytes(answer.body)) == (status, "Some Reason", body)
        lines = list(answer.headers.raw_items())
        assert [line for line in lines if line[0].lower() in ("retry-after", "x-two")] == list(headers.raw_items())[:3]
        assert [exchange.status for exchange in running.recorder.exchanges] == [status]


@scenario
async def test_a_redirect_is_relayed_and_not_followed() -> None:
    async with upstream() as other:
        answer = Response(307, "Temporary Redirect", Headers([("location", other.url), ("content-length", "0")]))
        async with refusing(answer) as up, proxy(to(up.url)) as running:
            with pytest.raises(InvalidURI):  # which is what this client makes of an `http` location
                async with agent(running.port):
                    pass
            assert running.recorder.exchanges[0].status == 307 and not other.requests


@scenario
async def test_an_upstream_that_cannot_be_reached_is_a_clear_502_in_the_dialects_shape() -> None:
    async with upstream() as gone:
        url = gone.url
    async with proxy(to(url)) as running:
        with pytest.raises(InvalidStatus) as refused:
            async with agent(running.port):
                pass
        answer = refused.value.response
        said = json.loads(answer.body)
        assert answer.status_code == 502 and said["shape"] == "openai_chat" and "openai" in said["message"]
        assert running.recorder.exchanges[0].status == 502


@scenario
async def test_an_upstream_that_says_nothing_to_a_handshake_is_a_504() -> None:
    async with silence() as url, proxy(to(url, timeouts=Timeouts(first_byte=0.2))) as running:
        with pytest.raises(InvalidStatus) as refused:
            async with agent(running.port):
                pass
        assert refused.value.response.status_code == 504


@scenario
async def test_an_agent_that_leaves_during_the_handshake_is_followed_by_the_upstreams() -> None:
    gone = asyncio.Event()
    async with silence(gone) as url, proxy(to(url)) as running:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3), agent(running.port):
                pass
        await gone.wait()
        await running.recorder.over.wait()
        assert running.recorder.exchanges[0].status == 499


CODES = [
    (1000, "done"),
    (1001, ""),
    (1008, "policy"),
    (1011, "é"),
    (1012, ""),
    (1013, "later"),
    (3000, "x"),
    (4999, ""),
]


@pytest.mark.parametrize(("code", "reason"), CODES)
@scenario
async def test_a_close_passes_both_ways_with_code_and_reason(code: int, reason: str) -> None:
    async def hang_up(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(code, reason)

    async with upstream(hang_up) as up, proxy(to(up.url)) as running:
        async with agent(running.port) as client:
            await client.send("now")
            assert await ended(client) == (code, reason)
        await running.recorder.ended.wait()
        async with agent(running.port) as client:
            await client.close(code, reason)
        await up.end()
        assert await up.end() == (code, reason)
    assert running.recorder.ends == ["upstream", "agent"]


@scenario
async def test_a_close_without_a_code_stays_one() -> None:
    async with upstream() as up, proxy(to(up.url)) as running, agent(running.port) as client:
        await client.close(None)  # type: ignore[arg-type]
        assert await up.end() == (1005, "")


@scenario
async def test_messages_that_came_before_a_close_are_not_lost() -> None:
    async def talk(socket: ServerConnection) -> None:
        for number in range(50):
            await socket.send(f"{number}")
        await socket.close(4000)

    async with upstream(talk) as up, proxy(to(up.url)) as running, agent(running.port) as client:
        assert [await client.recv() for _ in range(50)] == [f"{number}" for number in range(50)]
        assert await ended(client) == (4000, "")


@scenario
async def test_an_upstream_that_just_breaks_off_is_a_clean_1011_to_the_agent() -> None:
    async def break_off(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("partial")
        socket.transport.abort()

    async with upstream(break_off) as up, proxy(to(up.url)) as running, agent(running.port) as client:
        await client.send("x")
        assert await client.recv() == "partial"
        assert await ended(client) == (1011, "the upstream's connection broke off")
        await running.recorder.ended.wait()
        assert running.recorder.ends == ["upstream_lost"]


@scenario
async def test_an_agent_that_just_leaves_is_a_close_to_the_upstream() -> None:
    async with upstream() as up, proxy(to(up.url)) as running, agent(running.port) as client:
        await client.send("x")
        client.transport.abort()
        assert await up.end() == (1001, "")
        await running.recorder.ended.wait()
        assert running.recorder.ends == ["agent_lost"]


@pytest.mark.parametrize("compression", ["deflate", None])
@scenario
async def test_a_message_of_the_agent_over_the_bound_gets_1009(compression: str | None) -> None:
    limits = Limits(body_bytes=100_000)
    async with upstream() as up, proxy(to(up.url), limits=limits) as running:
        async with agent(running.port, compression=compression) as client:
            await client.send("x" * 99_000)
            await client.recv()
            await client.send("x" * 100_001)
            closed = await ended(client)
            assert closed is not None and closed[0] == 1009
        assert await up.end() == (1001, "")


@scenario
async def test_a_message_of_the_upstream_over_the_bound_gets_1009_and_the_agent_1011() -> None:
    async def large(socket: ServerConnection) -> None:
        await socket.send("x" * 100_001)

    async with upstream(large) as up, proxy(to(up.url), limits=Limits(body_bytes=100_000)) as running:
        async with agent(running.port) as client:
            assert (await ended(client) or (0,))[0] == 1011
        assert (await up.end() or (0,))[0] == 1009


@scenario
async def test_a_bomb_is_cut_off_before_it_is_inflated() -> None:
    inflated = 500_000_000
    packer = zlib.compressobj(9, wbits=-12)
    bomb = b"".join(packer.compress(b"0" * 1_000_000) for _ in range(inflated // 1_000_000))
    bomb += packer.flush(zlib.Z_SYNC_FLUSH)[:-4]
    async with upstream() as up, proxy(to(up.url), limits=Limits(body_bytes=1_000_000)) as running:
        async with agent(running.port) as client:
            client.transport.write(raw(0xC1, bomb))
            assert (await ended(client) or (0,))[0] == 1009
        assert not up.received


@scenario
async def test_a_message_in_fragments_without_end_gets_1009() -> None:
    async with upstream() as up, proxy(to(up.url)) as running, agent(running.port) as client:
        frames = Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True)
        client.transport.write(frames + Frame(Opcode.CONT, b"", fin=False).serialize(mask=True) * 10_000)
        assert (await ended(client) or (0,))[0] == 1009


@pytest.mark.parametrize(
    ("opcode", "data", "code"),
    [(0x81, b"\xff", 1007), (0x80, b"x", 1002), (0xA1, b"x", 1002), (0x88, b"\x00\x01", 1002), (0x8B, b"x", 1002)],
    ids=["not UTF-8", "a continuation of nothing", "a reserved bit", "a code that is none", "an unknown opcode"],
)
@scenario
async def test_a_broken_protocol_is_told_to_who_broke_it(opcode: int, data: bytes, code: int) -> None:
    async with upstream() as up, proxy(to(up.url)) as running, agent(running.port) as client:
        client.transport.write(raw(opcode, data))
        assert (await ended(client) or (0,))[0] == code
        assert await up.end() == (1001, "")


@scenario
async def test_pings_are_answered_on_each_connection() -> None:
    async def alive(socket: ServerConnection) -> None:
        await (await socket.ping())
        await socket.send("alive")

    async with upstream(alive) as up, proxy(to(up.url)) as running, agent(running.port) as client:
        await (await client.ping())
        assert await client.recv() == "alive"


@scenario
async def test_a_client_that_reads_only_when_it_waits_is_pinged_and_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library, "PING_SECONDS", 0.05)
    async with upstream() as up, proxy(to(up.url)) as running, agent(running.port) as client:
        await client.send("x")
        await client.recv()
        client.transport.pause_reading()
        await asyncio.sleep(0.6)
        client.transport.resume_reading()
        await client.send("y")
        assert await client.recv() == "y" and not running.recorder.ends


@scenario
async def test_nothing_is_read_from_one_side_that_the_other_does_not_take_in() -> None:
    """Back-pressure: an upstream that sends without end is held up by an agent that does not read."""
    sent = 0

    async def flood(socket: ServerConnection) -> None:
        nonlocal sent
        while True:
            await socket.send(b"x" * 100_000)
            sent += 1

    async with upstream(flood, compression=None) as up, proxy(to(up.url)) as running:
        async with agent(running.port, compression=None, max_queue=1) as client:
            await client.recv()
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.3)
            assert sent < 300  # 30 MB, most of it in the kernel's buffers
            client.transport.abort()


@scenario
async def test_a_side_that_takes_nothing_in_for_too_long_ends_the_connection() -> None:
    async def flood(socket: ServerConnection) -> None:
        while True:
            await socket.send(b"x" * 100_000)

    timeouts = Timeouts(write=0.3)
    async with upstream(flood, compression=None) as up, proxy(to(up.url, timeouts=timeouts)) as running:
        async with agent(running.port, compression=None, max_queue=1):
            await running.recorder.ended.wait()
            assert running.recorder.ends == ["stalled"]


@scenario
async def test_a_drain_ends_what_is_idle_at_once_with_1012() -> None:
    drain = Drain(grace=0.2, patience=10, settle=1)
    async with upstream() as up, proxy(to(up.url), drain=drain) as running, agent(running.port) as client:
        await client.send("x")
        await client.recv()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await ended(client) == (1012, "restarting")
        assert await up.end() == (1001, "")
        await asyncio.wait_for(running.server, 5)
        assert running.recorder.ends == ["drained"]


@scenario
async def test_while_draining_a_handshake_is_refused() -> None:
    drain = Drain(grace=1.0, patience=5, settle=1)
    async with upstream() as up, proxy(to(up.url), drain=drain) as running:
        running.stop.set()
        await asyncio.sleep(0.1)
        with pytest.raises(InvalidStatus) as refused:
            async with agent(running.port):
                pass
        assert refused.value.response.status_code == 503 and not up.requests


@scenario
async def test_no_header_chooses_a_host() -> None:
    async with upstream() as up, upstream() as other, proxy(to(up.url)) as running:
        headers = [("x-forwarded-host", other.url[7:]), ("origin", other.url)]
        async with agent(running.port, additional_headers=headers):
            pass
        assert up.requests and not other.requests


@needs_openssl
@pytest.mark.parametrize("known", [True, False])
@scenario
async def test_an_upstreams_certificate_is_verified_as_for_http(tmp_path: Path, known: bool) -> None:
    cert, key = certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    trusted = ssl.create_default_context(cafile=str(cert)) if known else None
    async with upstream(ssl=serving) as up, proxy(to(up.url.replace("http", "https")), trusted=trusted) as running:
        if known:
            async with agent(running.port) as client:
                await client.send("x")
                assert await client.recv() == "x"
            return
        with pytest.raises(InvalidStatus) as refused:
            async with agent(running.port):
                pass
        assert refused.value.response.status_code == 502 and b"TLS" in refused.value.response.body


@scenario
async def test_without_an_upstream_a_handshake_is_not_found() -> None:
    async with proxy() as running:
        with pytest.raises(InvalidStatus) as refused:
            async with agent(running.port):
                pass
        assert refused.value.response.status_code == 404 and running.recorder.refusals == [404]


@scenario
async def test_below_a_named_upstream_and_on_any_other_path_it_is_relayed_too() -> None:
    async with upstream() as up, proxy(Upstream("main", up.url, "openai_chat")) as running:
        for path in ("/main/v1/responses", "/v1/realtime?model=m"):
            async with agent(running.port, path) as client:
                await client.send("x")
                assert await client.recv() == "x"
        assert [request.path for request in up.requests] == ["/v1/responses", "/v1/realtime?model=m"]


@scenario
async def test_an_agent_that_talks_before_it_is_answered_is_hung_up_on() -> None:
    async with silence() as url, proxy(to(url)) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        key = b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        writer.write(b"GET /v1/responses HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n" + key)
        writer.write(b"\r\n")
        await asyncio.sleep(0.2)
        writer.write(raw(0x81, b"early"))
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


@scenario
async def test_http_1_0_has_no_websockets() -> None:
    async with upstream() as up, proxy(to(up.url)) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        key = b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        writer.write(b"GET /v1/responses HTTP/1.0\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n" + key)
        writer.write(b"\r\n")
        assert (await reader.read())[9:12] in (b"400", b"505") and not up.requests
        writer.close()


@scenario
async def test_more_connections_than_allowed_are_refused() -> None:
    async with upstream() as up, proxy(to(up.url), connections=2) as running:
        async with agent(running.port), agent(running.port):
            with pytest.raises(InvalidStatus) as refused:
                async with agent(running.port):
                    pass
            assert refused.value.response.status_code == 503
        assert len(up.requests) == 2

"""Timing: nothing is held, nothing outlives its reader, nothing broken looks complete."""

import asyncio
import gzip

import pytest

from policies.core.usage import Usage
from proxy.exchange import Context, Prepared, Request
from proxy.limits import Limits
from proxy.upstream import Timeouts, Upstream
from tests.proxy.running import Driver, proxy, scenario
from tests.proxy.wire import Wire, agent, answering, chunks, json_answer, request, upstream

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@scenario
async def test_each_chunk_arrives_before_the_next_is_sent() -> None:
    arrived = asyncio.Queue[None]()

    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        for number in range(5):
            await wire.chunk(b'data: {"input_tokens":%d}\n\n' % number)
            await arrived.get()
        await wire.send(b"0\r\n\r\n")

    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        await client.send(request())
        await client.head()
        seen = []
        async for chunk in chunks(client.reader):
            seen.append(chunk)
            arrived.put_nowait(None)
        assert seen == [b'data: {"input_tokens":%d}\n\n' % number for number in range(5)]


@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/files"])
@scenario
async def test_what_comes_byte_by_byte_passes_whole_in_both_directions(target: bytes) -> None:
    stream = b'data: {"input_tokens":7}\r\n\r\n'

    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        for byte in stream:
            await wire.chunk(bytes([byte]))
        await wire.send(b"0\r\n\r\n")

    head = b"POST %b HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" % target
    sent = head + b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"model":"m"}') + b"0\r\n\r\n"
    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        for byte in sent:
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        reply = await client.reply()
        assert reply.whole and reply.body == stream
        assert up.requests[0].body == b'{"model":"m"}'
        if target == b"/v1/messages":
            await running.driver.settling.wait()
            assert running.driver.settled == [(Usage(input=7), 200)]


@scenario
async def test_an_answers_head_arrives_before_its_first_chunk() -> None:
    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        await released.wait()
        await wire.send(b"0\r\n\r\n")

    released = asyncio.Event()
    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        await client.send(request())
        assert (await client.head()).status == 200
        released.set()
        assert [chunk async for chunk in chunks(client.reader)] == []


@scenario
async def test_an_encoded_stream_passes_encoded_and_its_usage_is_read() -> None:
    packed = gzip.compress(b'data: {"input_tokens":12}\n\n' * 10)

    async def script(wire: Wire) -> None:
        await wire.send(STREAM.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n"))
        for start in range(0, len(packed), 7):
            await wire.chunk(packed[start : start + 7])
        await wire.send(b"0\r\n\r\n")

    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        await client.send(request())
        reply = await client.reply()
        assert reply.body == packed and reply.values(b"content-encoding") == [b"gzip"]
        await running.driver.settling.wait()
        assert running.driver.settled == [(Usage(input=12), 200)]


@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/models"])
@pytest.mark.parametrize("phase", ["before the first byte", "in the stream", "not streaming"])
@scenario
async def test_an_agent_that_leaves_cancels_the_upstream_request(phase: str, target: bytes) -> None:
    reached = asyncio.Event()

    async def script(wire: Wire) -> None:
        if phase == "in the stream":
            await wire.send(STREAM)
            await wire.chunk(b"data: 1\n\n")
        elif phase == "not streaming":
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        reached.set()
        await wire.until_aborted()

    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(request(target, extra=b"x-api-key: k\r\n"))
            await reached.wait()
            if phase != "before the first byte":
                await client.head()
            client.leave()
            await asyncio.wait_for(up.requests[0].aborted.wait(), 2)
        await running.recorder.over.wait()
        assert running.recorder.exchanges[0].failure == "disconnected"
        if target == b"/v1/messages":
            await running.driver.settling.wait()
            assert running.driver.settled == [(None, 499 if phase == "before the first byte" else 200)]


@scenario
async def test_an_agent_that_leaves_while_its_turn_is_prepared_reaches_no_upstream() -> None:
    preparing = asyncio.Event()

    class Slow(Driver):
        async def prepare(self, request: Request, context: Context, now: float) -> Prepared:
            preparing.set()
            await asyncio.sleep(60)
            raise AssertionError

    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url), driver=Slow()) as running:
        async with agent(running.port) as client:
            await client.send(request())
            await preparing.wait()
            client.leave()
            await asyncio.wait_for(running.recorder.over.wait(), 2)
        assert running.recorder.exchanges[0].failure == "disconnected" and not up.connections


@scenario
async def test_an_agent_that_leaves_while_sending_its_body_reaches_no_upstream() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{")
            client.leave()
            await running.recorder.over.wait()
        assert running.recorder.exchanges[0].failure == "disconnected" and not up.connections


@scenario
async def test_an_agent_that_leaves_while_its_body_passes_cancels_the_upstream_request() -> None:
    async def script(wire: Wire) -> None:
        reached.set()
        await wire.until_aborted()

    reached = asyncio.Event()
    async with upstream(script) as up, proxy(Upstream("openai", up.url)) as running:
        up.read_body = False
        async with agent(running.port) as client:
            await client.send(b"POST /v1/files HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{")
            await reached.wait()
            client.leave()
            await asyncio.wait_for(up.requests[0].aborted.wait(), 2)


@pytest.mark.parametrize(
    "broken",
    [
        STREAM + b"9\r\ndata: 1\n\n\r\n",
        STREAM + b"9\r\ndata",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100\r\n\r\ndata: 1\n\n",
    ],
)
@scenario
async def test_an_answer_that_breaks_off_never_looks_complete(broken: bytes) -> None:
    async def script(wire: Wire) -> None:
        await wire.send(broken)
        wire.writer.close()

    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        await client.send(request())
        reply = await client.reply()
        assert reply.status == 200 and not reply.whole
        assert await client.closed()
        assert running.recorder.exchanges[0].failure == "truncated"


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad\x01name: 1\r\n\r\n", b"HTTP/1.1 999 x\r\n\r\n"]
)
@scenario
async def test_an_answer_that_is_none_is_502_in_the_dialects_shape(answer: bytes) -> None:
    async def script(wire: Wire) -> None:
        await wire.send(answer)
        wire.writer.close()

    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        await client.send(request())
        reply = await client.reply()
        assert reply.status == 502 and b'"shape":"anthropic_messages"' in reply.body
        assert len(up.requests) == 1, "nothing is retried"


@scenario
async def test_a_refused_connection_is_502() -> None:
    async with upstream(json_answer()) as up:
        url = up.url
    async with proxy(Upstream("openai", url, "openai_chat")) as running, agent(running.port) as client:
        for target in (b"/v1/chat/completions", b"/v1/files"):
            await client.send(request(target))
            reply = await client.reply()
            assert reply.status == 502 and b'"shape":"openai_chat"' in reply.body


@pytest.mark.parametrize("target", [b"/v1/messages", b"/v1/models"])
@scenario
async def test_an_upstream_that_says_nothing_is_504(target: bytes) -> None:
    async with upstream(Wire.until_aborted) as up:
        slow = Upstream("anthropic", up.url, timeouts=Timeouts(first_byte=0.2))
        async with proxy(slow) as running, agent(running.port) as client:
            await client.send(request(target, extra=b"x-api-key: k\r\n"))
            assert (await client.reply()).status == 504
            await asyncio.wait_for(up.requests[0].aborted.wait(), 2)
            assert running.recorder.exchanges[0].failure == "first_byte"


@scenario
async def test_a_stream_that_falls_silent_is_cut_and_does_not_look_complete() -> None:
    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        await wire.chunk(b"data: 1\n\n")
        await wire.until_aborted()

    async with upstream(script) as up:
        slow = Upstream("anthropic", up.url, timeouts=Timeouts(idle=0.2))
        async with proxy(slow) as running, agent(running.port) as client:
            await client.send(request())
            reply = await client.reply()
            assert not reply.whole and await client.closed()
            assert running.recorder.exchanges[0].failure == "idle"


@scenario
async def test_a_lively_stream_outlasts_every_timeout() -> None:
    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        for _ in range(10):
            await asyncio.sleep(0.1)
            await wire.chunk(b"data: 1\n\n")
        await wire.send(b"0\r\n\r\n")

    async with upstream(script) as up:
        brisk = Upstream("anthropic", up.url, timeouts=Timeouts(first_byte=0.4, idle=0.4))
        async with proxy(brisk) as running, agent(running.port) as client:
            await client.send(request())
            reply = await client.reply()
            assert reply.whole and len(reply.body) == 90


@scenario
async def test_a_body_that_pauses_is_408() -> None:
    async with (
        upstream(json_answer()) as up,
        proxy(Upstream("anthropic", up.url), limits=Limits(body_idle=0.2)) as running,
        agent(running.port) as client,
    ):
        await client.send(b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{")
        assert (await client.reply()).status == 408
        assert await client.closed() and not up.requests


@scenario
async def test_a_slow_agent_slows_the_upstream_and_not_the_memory() -> None:
    sent = 0

    async def script(wire: Wire) -> None:
        nonlocal sent
        await wire.send(STREAM)
        for _ in range(1000):
            await wire.chunk(b"x" * 65536)
            sent += 65536
        await wire.send(b"0\r\n\r\n")

    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        await client.send(request())
        await client.head()
        await asyncio.sleep(0.5)
        assert sent < 32 * 1024 * 1024
        client.leave()


@scenario
async def test_a_kept_connection_that_died_is_not_used_again() -> None:
    async def script(wire: Wire) -> None:
        await json_answer()(wire)
        if len(up.requests) == 1:
            wire.writer.close()

    async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running, agent(running.port) as client:
        for _ in range(2):
            await client.send(request())
            assert (await client.reply()).status == 200
            await asyncio.sleep(0.05)
        assert up.connections == 2


@scenario
async def test_a_get_whose_kept_connection_dies_is_not_sent_twice() -> None:
    async def script(wire: Wire) -> None:
        if len(up.requests) == 1:
            await json_answer()(wire)
        else:
            wire.writer.close()

    async with upstream(script) as up, proxy(Upstream("openai", up.url)) as running, agent(running.port) as client:
        statuses = []
        for _ in range(2):
            await client.send(request(b"/v1/models", method=b"GET"))
            statuses.append((await client.reply()).status)
        assert statuses == [200, 502] and len(up.requests) == 2


@scenario
async def test_a_length_beside_chunks_is_not_passed_on() -> None:
    head = STREAM.replace(b"\r\n\r\n", b"\r\ncontent-length: 3\r\n\r\n")
    async with (
        upstream(answering(head + b"9\r\ndata: 1\n\n\r\n0\r\n\r\n")) as up,
        proxy(Upstream("anthropic", up.url)) as running,
        agent(running.port) as client,
    ):
        await client.send(request())
        reply = await client.reply()
        assert reply.status == 502 or (reply.body == b"data: 1\n\n" and not reply.values(b"content-length"))

"""TRANSPARENT and FAIL-OPEN through the intercepting proxy, seen from both sockets."""

import asyncio
import gzip

import pytest

from policies.core.usage import Usage
from proxy import exchange
from proxy.limits import Limits
from proxy.server import Drain
from proxy.upstream import Upstream
from tests.proxy.intercept.running import Trust, intercepting, secure, tunnel
from tests.proxy.running import BrokenReader, Driver, scenario
from tests.proxy.wire import Wire, json_answer, request

BODY = b'{"model":"m",  "messages":[{"role":"user","content":"\\u00e4"}], "messages": [1]}'
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Up: 1\r\n\r\n"


@scenario
async def test_a_request_that_is_not_edited_arrives_as_it_was_sent(trust: Trust) -> None:
    async with (
        secure(json_answer(b'{"usage":{"input_tokens":7}}'), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        sent = request(b"/v1/messages?a=%2F&b", BODY, extra=b"X-Odd: two,  three\r\nX-API-Key: k\r\nx-odd: again\r\n")
        await agent.send(sent)
        reply = await agent.reply()
        await running.driver.settling.wait()
    assert reply.status == 200 and reply.body == b'{"usage":{"input_tokens":7}}'
    assert reply.head.startswith(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 28\r\nx-holdfast"
    )
    assert upstream.requests[0].head + upstream.requests[0].body == sent
    assert running.driver.requests[0].body == BODY
    assert running.driver.settled == [(Usage(input=7), 200)]


@scenario
async def test_an_edited_body_goes_out_with_its_own_length(trust: Trust) -> None:
    driver = Driver(edit=lambda body: body.replace(b"model", b"longer_name"))
    async with (
        secure(json_answer(), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url), driver=driver) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        wire = gzip.compress(BODY)
        await agent.send(request(body=wire, extra=b"Content-Encoding: gzip\r\nContent-MD5: x\r\nX-Mine: 1\r\n"))
        await agent.reply()
    seen = upstream.requests[0]
    assert seen.body == BODY.replace(b"model", b"longer_name")
    assert [name for name, _ in seen.headers] == [b"host", b"X-Mine", b"content-length"]


@scenario
async def test_a_chunked_body_is_planned_and_goes_out_edited_with_its_length(trust: Trust) -> None:
    driver = Driver(edit=lambda body: body + b"!")
    async with (
        secure(json_answer(), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url), driver=driver) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        await agent.send(b"2\r\n{}\r\n1\r\n \r\n0\r\n\r\n")
        await agent.reply()
    assert driver.requests[0].body == b"{} " and upstream.requests[0].body == b"{} !"
    assert upstream.requests[0].headers == [(b"host", b"a"), (b"content-length", b"4")]


@scenario
async def test_an_encoded_body_is_planned_decoded_and_passes_as_it_came(trust: Trust) -> None:
    async with (
        secure(json_answer(), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        wire = gzip.compress(BODY)
        await agent.send(request(body=wire, extra=b"content-encoding: gzip\r\n"))
        await agent.reply()
    assert running.driver.requests[0].body == BODY
    assert upstream.requests[0].body == wire and upstream.requests[0].values(b"content-encoding") == [b"gzip"]


@scenario
async def test_a_body_that_cannot_be_decoded_passes_with_its_reason(trust: Trust) -> None:
    async with (
        secure(json_answer(), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request(body=b"no gzip", extra=b"content-encoding: gzip\r\n"))
        reply = await agent.reply()
        await running.driver.settling.wait()
    assert reply.values(b"x-holdfast-passthrough") == [b"undecodable_body"]
    assert upstream.requests[0].body == b"no gzip"
    assert running.driver.passed_through_reasons == ["undecodable_body"]


@scenario
async def test_headers_for_holdfast_stay_here_and_say_who_asks(trust: Trust) -> None:
    extra = b"x-holdfast-session: s1\r\nX-Holdfast-Agent: mine\r\nx-api-key: secret\r\nX-Holdfast-Policy: off\r\n"
    async with (
        secure(json_answer(), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request(extra=extra))
        await agent.reply()
    assert [name for name, _ in upstream.requests[0].headers] == [b"host", b"x-api-key", b"content-length"]
    asked = running.driver.requests[0]
    assert (asked.session, asked.agent, asked.policy, asked.upstream) == ("s1", "mine", "off", "api")
    assert asked.credential == b"x-api-key=secret"


@scenario
async def test_a_body_that_is_not_looked_into_is_not_held(trust: Trust) -> None:
    first = asyncio.Event()

    async def script(wire: Wire) -> None:
        assert await wire.reader.readexactly(5) == b"first"
        first.set()
        assert await wire.reader.readexactly(6) == b"second"
        await json_answer()(wire)

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        upstream.read_body = False
        await agent.send(b"POST /v1/files HTTP/1.1\r\nhost: up\r\ncontent-length: 11\r\n\r\nfirst")
        await first.wait()
        await agent.send(b"second")
        assert (await agent.reply()).status == 200
        await running.recorder.over.wait()
    answered = running.recorder.exchanges[0]
    assert running.driver.requests == [] and answered.dialect == ""
    assert answered.upstream_seconds is not None and answered.first_byte_seconds is not None
    assert 0 <= answered.first_byte_seconds <= answered.upstream_seconds


@scenario
async def test_an_answer_is_passed_on_chunk_by_chunk_as_it_is_sent(trust: Trust) -> None:
    taken = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        await wire.chunk(b'data: {"input_tokens":5}\n\n')
        await taken.wait()  # nothing more is sent before the agent has the first event
        await wire.chunk(b"data: end\n\n")
        await wire.send(b"0\r\n\r\n")

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        for _ in range(2):  # on one connection: not a byte too much of the first is taken for the second
            taken.clear()
            await agent.send(request())
            assert (await agent.head()).head.startswith(STREAM[:-2])
            assert await agent.reader.readuntil(b"\n\n\r\n") == b'1a\r\ndata: {"input_tokens":5}\n\n\r\n'
            taken.set()
            assert await agent.reader.readuntil(b"0\r\n\r\n") == b"b\r\ndata: end\n\n\r\n0\r\n\r\n"
    assert running.driver.settled == [(Usage(input=5), 200)] * 2
    assert running.recorder.exchanges[0].streamed


@pytest.mark.parametrize("framed", ["stated", "chunked"])
@scenario
async def test_a_body_beyond_the_limit_passes_unread_and_its_usage_is_counted(trust: Trust, framed: str) -> None:
    body = b"x" * 3000
    if framed == "stated":
        sent = request(body=body)
    else:
        sent = b"POST /v1/messages HTTP/1.1\r\nhost: proxy\r\ntransfer-encoding: chunked\r\n\r\n"
        sent += b"".join(b"3e8\r\n%b\r\n" % body[at : at + 1000] for at in range(0, 3000, 1000)) + b"0\r\n\r\n"
    async with (
        secure(json_answer(b'{"input_tokens":9}'), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url), limits=Limits(body_bytes=2000)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(sent)
        reply = await agent.reply()
        await running.driver.settling.wait()
    assert reply.status == 200 and upstream.requests[0].body == body
    assert running.driver.requests == []
    assert running.driver.passed_through_reasons == ["body_too_large"]
    assert running.driver.settled == [(Usage(input=9), 200)]


@scenario
async def test_a_faulty_reader_leaves_the_answer_alone(trust: Trust) -> None:
    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        await wire.chunk(b"data: 1\n\n")
        await wire.send(b"0\r\n\r\n")

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url), reader=BrokenReader) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request())
        reply = await agent.reply()
    assert reply.whole and reply.body == b"data: 1\n\n"


@scenario
async def test_a_fault_of_the_add_on_itself_leaves_the_request_as_it_came(trust: Trust) -> None:
    class Faulty(Driver):
        async def prepare(self, request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
            raise RuntimeError("never, by contract")

    async with (
        secure(json_answer(), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url), driver=Faulty()) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        sent = request(body=BODY)
        await agent.send(sent)
        assert (await agent.reply()).status == 200
        await running.recorder.over.wait()
    assert upstream.requests[0].head + upstream.requests[0].body == sent


@scenario
async def test_a_refusal_of_the_provider_is_settled_with_its_status(trust: Trust) -> None:
    async with (
        secure(json_answer(b'{"error":1}', status=b"429 Slow Down", extra=b"retry-after: 3\r\n"), trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request())
        reply = await agent.reply()
        await running.driver.settling.wait()
    assert reply.head.startswith(b"HTTP/1.1 429 Slow Down\r\n") and reply.values(b"retry-after") == [b"3"]
    assert running.driver.settled == [(None, 429)]


@pytest.mark.parametrize("when", ["before the first byte", "in the stream"])
@scenario
async def test_an_agent_that_leaves_cancels_its_request_upstream(trust: Trust, when: str) -> None:
    asked, in_stream = asyncio.Event(), when == "in the stream"

    async def script(wire: Wire) -> None:
        if in_stream:
            await wire.send(STREAM)
            await wire.chunk(b"data: 1\n\n")
        asked.set()
        await wire.until_aborted()

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request())
        if in_stream:
            await agent.head()
        await asked.wait()
        agent.leave()
        await upstream.requests[0].aborted.wait()
        await running.recorder.over.wait()
    answered = running.recorder.exchanges[0]
    assert (answered.failure, answered.status) == ("disconnected", 200 if in_stream else 499)


@scenario
async def test_an_answer_that_breaks_off_never_looks_complete(trust: Trust) -> None:
    async def script(wire: Wire) -> None:
        await wire.send(STREAM)
        await wire.chunk(b"data: 1\n\n")
        wire.writer.close()

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request())
        reply = await agent.reply()
        await running.recorder.over.wait()
    assert not reply.whole
    assert running.recorder.exchanges[0].failure == "truncated"


@scenario
async def test_an_upstream_that_hangs_up_is_a_502_and_is_told(trust: Trust) -> None:
    async def script(wire: Wire) -> None:
        wire.writer.close()

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request())
        assert (await agent.head()).status == 502
        await running.driver.settling.wait()
    answered = running.recorder.exchanges[0]
    assert (answered.failure, answered.status) == ("upstream", 502)
    assert running.driver.settled == [(None, 502)]


@scenario
async def test_what_an_upgraded_connection_carries_passes_byte_for_byte(trust: Trust) -> None:
    async def script(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n")
        assert await wire.reader.readexactly(9) == b"\x81\x83abcd\x01\x02\x03"
        await wire.send(b"\x81\x03abc")

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(b"GET /v1/other HTTP/1.1\r\nhost: up\r\nconnection: Upgrade\r\nupgrade: other\r\n\r\n")
        assert (await agent.head()).status == 101
        await agent.send(b"\x81\x83abcd\x01\x02\x03")
        assert await agent.reader.readexactly(5) == b"\x81\x03abc"
        await running.recorder.over.wait()
    assert running.recorder.exchanges[0].status == 101


@scenario
async def test_closing_waits_for_the_answer_that_is_open_and_ends_its_connection(trust: Trust) -> None:
    going, goes_on = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        going.set()
        await goes_on.wait()
        await json_answer(b'{"late":1}')(wire)

    drain = Drain(grace=0.0, patience=5.0, settle=1.0)
    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url), drain=drain) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request())
        await going.wait()
        running.stop.set()
        await asyncio.sleep(0.2)
        assert not running.server.done()
        goes_on.set()
        reply = await agent.reply()
        assert reply.body == b'{"late":1}' and reply.values(b"connection") == [b"close"]
        assert await agent.closed()
        await running.server
    assert running.driver.settled == [(None, 200)]


@scenario
async def test_closing_has_a_bound(trust: Trust) -> None:
    going = asyncio.Event()

    async def script(wire: Wire) -> None:
        going.set()
        await wire.until_aborted()

    async with (
        secure(script, trust) as upstream,
        intercepting(trust, Upstream("api", upstream.url), drain=Drain(0.0, 0.2, 1.0)) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        await agent.send(request())
        await going.wait()
        running.stop.set()
        await running.server
        assert await agent.closed()
    assert running.recorder.exchanges[0].failure == "disconnected"

"""An event stream is passed on as it comes: time to its first byte, against direct and mitmproxy's default."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy.upstream import Upstream
from tests.proxy.intercept.running import Secure, Trust, intercepting, secure, tunnel
from tests.proxy.running import scenario
from tests.proxy.wire import Agent, Wire, request

EVENTS, PAUSE = 5, 0.2
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def slowly(wire: Wire) -> None:
    """A second from the first event to the last."""
    await asyncio.sleep(PAUSE)
    await wire.send(STREAM)
    for number in range(EVENTS):
        await wire.chunk(b"data: %d\n\n" % number)
        await asyncio.sleep(PAUSE)
    await wire.send(b"0\r\n\r\n")


async def first_byte(agent: Agent) -> float:
    """Seconds from a request to the first event of its answer, which is then read to its end."""
    time = asyncio.get_running_loop().time
    began = time()
    await agent.send(request())
    await agent.reader.readuntil(b"data: 0\n\n")
    seconds = time() - began
    await agent.reader.readuntil(b"0\r\n\r\n")
    return seconds


@asynccontextmanager
async def straight(upstream: Secure, trust: Trust) -> AsyncIterator[Agent]:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port, ssl=trust.direct())
    try:
        yield Agent(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def seconds_through(upstream: Secure, trust: Trust, *, holding: bool) -> float:
    async with (
        intercepting(trust, Upstream("api", upstream.url), holding=holding) as running,
        tunnel(running, upstream, trust.agent()) as agent,
    ):
        return await first_byte(agent)


@pytest.mark.slow
@scenario
async def test_the_first_event_takes_hardly_longer_than_direct_where_mitmproxy_alone_waits_for_the_last(
    trust: Trust,
) -> None:
    async with secure(slowly, trust) as upstream:
        async with straight(upstream, trust) as agent:
            direct = await first_byte(agent)
        ours = await seconds_through(upstream, trust, holding=False)
        alone = await seconds_through(upstream, trust, holding=True)
    figures = f"direct {direct:.3f} s, Holdfast {ours / direct:.2f} times that, mitmproxy alone {alone / direct:.2f}"
    print(figures)
    assert ours / direct < 1.8, figures
    assert alone / direct > 3, figures

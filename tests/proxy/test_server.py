"""Starting, and stopping without dropping an answer (reliability test o)."""

import asyncio
import os
import queue
import signal
import socket
import threading

import pytest

from proxy.admin import AdminApp
from proxy.lifecycle import Lifecycle
from proxy.server import Address, Drain, address, listen, run, serve
from proxy.upstream import Upstream
from tests.proxy.running import proxy, scenario
from tests.proxy.wire import Wire, agent, json_answer, request, upstream

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def test_port_0_takes_a_free_port_and_says_which() -> None:
    with listen("127.0.0.1", 0) as bound:
        assert address(bound).port > 0


def test_an_ipv6_address_is_bracketed_in_its_url() -> None:
    assert Address("::1", 80).url == "http://[::1]:80"


@scenario
async def test_both_ports_are_served_and_announced_once_they_accept() -> None:
    lifecycle, stop = Lifecycle(), asyncio.Event()
    app = AdminApp(lambda accept: (b"up 1\n", "text/plain"), lifecycle=lifecycle)
    announced: asyncio.Future[tuple[Address, Address | None]] = asyncio.get_running_loop().create_future()
    serving = asyncio.get_running_loop().create_task(
        serve(
            app,
            app,
            traffic=listen("127.0.0.1", 0),
            admin=listen("127.0.0.1", 0),
            lifecycle=lifecycle,
            close=lifecycle.finish,
            drain=Drain(grace=0),
            started=lambda traffic, admin: announced.set_result((traffic, admin)),
            stop=stop,
        )
    )
    for where in await announced:
        assert where is not None
        async with agent(where.port) as client:
            await client.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert (await client.reply()).status == 200
    stop.set()
    await serving


@scenario
async def test_a_drain_closes_connections_politely_then_finishes_what_is_in_flight() -> None:
    reached, released = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        if b"slow" not in wire.seen.line:
            return await json_answer()(wire)
        await wire.send(STREAM)
        await wire.chunk(b"data: 1\n\n")
        reached.set()
        await released.wait()
        await wire.chunk(b"data: 2\n\n")
        await wire.send(b"0\r\n\r\n")

    drain = Drain(grace=0.5, patience=10, settle=1)
    async with upstream(script) as up, proxy(Upstream("anthropic", up.url), drain=drain) as running:
        async with agent(running.port) as slow, agent(running.port) as kept, agent(running.port) as late:
            await slow.send(request(b"/v1/messages?slow"))
            await reached.wait()
            await kept.send(request())
            assert not (await kept.reply()).values(b"connection")
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.1)
            # still accepting, but each answer is the last on its connection
            await kept.send(request())
            reply = await kept.reply()
            assert reply.status == 200 and reply.values(b"connection") == [b"close"] and await kept.closed()
            await late.send(request(b"/readyz", method=b"GET"))
            assert (await late.reply()).status == 503
            await asyncio.sleep(1.0)
            with pytest.raises(ConnectionError):
                async with agent(running.port):
                    pass
            assert not running.server.done()
            released.set()
            reply = await slow.reply()
            assert reply.whole and reply.body == b"data: 1\n\ndata: 2\n\n"
        await running.server
        assert len(running.driver.settled) == 3


@scenario
async def test_a_drain_has_a_bound() -> None:
    drain = Drain(grace=0, patience=1, settle=0.5)
    async with upstream(Wire.until_aborted) as up, proxy(Upstream("anthropic", up.url), drain=drain) as running:
        async with agent(running.port) as client:
            await client.send(request())
            while not up.requests:
                await asyncio.sleep(0.01)
            running.stop.set()
            await asyncio.wait_for(running.server, 5)
            assert up.requests[0].aborted.is_set() or await asyncio.wait_for(up.requests[0].aborted.wait(), 1)
            assert running.recorder.exchanges[0].failure == "cancelled"


@scenario
async def test_a_second_signal_skips_the_waiting() -> None:
    drain = Drain(grace=0.2, patience=25, settle=0.5)
    async with upstream(Wire.until_aborted) as up, proxy(Upstream("anthropic", up.url), drain=drain) as running:
        async with agent(running.port) as client:
            await client.send(request())
            while not up.requests:
                await asyncio.sleep(0.01)
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(0.4)
            await asyncio.wait_for(running.server, 3)


def test_a_taken_port_is_an_error_and_not_a_crash() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            listen("127.0.0.1", taken.getsockname()[1])


def test_several_processes_can_share_a_port() -> None:
    with listen("127.0.0.1", 0, share=True) as first:
        listen("127.0.0.1", address(first).port, share=True).close()


def test_it_runs_outside_the_main_thread_and_stops_when_told() -> None:
    """There are no signals there: whoever started it says when to stop."""
    lifecycle, ports = Lifecycle(), queue.Queue[int]()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        loops.append((asyncio.get_running_loop(), stop := asyncio.Event()))
        app = AdminApp(lambda accept: (b"", accept), lifecycle=lifecycle)
        await serve(
            app,
            None,
            traffic=listen("127.0.0.1", 0),
            admin=None,
            lifecycle=lifecycle,
            close=lifecycle.finish,
            drain=Drain(grace=0),
            started=lambda traffic, _: ports.put(traffic.port),
            stop=stop,
        )

    thread = threading.Thread(target=run, args=(main,))
    thread.start()
    with socket.create_connection(("127.0.0.1", ports.get(timeout=5)), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    loop, stop = loops[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    assert not thread.is_alive() and lifecycle.draining


@scenario
async def test_a_port_that_cannot_be_served_ends_everything() -> None:
    traffic, closed = listen("127.0.0.1", 0), asyncio.Event()
    traffic.close()

    async def close(seconds: float) -> None:
        closed.set()

    app = AdminApp(lambda accept: (b"", accept))
    with pytest.raises(OSError):
        await serve(app, None, traffic=traffic, admin=None, lifecycle=Lifecycle(), close=close)
    assert closed.is_set()

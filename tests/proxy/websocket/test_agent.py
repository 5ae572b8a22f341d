"""The agent's connection as an ASGI application sees it, whatever that application does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from proxy.lifecycle import Lifecycle
from proxy.server import Address, Drain, listen, serve
from proxy.upstream import Upstream
from tests.proxy.running import proxy, scenario
from tests.proxy.websocket.wires import agent, ended, silence


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[int]:
    accepting: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    lifecycle, stop = Lifecycle(), asyncio.Event()
    task = asyncio.ensure_future(
        serve(
            app,
            None,
            traffic=listen("127.0.0.1", 0),
            admin=None,
            lifecycle=lifecycle,
            close=lifecycle.finish,
            drain=Drain(grace=0, patience=1, settle=0.1),
            started=lambda address, _: accepting.set_result(address),
            stop=stop,
        )
    )
    yield (await accepting).port
    stop.set()
    await task


@scenario
async def test_an_application_that_fails_before_it_answers_is_a_500() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        raise RuntimeError("a fault in an application")

    async with serving(app) as port:
        with pytest.raises(InvalidStatus) as refused:
            async with agent(port):
                pass
        assert refused.value.response.status_code == 500


@scenario
async def test_an_application_that_fails_later_closes_with_1011() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["text"] == "x"
        await send({"type": "websocket.surprise"})

    async with serving(app) as port, agent(port) as client:
        await client.send("x")
        assert await ended(client) == (1011, "")


@scenario
async def test_an_application_that_returns_without_a_word_hangs_up() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-a", b"1")]})

    async with serving(app) as port, agent(port) as client:
        assert client.response and client.response.headers["x-a"] == "1"
        assert await ended(client) is None


@scenario
async def test_sending_to_one_that_left_is_an_error_of_the_system() -> None:
    """As the ASGI specification has it."""
    raised: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["code"] == 1006
        try:
            await send({"type": "websocket.send", "bytes": b"x"})
        except OSError as error:
            raised.set_result(error)
            raise

    async with serving(app) as port, agent(port) as client:
        client.transport.abort()
        assert isinstance(await raised, OSError)


@scenario
async def test_a_handshake_that_takes_longer_than_a_stop_may_is_a_503() -> None:
    async with silence() as url:
        drain = Drain(grace=0, patience=1, settle=0.1)
        async with proxy(Upstream("openai", url), drain=drain) as running:
            asking = asyncio.ensure_future(_refused(running.port))
            await asyncio.sleep(0.3)
            running.stop.set()
            assert await asking == 503
            assert running.recorder.exchanges[0].status == 499


async def _refused(port: int) -> int:
    try:
        async with agent(port):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code

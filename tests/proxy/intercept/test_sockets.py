"""WebSockets through the intercepting proxy: messages as they were, and a Responses conversation followed."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from policies.core.usage import Usage
from proxy.dialects.registry import DIALECTS
from proxy.upstream import Upstream
from tests.proxy.intercept.running import Trust, intercepting
from tests.proxy.running import Driver, Running, scenario

Handler = Callable[[ServerConnection], Awaitable[None]]
CREATE = json.dumps({"type": "response.create", "model": "gpt-5", "input": [{"role": "user", "content": "hä?"}]})
USAGE = {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10}
COMPLETED = json.dumps(
    {"type": "response.completed", "response": {"id": "resp_1", "output": [], "status": "completed", "usage": USAGE}}
)


@asynccontextmanager
async def provider(trust: Trust, handler: Handler) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trust.certificate, trust.key)
    async with serve(handler, "127.0.0.1", 0, ssl=context) as server:
        yield f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@asynccontextmanager
async def socket(
    trust: Trust, address: str, running: Running, path: str = "/v1/responses"
) -> AsyncIterator[ClientConnection]:
    proxy, headers = f"http://127.0.0.1:{running.port}", {"authorization": "Bearer k", "x-holdfast-session": "s1"}
    async with connect(
        f"wss://{address}{path}", ssl=trust.agent(), proxy=proxy, additional_headers=headers, max_size=None
    ) as client:
        yield client


async def echo(server: ServerConnection) -> None:
    async for message in server:
        await server.send(message)


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/realtime"])
@scenario
async def test_messages_are_the_same_on_both_sides(trust: Trust, path: str) -> None:
    async with (
        provider(trust, echo) as address,
        intercepting(trust, Upstream("openai", f"https://{address}"), known=DIALECTS) as running,
        socket(trust, address, running, path) as client,
    ):
        for message in ("", "ä ☃", '{"type": "other"}', b"\0\xff", "x" * 300_000):
            await client.send(message)
            assert await client.recv() == message
    assert running.driver.requests == []


@scenario
async def test_a_conversation_is_planned_and_its_usage_is_read(trust: Trust) -> None:
    got: list[str | bytes] = []

    async def answer(server: ServerConnection) -> None:
        got.append(await server.recv())
        await server.send(COMPLETED)
        await server.wait_closed()

    async with (
        provider(trust, answer) as address,
        intercepting(trust, Upstream("openai", f"https://{address}"), known=DIALECTS) as running,
        socket(trust, address, running) as client,
    ):
        await client.send(CREATE)
        assert await client.recv() == COMPLETED
        await running.driver.settling.wait()
    await running.recorder.ended.wait()
    asked = running.driver.requests[0]
    assert got == [CREATE] and asked.body == CREATE.encode()
    assert (asked.session, asked.credential, asked.dialect.name) == (
        "s1",
        b"authorization=Bearer k",
        "openai_responses",
    )
    assert running.driver.settled == [(Usage(input=8, cache_read=None, output=2, answer="resp_1"), 200)]
    assert running.recorder.ends == ["agent"]


@scenario
async def test_an_edited_request_goes_up_edited(trust: Trust) -> None:
    driver = Driver(edit=lambda body: body.replace(b"user", b"somebody else"))
    async with (
        provider(trust, echo) as address,
        intercepting(trust, Upstream("openai", f"https://{address}"), driver=driver, known=DIALECTS) as running,
        socket(trust, address, running) as client,
    ):
        await client.send(CREATE)
        assert await client.recv() == CREATE.replace("user", "somebody else")


@scenario
async def test_close_codes_cross_in_both_directions(trust: Trust) -> None:
    codes: list[int | None] = []

    async def leave(server: ServerConnection) -> None:
        if server.request and server.request.path.endswith("?leave"):
            await server.close(4001, "enough")
        await server.wait_closed()
        codes.append(server.close_code)

    async with (
        provider(trust, leave) as address,
        intercepting(trust, Upstream("openai", f"https://{address}"), known=DIALECTS) as running,
    ):
        async with socket(trust, address, running, "/v1/responses?leave") as client:
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == (4001, "enough")
        async with socket(trust, address, running) as client:
            await client.close(4002, "bye")
        while len(codes) < 2 or len(running.recorder.ends) < 2:
            running.recorder.ended.clear()
            await running.recorder.ended.wait()
    assert codes == [4001, 4002] and running.recorder.ends == ["upstream", "agent"]

"""A scripted WebSocket upstream and an agent, for a relay between them.

The upstream runs a script on each connection and keeps how it ended; the agent is a plain client without a proxy or
a header of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Script = Callable[[ServerConnection], Awaitable[None]]
Data = str | bytes


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


@dataclass
class Upstream:
    script: Script
    server: Server = field(init=False)
    requests: list[Request] = field(default_factory=list)
    received: list[Data] = field(default_factory=list)
    closed: "asyncio.Queue[tuple[int, str] | None]" = field(default_factory=asyncio.Queue)
    """How each connection ended: the close frame that came, or None."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{next(iter(self.server.sockets)).getsockname()[1]}"

    async def run(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.requests.append(socket.request)
        try:
            await self.script(socket)
            await socket.wait_closed()
        except ConnectionClosed:
            pass
        rcvd = socket.protocol.close_rcvd
        self.closed.put_nowait((rcvd.code, rcvd.reason) if rcvd else None)

    async def end(self) -> tuple[int, str] | None:
        async with asyncio.timeout(10):
            return await self.closed.get()


@asynccontextmanager
async def upstream(script: Script = echo, **options: Any) -> AsyncIterator[Upstream]:
    found = Upstream(script)
    async with serve(found.run, "127.0.0.1", 0, **{"max_size": None, **options}) as found.server:
        yield found


@asynccontextmanager
async def refusing(answer: Response) -> AsyncIterator[Upstream]:
    """An upstream that answers every handshake so."""
    found = Upstream(echo)

    def refuse(socket: ServerConnection, request: Request) -> Response:
        found.requests.append(request)
        return answer

    async with serve(found.run, "127.0.0.1", 0, process_request=refuse) as found.server:
        yield found


@asynccontextmanager
async def agent(port: int, path: str = "/v1/responses", **options: Any) -> AsyncIterator[ClientConnection]:
    settings: dict[str, Any] = {"proxy": None, "user_agent_header": None, "max_size": None, **options}
    async with connect(f"ws://127.0.0.1:{port}{path}", **settings) as socket:
        yield socket


async def ended(socket: ClientConnection) -> tuple[int, str] | None:
    """The close frame that the agent got; None for none."""
    async with asyncio.timeout(10):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else None


@asynccontextmanager
async def silence(gone: asyncio.Event | None = None) -> AsyncIterator[str]:
    """The URL of an upstream that accepts and says nothing; `gone` once its caller is."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()
            if gone is not None:
                gone.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def raw(opcode: int, data: bytes) -> bytes:
    """A frame of a client, whatever the protocol says of it. `opcode`: the first byte, with its flags."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFF]) + len(data).to_bytes(8, "big")
    return bytes([opcode]) + size + bytes(4) + data

"""A scripted upstream and a raw agent, both at the level of bytes on a socket.

Neither parses more than it must: the upstream records exactly what it received and sends exactly what
its script says, when it says so; the agent sees status line, headers and chunks as they came.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE = 10.0

Pair = tuple[bytes, bytes]


@dataclass
class Seen:
    """One request as it was on the wire."""

    head: bytes
    body: bytes = b""
    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    connection: int = 0

    @property
    def line(self) -> bytes:
        return self.head.partition(b"\r\n")[0]

    @property
    def headers(self) -> list[Pair]:
        return parse_headers(self.head)

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]


def parse_headers(head: bytes) -> list[Pair]:
    lines = head.rstrip(b"\r\n").split(b"\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]


class Wire:
    """What a script may do on its connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen) -> None:
        self.reader, self.writer, self.seen = reader, writer, seen

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def until_aborted(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.reader.read(65536):
                pass
        self.seen.aborted.set()


Script = Callable[[Wire], Awaitable[None]]


def answering(data: bytes) -> Script:
    async def script(wire: Wire) -> None:
        await wire.send(data)

    return script


def json_answer(body: bytes = b"{}", *, status: bytes = b"200 OK", extra: bytes = b"") -> Script:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
    return answering(head % (status, len(body), extra) + body)


class Upstream:
    def __init__(self, script: Script) -> None:
        self.script, self.requests, self.connections = script, list[Seen](), 0
        self.read_body = True
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._open.add(writer)
        try:
            while (head := await _head(reader)) is not None:
                seen = Seen(head, connection=number)
                self.requests.append(seen)
                if self.read_body:
                    seen.body = await read_body(reader, seen.headers)
                await self.script(Wire(reader, writer, seen))
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def read_body(reader: asyncio.StreamReader, headers: list[Pair]) -> bytes:
    named = {name.lower(): value for name, value in headers}
    if b"chunked" in named.get(b"transfer-encoding", b""):
        return b"".join([chunk async for chunk in chunks(reader)])
    return await reader.readexactly(int(named.get(b"content-length", b"0")))


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Of a chunked body, one by one as framed. Raises IncompleteReadError where it is cut short."""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


@asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[Upstream]:
    server = Upstream(script)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@dataclass
class Reply:
    head: bytes
    body: bytes = b""
    whole: bool = True
    """Whether the body ended as its framing says it ends."""

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> list[Pair]:
        return parse_headers(self.head)

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]


class Agent:
    """A raw HTTP/1.1 connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Reply:
        async with asyncio.timeout(PATIENCE):
            return Reply(await self.reader.readuntil(b"\r\n\r\n"))

    async def reply(self, *, method: bytes = b"POST") -> Reply:
        async with asyncio.timeout(PATIENCE):
            reply = Reply(await self.reader.readuntil(b"\r\n\r\n"))
            if method == b"HEAD" or reply.status in (204, 304) or reply.status < 200:
                return reply
            try:
                reply.body = await read_body(self.reader, reply.headers)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                reply.body = getattr(error, "partial", b"")
                reply.whole = False
            return reply

    async def closed(self) -> bool:
        """Whether the other side hangs up, without another byte."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    def leave(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def agent(port: int) -> AsyncIterator[Agent]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Agent(reader, writer)
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass


def request(
    target: bytes = b"/v1/messages", body: bytes = b"{}", *, method: bytes = b"POST", extra: bytes = b""
) -> bytes:
    if method not in (b"POST", b"PUT", b"PATCH"):
        return b"%b %b HTTP/1.1\r\nhost: proxy\r\n%b\r\n" % (method, target, extra)
    length = b"content-length: %d\r\n" % len(body)
    return b"%b %b HTTP/1.1\r\nhost: proxy\r\n%b%b\r\n%b" % (method, target, extra, length, body)

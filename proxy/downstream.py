"""The agent's side of one request: its body on the way in, and that it is still there.

Rules of this room: `receive` has one reader at a time: first the body, then the watch for the agent
leaving. A body is read whole only within a bound. It must not know upstreams or dialects.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.types import Receive, Scope, Send

from proxy.deadline import Cause, Deadline
from proxy.headers import Pair
from proxy.limits import Limits

EXTENSION = "holdfast"
"""Where a server leaves what ASGI has no place for: `target` and `headers` as received."""

CLOSE: Pair = (b"connection", b"close")


class Gone(Exception):
    """The agent went away while its body was being read."""


class TooLong(Exception):
    """The body is longer than a body that is read whole may be."""


class Downstream:
    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits, closing: Callable[[], bool]) -> None:
        self.method: str = scope["method"]
        self.raw_path: bytes = scope["raw_path"]
        self.query: bytes = scope["query_string"]
        self.headers: Sequence[Pair] = scope["headers"]
        """Lower case, for reading."""
        exact = scope.get("extensions", {}).get(EXTENSION, {})
        self.received: Sequence[Pair] = exact.get("headers", self.headers)
        """As received, for sending on."""
        self.raw_query = self.query or (b"" if exact.get("target", b"").endswith(b"?") else None)
        """None where there is not even a `?`."""
        self.send = send
        self.started = False
        self._receive = receive
        self._limits = limits
        self._closing = closing
        self._more = True
        self._passing: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

    async def whole_body(self, deadline: Deadline) -> bytes:
        """All of it. Raises TooLong or Gone."""
        chunks: list[bytes] = []
        size = 0
        while self._more:
            deadline.allow(self._limits.body_idle, Cause.BODY)
            chunk = await self._chunk()
            size += len(chunk)
            if size > self._limits.body_bytes:
                raise TooLong
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def passing_body(self, deadline: Deadline, first_byte: float) -> AsyncIterator[bytes]:
        """The body as it is taken in, one chunk held at a time."""
        while chunk := await self._passing.get():
            yield chunk
        if not self.started:
            deadline.allow(first_byte, Cause.FIRST_BYTE)

    @contextlib.asynccontextmanager
    async def attended(self, deadline: Deadline, pause: float) -> AsyncIterator[None]:
        """From here on, its leaving ends the exchange; `pause` bounds one in the body still to come."""
        attending = asyncio.get_running_loop().create_task(self._attend(deadline, pause))
        try:
            yield
        finally:
            attending.cancel()

    async def _attend(self, deadline: Deadline, pause: float) -> None:
        """Take in what is left of the body, then cut the exchange short when the agent goes away
        (reliability test p): before the first byte, in the stream, and when nothing is streamed."""
        try:
            while self._more:
                deadline.allow(pause, Cause.WRITE)
                if chunk := await self._chunk():
                    await self._passing.put(chunk)
            await self._passing.put(b"")
            while True:
                await self._chunk()
        except Gone:
            deadline.cut(Cause.DISCONNECTED)

    async def _chunk(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._more = message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    @property
    def body_is_in(self) -> bool:
        return not self._more

    async def start(self, status: int, headers: Sequence[Pair], reason: bytes | None = None) -> None:
        """`reason`: the upstream's, for a server that can send it on."""
        self.started = True
        sent = [*headers, CLOSE] if self._closing() else list(headers)
        message = {"type": "http.response.start", "status": status, "headers": sent}
        await self.send(message if reason is None else {**message, "reason": reason})

    async def write(self, chunk: bytes) -> None:
        await self.send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self) -> None:
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def reply(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        """Our own answer. With a body still unread, the connection closes after it, so that the rest
        is never taken for the next request (Pingora CVE-2025-4366)."""
        early = not self.body_is_in
        length = (b"content-length", str(len(body)).encode())
        await self.start(status, (*headers, length, CLOSE) if early and not self._closing() else (*headers, length))
        if self.method != "HEAD":
            await self.write(body)
        if early:
            await self._take_leftovers()
        await self.finish()

    async def _take_leftovers(self) -> None:
        # closing at once would reset the connection before a client that is still sending reads the answer
        left = self._limits.leftover_bytes
        try:
            async with asyncio.timeout(self._limits.body_idle / 10):
                while self._more and left > 0:
                    left -= len(await self._chunk())
        except (Gone, TimeoutError):
            pass

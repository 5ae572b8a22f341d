"""The two sides of a relayed connection, in one form: messages in, messages out, and how it closed.

Rules of this room: a message is text or bytes, whole. What one side cannot take in is held by that side's socket, and
nothing is read from the other meanwhile. It must not know what a message says.
"""

from typing import Protocol

from starlette.types import Message, Receive, Send
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from proxy.websocket import library
from proxy.websocket.ends import ABNORMAL, Close, received

Data = str | bytes


class Ended(Exception):
    """The connection is over. `close` is None where it just broke; `detail` says why, if that is known."""

    def __init__(self, close: Close | None, detail: str = "") -> None:
        self.close, self.detail = close, detail
        super().__init__(detail)


class Side(Protocol):
    async def receive(self) -> Data:
        """The next message. Raises Ended."""
        ...

    async def send(self, data: Data) -> None:
        """Returns when more can be taken in. Raises Ended."""
        ...

    async def close(self, close: Close) -> None:
        """Say so and wait for the answer, within a bound. Does nothing to one that is closed."""
        ...


class AgentSide:
    """Through ASGI."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send

    async def receive(self) -> Data:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Ended(received(message.get("code", ABNORMAL), message.get("reason") or ""), message.get("detail", ""))
        text: str | None = message.get("text")
        data: bytes | None = message.get("bytes")
        return text if text is not None else data or b""

    async def send(self, data: Data) -> None:
        key = "text" if isinstance(data, str) else "bytes"
        await self._told({"type": "websocket.send", key: data})

    async def close(self, close: Close) -> None:
        try:
            await self._told({"type": "websocket.close", "code": close.code, "reason": close.reason})
        except Ended:
            pass

    async def _told(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:  # as the ASGI specification has it, for one that is gone
            raise Ended(None) from error


class UpstreamSide:
    """Through `websockets`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> Data:
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise ended(closed) from closed

    async def send(self, data: Data) -> None:
        try:
            await self._connection.send(data)
        except ConnectionClosed as closed:
            raise ended(closed) from closed

    async def close(self, close: Close) -> None:
        await library.close(self._connection, close.code, close.reason)


def ended(closed: ConnectionClosed) -> Ended:
    """What a library's exception says. A close frame that only answers ours is no end of the other side's."""
    if closed.rcvd is not None and closed.rcvd_then_sent is not False:
        return Ended(received(closed.rcvd.code, closed.rcvd.reason))
    return Ended(None, closed.sent.reason if closed.sent else "")

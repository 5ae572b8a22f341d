"""The simulated providers' WebSocket: the handshake, then message after message, each a record of its own.

Rules of this room: as in `app`, the clock is an argument and a caller who leaves is noticed. What a message means is
the API's business. Messages are answered one at a time, in order of arrival.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from proxy.simulator.apis import Call, Connection
from proxy.simulator.faults import Delays, Fault, Faults
from proxy.simulator.openai import check_credential
from proxy.simulator.paths import FALLBACK
from proxy.simulator.records import Log, Record
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses import RESPONSES, RESPONSES_SOCKET
from proxy.simulator.responses.socket import check_age
from proxy.simulator.service import Reply, Service, refused

PATH = "/v1/responses"
METHOD = "WEBSOCKET"
"""Of a message's record; a handshake that is refused has GET."""


class SocketDoor:
    """The ASGI side."""

    def __init__(self, service: Service, log: Log, clock: Callable[[], float], delays: Delays, faults: Faults) -> None:
        self._service, self._log, self._clock, self._delays, self._faults = service, log, clock, delays, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if (reply := _unwanted(socket)) is not None:
            self._log.begin(self._record(socket, b"", "GET", status=reply.status, error=reply.error, done=True))
            body = b"".join(reply.chunks)
            await socket.send_denial_response(Response(body, reply.status, media_type=reply.media_type))
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await self._converse(socket, Connection(self._clock()))

    async def _converse(self, socket: WebSocket, connection: Connection) -> None:
        messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        left = asyncio.Event()
        taking_in = asyncio.ensure_future(_take_in(socket, messages, left))
        try:
            going_on = True
            while going_on and (message := await messages.get()) is not None:
                going_on = await self._answer(socket, connection, message, left)
        finally:
            taking_in.cancel()

    async def _answer(self, socket: WebSocket, connection: Connection, message: bytes, left: asyncio.Event) -> bool:
        """Answer one message; false where the connection ends with it."""
        now, number = self._clock(), len(self._log.records)
        self._log.begin(self._record(socket, message, METHOD, api=RESPONSES_SOCKET.name))
        fault = self._faults(number) or Fault()
        try:
            check_age(connection, now)
        except Refusal as old:
            await self._deliver(socket, connection, number, refused(RESPONSES_SOCKET, old, f"{number}"), fault)
            await socket.close()
            return False
        reply = self._reply(_call(socket, message, connection), fault, number, now)
        work = asyncio.ensure_future(self._deliver(socket, connection, number, reply, fault))
        watch = asyncio.ensure_future(left.wait())
        await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        gone = not work.done()
        work.cancel()
        whole = (await asyncio.gather(work, return_exceptions=True))[0] is True
        begun = self._log.records[number].status is not None
        self._log.note(number, done=True, left=("during" if begun else "before") if gone else "")
        return whole

    def _reply(self, call: Call, fault: Fault, number: int, now: float) -> Reply:
        if fault.status is not None:
            return refused(RESPONSES_SOCKET, Refusal(fault.status, fault.message), f"{number}", fault.headers)
        return self._service.answer(RESPONSES_SOCKET, call, number, now)

    async def _deliver(
        self, socket: WebSocket, connection: Connection, number: int, reply: Reply, fault: Fault
    ) -> bool:
        """Send it; false where it was broken off."""
        self._log.note(number, error=reply.error, usage=reply.bill)
        if reply.asked is not None:
            self._log.note(number, model=reply.asked.model, stream=True, reports=reply.asked.reports)
        if fault.hang:
            await asyncio.Event().wait()
        await asyncio.sleep(self._delays.first_byte)
        reply.begin()
        self._log.note(number, status=reply.status)
        sent = 0
        for place, message in enumerate(reply.chunks):
            await asyncio.sleep(self._delays.chunk if place else 0)
            if fault.abort_after is not None and sent >= fault.abort_after:
                return False
            await socket.send_text((_addressed(message, reply, connection) if reply.error else message).decode())
            sent += len(message)
        self._log.note(number, done=True)
        return True

    def _record(
        self,
        socket: WebSocket,
        body: bytes,
        method: str,
        *,
        api: str = "",
        status: int | None = None,
        error: str | None = None,
        done: bool = False,
    ) -> Record:
        return Record(
            number=len(self._log.records),
            method=method,
            path=socket.scope["path"],
            query=socket.scope["query_string"].decode("latin-1"),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in socket.headers.raw),
            body=body,
            started=self._clock(),
            api=api,
            status=status,
            error=error,
            done=done,
        )


def _unwanted(socket: WebSocket) -> Reply | None:
    """Why this handshake is refused, if it is."""
    if socket.scope["path"] != PATH:
        return refused(FALLBACK, Refusal(404, "Not Found"), "0")
    try:
        check_credential(_call(socket, b"", None))
    except Refusal as refusal:
        return refused(RESPONSES, refusal, "0")
    return None


def _call(socket: WebSocket, body: bytes, connection: Connection | None) -> Call:
    return Call(PATH, dict(socket.query_params), dict(socket.headers), body, connection)


def _addressed(message: bytes, reply: Reply, connection: Connection) -> bytes:
    """An error with the headers that belong to it, and the lane that it belongs to."""
    headers = {"headers": dict(reply.headers)} if reply.headers else {}
    lane = {"stream_id": connection.lane} if connection.lane else {}
    return json.dumps({**json.loads(message), **headers, **lane}).encode()


async def _take_in(socket: WebSocket, messages: "asyncio.Queue[bytes | None]", left: asyncio.Event) -> None:
    """Whatever arrives, in order, then None."""
    while (event := await socket.receive())["type"] != "websocket.disconnect":
        text = event.get("text")
        messages.put_nowait(text.encode() if text is not None else b"")
    left.set()
    messages.put_nowait(None)

"""uvicorn's WebSocket protocol: the agent's connection, as an ASGI application sees it.

uvicorn's own (0.54) keeps no bound on the number of fragments, cannot tell a broken connection from one closed without
a code, words refusals itself and closes everything the moment the server is asked to stop. This one is a thin layer
over the connection of `websockets`, which has flow control, bounds, keepalive and the closing handshake. Rules of this
room: only what ASGI cannot say goes through an extension; stopping is the application's business.
It must not know upstreams.
"""

import asyncio
import logging
from typing import Any, cast

from starlette.types import Message, Scope
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.asyncio.connection import Connection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from proxy.headers import Pair
from proxy.websocket import library
from proxy.websocket.ends import ABNORMAL, INTERNAL, NO_STATUS, RESTART
from proxy.websocket.library import CLOSE_SECONDS, DEFLATE, QUEUED, QUIET, WINDOW_BITS, close
from proxy.websocket.sides import ended

log = logging.getLogger("holdfast.websocket")

OF_THIS_HOP = (b"connection", b"upgrade", b"sec-websocket-")


class AgentSocket(Connection):
    """See the module."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        deflate = ServerPerMessageDeflateFactory(
            server_max_window_bits=WINDOW_BITS, client_max_window_bits=WINDOW_BITS, compress_settings=DEFLATE
        )
        self._handshake = ServerProtocol(extensions=[deflate], max_size=config.ws_max_size, logger=QUIET)
        super().__init__(
            self._handshake,
            ping_interval=library.PING_SECONDS,
            ping_timeout=None,
            close_timeout=CLOSE_SECONDS,
            max_queue=QUEUED,
        )
        self._app, self._state = config.loaded_app, server_state
        self._connecting = True
        self._refusing: tuple[int, str, list[Pair]] | None = None
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._state.connections.add(cast(Any, self))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._state.connections.discard(cast(Any, self))

    def shutdown(self) -> None:
        """Called by the server when it stops accepting. The application ends the connection between two turns."""

    def begin(self, scope: Scope) -> None:
        """A request asks for a WebSocket; `scope` is its, with type `websocket`. The library sees what is its own."""
        own = [(name.decode("ascii"), value.decode("latin-1")) for name, value in scope["headers"] if _own(name)]
        request = Request("/", Headers(own), protocol=f"HTTP/{scope['http_version']}")
        self.protocol.receive_data(request.serialize())
        if not self.protocol.events_received():  # a line of it is longer than the library reads
            response = self._handshake.reject(431, "the handshake's headers are too long\n")
        else:
            response = self._handshake.accept(request)
        if response.status_code != 101:
            log.info("refused with %d: not a WebSocket handshake", response.status_code)
            self._answer(response)
            return
        self.response = response
        task = self.loop.create_task(self._run(scope))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def data_received(self, data: bytes) -> None:
        if self.protocol.state is State.CONNECTING:  # not before the answer (RFC 6455, section 4.1)
            self.transport.abort()
        else:
            super().data_received(data)

    async def _run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            self._fail(RESTART, "restarting")
            raise
        except ClientDisconnected:
            pass
        except Exception:
            log.exception("a fault while serving a WebSocket")
            self._fail(INTERNAL, "")
        finally:
            self.transport.close()

    def _fail(self, code: int, reason: str) -> None:
        if self.protocol.state is State.CONNECTING:
            self._answer(self._handshake.reject(500 if code == INTERNAL else 503, f"{reason or 'internal error'}\n"))
        elif self.protocol.state is State.OPEN:
            self.protocol.fail(code, reason)
            self.send_data()

    async def _receive(self) -> Message:
        if self._connecting:
            self._connecting = False
            return {"type": "websocket.connect"}
        try:
            data = await self.recv()
        except ConnectionClosed as closed:
            return _disconnected(closed)
        return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self._accept(message)
            case "websocket.http.response.start":
                self._refusing = message["status"], message.get("reason", b"").decode("latin-1"), message["headers"]
            case "websocket.http.response.body":
                self._refuse(message)
            case "websocket.send":
                text = message.get("text")
                await self._passed(text if text is not None else message["bytes"])
            case "websocket.close":
                await close(self, message.get("code", 1000), message.get("reason") or "")
            case other:
                raise RuntimeError(f"unexpected ASGI message `{other}`")

    def _accept(self, message: Message) -> None:
        if self.transport.is_closing():
            raise ClientDisconnected
        assert self.response is not None
        del self.response.headers["Date"]  # the upstream's own, or none
        for name, value in message.get("headers", ()):
            self.response.headers[name.decode("ascii")] = value.decode("latin-1")
        if chosen := message.get("subprotocol"):
            self.response.headers["Sec-WebSocket-Protocol"] = chosen
        self._handshake.send_response(self.response)
        self.send_data()
        self.start_keepalive()

    def _refuse(self, message: Message) -> None:
        assert self._refusing is not None
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            status, reason, headers = self._refusing
            lines = Headers((name.decode("ascii"), value.decode("latin-1")) for name, value in headers)
            lines.setdefault("connection", "close")
            self._answer(Response(status, reason, lines, self._body))

    def _answer(self, response: Response) -> None:
        """An answer that is no WebSocket, and the last one here."""
        if self.protocol.state is State.CONNECTING and not self.transport.is_closing():
            self.transport.write(response.serialize())
        self.transport.close()

    async def _passed(self, data: str | bytes) -> None:
        try:
            await self.send(data)
        except ConnectionClosed as closed:
            raise ClientDisconnected from closed


def _own(name: bytes) -> bool:
    return name.startswith(OF_THIS_HOP)


def _disconnected(closed: ConnectionClosed) -> Message:
    """`detail`, which ASGI does not have: why this side ended it, where it did."""
    end = ended(closed)
    code = ABNORMAL if end.close is None else end.close.code or NO_STATUS
    reason = end.close.reason if end.close else ""
    return {"type": "websocket.disconnect", "code": code, "reason": reason, "detail": end.detail}

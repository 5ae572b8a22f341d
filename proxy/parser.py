"""uvicorn's HTTP protocol: heads within bounds on the way in, exact in both directions.

uvicorn 0.54 takes in a megabyte of headers, keeps a connection that sends one byte of them now and
then for ever (50 of 50 connections of slowhttptest), lower-cases header names both ways and words the
status line itself. Rules of this room: only what the ASGI interface cannot say; everything else about a
request is `limits.py`. It must not know applications.
"""

import asyncio
from typing import Any

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from proxy.downstream import EXTENSION
from proxy.websocket.agent import AgentSocket

HEAD_SECONDS = 10.0
"""For a head, from its first byte; as nginx's client_header_timeout, but shorter."""

FIRST_SECONDS = 75.0
"""For the first byte on a new connection."""

HEAD_BYTES = 256 * 1024
"""Of a head before it is complete; the stricter limit, with a clear answer, comes after."""

NO_TUNNELS = "This is no forward proxy: set the agent's base URL, or use `holdfast intercept`."


UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 19\r\nconnection: close\r\n\r\nService Unavailable"
)
"""As uvicorn says it where too many connections are open."""


class StrictProtocol(HttpToolsProtocol):
    """See the module."""

    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head(FIRST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_in()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("Request head too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._cased: list[tuple[bytes, bytes]] = []
        self._wait_for_head(HEAD_SECONDS)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # or a field behind the last chunk, a second `authorization` say, joins them
            super().on_header(name, value)
            self._cased.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_is_in()
        self.scope["extensions"] = {EXTENSION: {"target": self.url, "headers": self._cased}}
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        # what an agent asks of a forward proxy, so somebody has set HTTPS_PROXY where a base URL was meant
        tunnel = self.parser.get_method() == b"CONNECT"
        super().send_400_response(NO_TUNNELS if tunnel else msg)

    def _should_upgrade(self) -> bool:
        """Only a GET asks for a WebSocket (RFC 6455, section 4.1); any other request is served as if it did not ask."""
        return bool(super()._should_upgrade()) and self.parser.get_method() == b"GET"

    def handle_websocket_upgrade(self) -> None:
        """Hands the connection on, with the head as it came; uvicorn checks no limit here."""
        self.connections.discard(self)
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            return self.send_400_response("Invalid HTTP request received.")
        if self._is_full():
            self.transport.write(UNAVAILABLE)
            return self.transport.close()
        socket = AgentSocket(self.config, self.server_state, self.app_state)
        socket.connection_made(self.transport)
        self.transport.set_protocol(socket)
        socket.begin(
            {**self.scope, "type": "websocket", "raw_path": url.path or b"", "query_string": url.query or b""},
        )

    def _is_full(self) -> bool:
        limit = self.limit_concurrency
        return limit is not None and max(len(self.connections), len(self.tasks)) >= limit

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, _with_exact_heads(app, cycle))

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0

    def _wait_for_head(self, seconds: float) -> None:
        self._head_is_in()
        self._in_head = True
        self._head_timer = self.loop.call_later(seconds, self._hang_up)

    def _head_is_in(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def _with_exact_heads(app: ASGIApp, cycle: RequestResponseCycle) -> Any:
    async def send(message: Message) -> None:
        if "reason" in message and not cycle.response_started:
            _write_head(cycle, message)
        else:
            await cycle.send(message)  # type: ignore[arg-type]

    async def entered(scope: Scope, receive: Receive, _: Send) -> None:
        await app(scope, receive, send)

    return entered


def _write_head(cycle: RequestResponseCycle, message: Message) -> None:
    """As uvicorn does, but with names and reason as given. The application vouches for their syntax."""
    if cycle.disconnected:
        return
    status, lines = message["status"], list(message["headers"])
    named = {name.lower(): value for name, value in lines}
    cycle.response_started, cycle.waiting_for_100_continue = True, False
    cycle.chunked_encoding = False
    if cycle.scope["method"] != "HEAD" and status not in (204, 304):
        if b"content-length" in named:
            cycle.expected_content_length = int(named[b"content-length"])
        else:
            cycle.chunked_encoding = True
            lines.append((b"transfer-encoding", b"chunked"))
    if b"close" in named.get(b"connection", b""):
        cycle.keep_alive = False
    elif not cycle.keep_alive:
        lines.append((b"connection", b"close"))
    head = [b"HTTP/1.1 %d %b\r\n" % (status, message["reason"])]
    head += [b"%b: %b\r\n" % line for line in lines]
    cycle.transport.write(b"".join(head) + b"\r\n")

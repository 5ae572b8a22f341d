"""uvicorn's HTTP protocol, with a bound on how long and how large a request's head may be.

uvicorn 0.54 has neither: a megabyte of headers is taken in, and a connection that sends one byte of
them now and then is kept for ever (50 of 50 connections of slowhttptest). Rules of this room: only what
must happen before there is a request; everything else about it is `limits.py`. It must not know
applications.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""For a head, from its first byte; as nginx's client_header_timeout, but shorter."""

FIRST_SECONDS = 75.0
"""For the first byte on a new connection."""

HEAD_BYTES = 256 * 1024
"""Of a head before it is complete; the stricter limit, with a clear answer, comes after."""


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
        self._wait_for_head(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._head_is_in()
        super().on_headers_complete()

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

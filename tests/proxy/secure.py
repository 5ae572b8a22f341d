"""TLS upstreams with a certificate of their own making, one speaking HTTP/1.1, one HTTP/2."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import h2.config
import h2.connection
import h2.events
import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")


def certificate(folder: Path) -> tuple[Path, Path]:
    """Certificate and key for 127.0.0.1, valid for a day."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=upstream"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *options.split(), *names], check=True, capture_output=True, timeout=30)
    return cert, key


class Http2(asyncio.Protocol):
    """Answers each request with one header list and two data frames; records header lists as sent."""

    def __init__(self, seen: list[list[tuple[bytes, bytes]]], bodies: list[bytes]) -> None:
        self.seen, self.bodies, self.body = seen, bodies, b""
        self.engine = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self.engine.initiate_connection()
        self.transport.write(self.engine.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.engine.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self.seen.append([(bytes(name), bytes(value)) for name, value in event.headers or ()])
            elif isinstance(event, h2.events.DataReceived):
                self.body += event.data or b""
                self.engine.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            elif isinstance(event, h2.events.StreamEnded):
                self._answer(event.stream_id or 0)
        self.transport.write(self.engine.data_to_send())

    def _answer(self, stream: int) -> None:
        self.bodies.append(self.body)
        self.body = b""
        self.engine.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream"), ("x-up", "1")])
        self.engine.send_data(stream, b"data: 1\n\n")
        self.engine.send_data(stream, b"data: 2\n\n", end_stream=True)


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Http1(asyncio.Protocol):
    """Gives the same answer to everything that is sent in one piece."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer)


@asynccontextmanager
async def tls_upstream(cert: Path, key: Path, answer: bytes = ANSWER) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Http1(answer), "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def http2_upstream(
    cert: Path, key: Path, seen: list[list[tuple[bytes, bytes]]], bodies: list[bytes]
) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Http2(seen, bodies), "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()

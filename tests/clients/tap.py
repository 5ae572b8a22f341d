"""A wire tap between a client and Holdfast: bytes are copied both ways, and read only when the run is over.

Rules of this room: nothing is parsed, changed or held on the way, so what is recorded is what the client sent
and got. HTTP/1.1 is read by h11, the strict parser; of a WebSocket, each message of the client is an exchange.
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import h11

from proxy.simulator.sockets import METHOD as WEBSOCKET
from tests.clients.frames import messages

PATIENCE = 10.0
SWITCHED = b"HTTP/1.1 101 "
TAKEN = h11.Response(status_code=200, headers=[("content-length", "0")])


@dataclass(frozen=True)
class Exchange:
    """One request as the client sent it, and the head of what it got."""

    time: float
    """When the request was complete."""
    method: str
    target: str
    body: bytes
    status: int
    headers: Mapping[str, str]
    """Of the answer, names in lower case."""


@dataclass
class Wire:
    """One connection: all bytes of both directions, those of the client with their times."""

    near: socket.socket
    far: socket.socket
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    received: list[tuple[float, bytes]] = field(default_factory=list)

    def close(self) -> None:
        for end in (self.near, self.far):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass
class Tap:
    url: str
    wires: list[Wire] = field(default_factory=list)

    def exchanges(self) -> list[Exchange]:
        """In order of arrival; a request without an answer is left out."""
        return sorted((exchange for wire in self.wires for exchange in _read(wire)), key=lambda exchange: exchange.time)


@contextmanager
def tapped(upstream: str) -> Iterator[Tap]:
    """Listens on a free port, and connects each caller to `upstream` (http://HOST:PORT)."""
    host, _, port = upstream.removeprefix("http://").rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tap = Tap(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listener, (host, int(port)), tap, threads), daemon=True)
        accepting.start()
        try:
            yield tap
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(PATIENCE)
            for wire in tap.wires:
                wire.close()
            for thread in threads:
                thread.join(PATIENCE)


def _accept(listener: socket.socket, upstream: tuple[str, int], tap: Tap, threads: list[threading.Thread]) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        wire = Wire(near, socket.create_connection(upstream))
        for end in (wire.near, wire.far):  # or a body that follows its head waits 40 ms for the head's acknowledgement
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tap.wires.append(wire)
        for source, target, kept in ((near, wire.far, wire.sent), (wire.far, near, wire.received)):
            thread = threading.Thread(target=_copy, args=(source, target, kept), daemon=True)
            threads.append(thread)
            thread.start()


def _copy(source: socket.socket, target: socket.socket, kept: list[tuple[float, bytes]]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            kept.append((time.monotonic(), data))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _read(wire: Wire) -> Iterator[Exchange]:
    received = b"".join(data for _, data in wire.received)
    if received.startswith(SWITCHED):
        target = wire.sent[0][1].split(b" ", 2)[1].decode()
        yield from (Exchange(at, WEBSOCKET, target, body, 200, {}) for at, body in messages(wire.sent, received))
        return
    client = h11.Connection(h11.CLIENT)
    client.receive_data(received)
    for arrived, head, body in _requests(wire.sent):
        client.send(h11.Request(method=head.method, target=head.target, headers=[("host", "tapped")]))
        client.send(h11.EndOfMessage())
        answer = _answer(client)
        if answer is None:
            return
        headers = {name.decode(): value.decode() for name, value in answer.headers}
        yield Exchange(arrived, head.method.decode(), head.target.decode(), body, answer.status_code, headers)
        if client.their_state is not h11.DONE:
            return
        client.start_next_cycle()


def _requests(chunks: list[tuple[float, bytes]]) -> Iterator[tuple[float, h11.Request, bytes]]:
    server = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    parts: list[bytes] = []
    for arrived, data in chunks:
        server.receive_data(data)
        while not isinstance(event := server.next_event(), type) and not isinstance(event, h11.ConnectionClosed):
            if isinstance(event, h11.Request):
                head, parts = event, []
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            elif head is not None:
                yield arrived, head, b"".join(parts)
                server.send(TAKEN)  # h11 reads the next request only after an answer to this one
                server.send(h11.EndOfMessage())
                if server.our_state is not h11.DONE:
                    return
                server.start_next_cycle()


def _answer(client: h11.Connection) -> h11.Response | None:
    """The head of an answer, which is read as far as it goes: Codex leaves when it has the event that it waits for."""
    head = None
    while isinstance(event := client.next_event(), h11.Response | h11.InformationalResponse | h11.Data):
        head = event if isinstance(event, h11.Response) else head
    return head

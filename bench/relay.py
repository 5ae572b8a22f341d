"""What the relay costs: added latency, requests per second, and streamed chunks, against going direct.

    python -m bench.relay            (about two minutes; --quick for a smoke run)

One upstream, one proxy a transport, each in a process of its own on loopback; nothing is edited, so
this is the floor on which planning adds. Requests to the proxies and to the upstream itself are
interleaved, so that other load on the machine falls on all of them. Figures are the machine's own; the
ratios are what to compare.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import cast

import httpx
import uvloop

from proxy import exchange
from proxy.lifecycle import Lifecycle
from proxy.reverse import ReverseProxy
from proxy.routes import Routes
from proxy.server import Drain, listen, run, serve
from proxy.upstream import Pool, Upstream, open_transport

SIZES = {"4k": 16_000, "32k": 128_000, "128k": 512_000}
"""Tokens of a body, at 4 bytes each."""

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"%05d"}}],"object":"chat.completion.chunk"}\n\n'
CHUNKS = 2000
JSON = b'{"usage":{"prompt_tokens":1}}'


class Plain(asyncio.Protocol):
    """The least that answers: JSON at once, or CHUNKS server-sent events."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.data, self.need = bytearray(), 0

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.need and (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.data[:end]).lower()
            self.need = end + 4 + int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            self.streamed = b"stream" in head.split(b"\r\n")[0]
        if self.need and len(self.data) >= self.need:
            self.answer()
            self.data, self.need = bytearray(), 0

    def answer(self) -> None:
        if not self.streamed:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(JSON)
            self.transport.write(head + JSON)
            return
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for number in range(CHUNKS):
            chunk = CHUNK % number
            self.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.transport.write(b"0\r\n\r\n")


def upstream_process(port: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Plain, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


async def unplanned(request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
    return exchange.Prepared(request, request.body, ())


async def unsettled(*args: object, **named: object) -> None:
    pass


def proxy_process(port: Connection, url: str, plain_httpx: bool) -> None:
    upstream = Upstream("openai", url, "openai_chat")
    transport = httpx.AsyncHTTPTransport(trust_env=False) if plain_httpx else open_transport(upstream)
    from proxy.dialects.registry import DIALECTS

    async def main() -> None:
        lifecycle = Lifecycle()
        app = ReverseProxy(
            Routes((upstream,), DIALECTS),
            {"openai": Pool(upstream, transport)},
            cast(exchange.Context, None),
            time.perf_counter,
            lifecycle=lifecycle,
            prepare=unplanned,
            settle=unsettled,
        )
        await serve(
            app,
            None,
            traffic=listen("127.0.0.1", 0),
            admin=None,
            lifecycle=lifecycle,
            close=app.close,
            drain=Drain(grace=0, patience=1),
            started=lambda traffic, admin: port.send(traffic.port),
        )

    run(main)


def started(target: Callable[..., None], *args: object) -> tuple[multiprocessing.Process, str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    return cast(multiprocessing.Process, process), f"http://127.0.0.1:{ours.recv()}"


class Client:
    """A keep-alive connection that costs as little as it can."""

    def __init__(self, url: str) -> None:
        self.host, _, port = url.removeprefix("http://").partition(":")
        self.port = int(port)

    async def open(self) -> "Client":
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        return self

    async def ask(self, path: bytes, body: bytes) -> float:
        """Seconds until the answer is whole."""
        began = time.perf_counter()
        head = b"POST %b HTTP/1.1\r\nhost: h\r\nauthorization: Bearer k\r\ncontent-type: application/json\r\n"
        self.writer.write(head % path + b"content-length: %d\r\n\r\n" % len(body) + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        if b"chunked" in answer.lower():
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                await self.reader.readexactly(size + 2)
            await self.reader.readexactly(2)
        else:
            await self.reader.readexactly(len(JSON))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return time.perf_counter() - began


@dataclass(frozen=True)
class Latency:
    p50: float
    p99: float


def body_of(size: int, number: int) -> bytes:
    filler = b'{"role":"user","content":"' + b"x" * 970 + b'"},'
    return b'{"model":"m","messages":[' + filler * (size // 1000) + b'{"role":"user","content":"%d"}]}' % number


async def latency(urls: dict[str, str], size: int, rounds: int) -> dict[str, Latency]:
    clients = {name: await Client(url).open() for name, url in urls.items()}
    taken: dict[str, list[float]] = {name: [] for name in urls}
    for number in range(-10, rounds):
        body = body_of(size, number)
        for name, client in clients.items():
            seconds = await client.ask(b"/v1/chat/completions", body)
            if number >= 0:
                taken[name].append(seconds * 1000)
    return {name: Latency(statistics.median(ms), statistics.quantiles(ms, n=100)[98]) for name, ms in taken.items()}


async def throughput(url: str, size: int, requests: int, connections: int = 16) -> float:
    clients = [await Client(url).open() for _ in range(connections)]
    body = body_of(size, 0)

    async def worker(client: Client) -> None:
        for _ in range(requests // connections):
            await client.ask(b"/v1/chat/completions", body)

    began = time.perf_counter()
    await asyncio.gather(*(worker(client) for client in clients))
    return requests / (time.perf_counter() - began)


async def streaming(url: str, rounds: int) -> float:
    """Chunks of the upstream that reach the client, per second."""
    client = await Client(url).open()
    await client.ask(b"/v1/chat/completions?stream", b"{}")
    seconds = [await client.ask(b"/v1/chat/completions?stream", b"{}") for _ in range(rounds)]
    return CHUNKS / statistics.median(seconds)


async def measure(urls: dict[str, str], quick: bool) -> None:
    rounds = 30 if quick else 300
    print("added latency, ms (p50 / p99), one connection; in brackets the whole as a multiple of direct")
    for label, size in SIZES.items():
        found = await latency(urls, size, rounds)
        direct = found["direct"]
        print(f"  {label:>5} tokens  direct {direct.p50:.2f} / {direct.p99:.2f}", end="")
        for name in list(urls)[1:]:
            mine = found[name]
            added = f"{mine.p50 - direct.p50:+.2f} / {mine.p99 - direct.p99:+.2f}"
            print(f"   {name} {added} ({mine.p50 / direct.p50:.1f}x)", end="")
        print()
    print("requests per second, 16 connections; share of direct")
    for label, size in SIZES.items():
        rates = {name: await throughput(url, size, 160 if quick else 1600) for name, url in urls.items()}
        print(
            f"  {label:>5} tokens", *(f"  {n} {rate:.0f} ({rate / rates['direct']:.2f})" for n, rate in rates.items())
        )
    rates = {name: await streaming(url, 3 if quick else 20) for name, url in urls.items()}
    print(f"streamed chunks per second, {CHUNKS} of {len(CHUNK % 0)} bytes; share of direct")
    print("             ", *(f"  {n} {rate:.0f} ({rate / rates['direct']:.2f})" for n, rate in rates.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    quick: bool = parser.parse_args().quick
    upstream, direct = started(upstream_process)
    ours, through = started(proxy_process, direct, False)
    plain, plain_url = started(proxy_process, direct, True)
    try:
        uvloop.run(measure({"direct": direct, "httpx-aiohttp": through, "httpx": plain_url}, quick))
    finally:
        for process in (ours, plain, upstream):
            process.kill()


if __name__ == "__main__":
    main()

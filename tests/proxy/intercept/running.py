"""The intercepting port on a free port, a TLS upstream at the level of bytes, and a raw agent in a tunnel.

mitmproxy is imported when a port is opened, so that test files can be collected where it is missing.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from proxy.dialects import Dialect
from proxy.intercept.authority import Authority
from proxy.intercept.reach import Reach, reach
from proxy.intercept.targets import Targets
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.server import Address, Drain, listen, serve_port
from proxy.turns import Turns
from proxy.upstream import Upstream
from tests.proxy.driving import Replica
from tests.proxy.running import NOW, Driver, Reader, Recorder, Running, dialects
from tests.proxy.wire import Agent, Reply, Script, agent
from tests.proxy.wire import Upstream as Plain


@dataclass(frozen=True)
class Trust:
    """What the ends of a connection go by."""

    authority: Authority
    certificate: Path
    key: Path
    """Of every upstream: for 127.0.0.1, and not of the authority's."""

    def agent(self) -> ssl.SSLContext:
        """Of one that trusts the authority alone: what it accepts was decrypted."""
        return ssl.create_default_context(cafile=str(self.authority.certificate))

    def direct(self) -> ssl.SSLContext:
        """Of one that trusts the upstream alone: what it accepts was not."""
        return ssl.create_default_context(cafile=str(self.certificate))


class Secure(Plain):
    """A scripted upstream with a certificate."""

    def __init__(self, script: Script, trust: Trust) -> None:
        super().__init__(script)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(trust.certificate, trust.key)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)


@asynccontextmanager
async def secure(script: Script, trust: Trust) -> AsyncIterator[Secure]:
    server = Secure(script, trust)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def anywhere(host: str, port: int) -> str:
    """For tests that need somebody else's host: it is on loopback, like everything."""
    return "127.0.0.1"


@asynccontextmanager
async def intercepting(
    trust: Trust,
    *upstreams: Upstream,
    driver: Driver | None = None,
    limits: Limits | None = None,
    reach: Reach = reach,
    reader: Callable[[], Reader] = Reader,
    known: Sequence[Dialect] = (),
    drain: Drain | None = None,
    holding: bool = False,
) -> AsyncIterator[Running]:
    """`holding`: answers are left to mitmproxy, which holds each until it is whole."""
    from proxy.intercept.addon import Interceptor
    from proxy.intercept.port import ForwardPort

    driver, recorder, lifecycle = driver or Driver(), Recorder(), Lifecycle()
    context = Replica().context  # little of it is used: both coroutines are the driver's
    turns = Turns(context, lambda: NOW, limits or Limits(), lifecycle, recorder, driver.prepare, driver.settle)
    drain = drain or Drain(grace=0.0, patience=1.0, settle=1.0)
    kind = type("Holding", (Interceptor,), {"responseheaders": lambda self, flow: None}) if holding else Interceptor
    interceptor = kind(Targets(upstreams, known or dialects(reader)), turns, reach)
    port = ForwardPort(interceptor, trust.authority, body_bytes=turns.limits.body_bytes, patience=drain.patience)
    accepting: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = serve_port(
        port,
        None,
        traffic=listen("127.0.0.1", 0),
        admin=None,
        lifecycle=lifecycle,
        close=lifecycle.finish,
        drain=drain,
        started=lambda address, _: accepting.set_result(address),
        stop=stop,
    )
    server = asyncio.get_running_loop().create_task(serving)
    server.add_done_callback(lambda _: accepting.cancel())
    try:
        yield Running((await accepting).port, driver, recorder, lifecycle, stop, server)
    finally:
        stop.set()
        await server


async def connect(to: Agent, host: str, port: int) -> Reply:
    """Ask for a tunnel."""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    await to.send(f"CONNECT {name} HTTP/1.1\r\nhost: {name}\r\n\r\n".encode())
    return await to.head()


@asynccontextmanager
async def tunnel(
    running: Running, upstream: Plain, trusted: ssl.SSLContext, *, host: str = "127.0.0.1", named: str = "127.0.0.1"
) -> AsyncIterator[Agent]:
    """A raw agent that speaks TLS with whoever answers in the tunnel."""
    async with agent(running.port) as raw:
        reply = await connect(raw, host, upstream.port)
        assert reply.status == 200, reply.head
        await raw.writer.start_tls(trusted, server_hostname=named)
        yield raw

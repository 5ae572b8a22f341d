"""Serves the traffic port and the admin port in one process, and stops without dropping an answer.

Rules of this room: the applications are arguments; signals belong to this room alone. On the first
SIGTERM or SIGINT: readiness turns false and every answer closes its connection while new ones are still
accepted; after `grace` seconds nothing new is accepted; after `patience` more, what is left is
cancelled (hyper#3961; HAProxy's hard-stop-after). A second signal skips the waiting.
It must not know what the applications do.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.parser import StrictProtocol
from proxy.websocket.agent import AgentSocket

log = logging.getLogger("holdfast.server")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Drain:
    """Seconds."""

    grace: float = 1.0
    patience: float = 30.0
    settle: float = 5.0
    """For what follows the last answers: accounts, background work."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


class Port(Protocol):
    """What serves one bound socket until it is told to exit; after uvicorn.Server."""

    started: bool
    should_exit: bool
    """Accept nothing new, finish what is open within a bound, return."""
    force_exit: bool
    """And do not wait for it."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None: ...

    def hurry(self) -> None:
        """What is open has a second left."""
        ...


class Listener(uvicorn.Server):
    """An ASGI application's port. Signals are handled once, for both."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def hurry(self) -> None:
        self.config.timeout_graceful_shutdown = self.config.timeout_graceful_shutdown and 1


def listen(host: str, port: int, *, share: bool = False) -> socket.socket:
    """A bound socket; port 0 takes a free one. `share` lets several processes accept on it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound


def address(bound: socket.socket) -> Address:
    host, port = bound.getsockname()[:2]
    return Address(host, port)


def listener(app: ASGIApp, drain: Drain, connections: int | None, message_bytes: int = Limits().body_bytes) -> Listener:
    """`message_bytes`: of one WebSocket message, decompressed."""
    config = uvicorn.Config(
        app,
        http=StrictProtocol,
        ws=AgentSocket,
        ws_max_size=message_bytes,
        lifespan="off",
        log_config=None,
        access_log=False,
        # INVARIANT: TRANSPARENT - the upstream's own Server and Date headers, or none
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(drain.patience)),
        limit_concurrency=connections,
    )
    return Listener(config)


async def serve(
    app: ASGIApp,
    admin_app: ASGIApp | None,
    *,
    traffic: socket.socket,
    admin: socket.socket | None,
    lifecycle: Lifecycle,
    close: Callable[[float], Awaitable[None]],
    drain: Drain | None = None,
    started: Callable[[Address, Address | None], None] = lambda traffic, admin: None,
    stop: asyncio.Event | None = None,
    connections: int | None = 2000,
    message_bytes: int = Limits().body_bytes,
) -> None:
    """`serve_port` for an ASGI application."""
    drain = drain or Drain()
    port = listener(app, drain, connections, message_bytes)
    await serve_port(
        port,
        admin_app,
        traffic=traffic,
        admin=admin,
        lifecycle=lifecycle,
        close=close,
        drain=drain,
        started=started,
        stop=stop,
    )


async def serve_port(
    port: Port,
    admin_app: ASGIApp | None,
    *,
    traffic: socket.socket,
    admin: socket.socket | None,
    lifecycle: Lifecycle,
    close: Callable[[float], Awaitable[None]],
    drain: Drain,
    started: Callable[[Address, Address | None], None] = lambda traffic, admin: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until a signal, or until `stop` is set; returns when everything is closed.

    `started` is told both addresses once they accept; `close` finishes what is behind the traffic port.
    """
    stop = stop or asyncio.Event()
    ports: list[tuple[Port, socket.socket]] = [(port, traffic)]
    if admin_app is not None and admin is not None:
        ports.append((listener(admin_app, drain, None), admin))
    running = [asyncio.get_running_loop().create_task(port.serve(sockets=[bound])) for port, bound in ports]
    with _signals(stop, lambda: _force([port for port, _ in ports])):
        try:
            await _all_started([port for port, _ in ports], running)
            started(address(traffic), address(admin) if admin and admin_app else None)
            await _until(stop, running)
            await _drain([port for port, _ in ports], running, lifecycle, drain)
        finally:
            await _stop([port for port, _ in ports], running)
            await close(drain.settle)


async def _all_started(listeners: list[Port], running: list[asyncio.Task[None]]) -> None:
    while not all(listener.started for listener in listeners):
        if any(task.done() for task in running):
            raise OSError("a port could not be served")
        await asyncio.sleep(0.005)


async def _until(stop: asyncio.Event, running: list[asyncio.Task[None]]) -> None:
    stopping = asyncio.get_running_loop().create_task(stop.wait())
    await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


async def _drain(listeners: list[Port], running: list[asyncio.Task[None]], lifecycle: Lifecycle, drain: Drain) -> None:
    """The traffic port first, so that the admin port shows it happening."""
    lifecycle.drain()
    log.info("draining: answers close their connections for %.1f s, then nothing new is accepted", drain.grace)
    await asyncio.sleep(0 if listeners[0].force_exit else drain.grace)
    listeners[0].should_exit = True
    await asyncio.wait(running[:1])


async def _stop(listeners: list[Port], running: list[asyncio.Task[None]]) -> None:
    for listener in listeners:
        listener.should_exit = True
        listener.hurry()  # the admin port's event streams never end by themselves
    await asyncio.gather(*running, return_exceptions=True)


def _force(listeners: list[Port]) -> None:
    for listener in listeners:
        listener.force_exit = listener.should_exit = True


@contextlib.contextmanager
def _signals(stop: asyncio.Event, force: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def caught() -> None:
        if stop.is_set():
            force()
        stop.set()

    try:
        for number in SIGNALS:
            loop.add_signal_handler(number, caught)
    except (RuntimeError, ValueError, NotImplementedError):
        # not the main thread: whoever started it there sets `stop`
        yield
        return
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """In a fresh event loop of the fast kind where there is one."""

    async def entered() -> None:
        await main()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(entered())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop

"""The proxy of one process: from settings to two listening ports, for whoever starts it.

Rules of this room: this is wiring. Sockets come bound, and a clock comes as an argument; what is printed,
logged or counted besides the metrics is the caller's, as an `Audience`.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from metrics.events import Event
from metrics.registry import Metrics
from policies.core.usage import Usage
from proxy import exchange, server
from proxy.admin import AdminApp, check_binding
from proxy.admin_api import admin_api
from proxy.commands.wiring import keep_pruned, open_context, open_metrics, open_recorder, readiness
from proxy.config import Live, Request, Settings
from proxy.counting import Counting
from proxy.dialects.registry import DIALECTS
from proxy.exchange import Prepared
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.observer import Observer
from proxy.probes import Ready
from proxy.recorder import Recorder
from proxy.reverse import ReverseProxy
from proxy.routes import Routes
from proxy.turns import Prepare, Settle
from proxy.upstream import open_pools

Clock = Callable[[], float]
Answer = Callable[[Prepared, Usage | None, float, int], None]
"""Told of each exchange before it is accounted for: what was prepared, usage, time, status."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who else is told. Neither may raise."""

    event: Callable[[Event], None] = lambda event: None
    answer: Answer = lambda prepared, usage, now, status: None


SILENT = Audience()


@dataclass(frozen=True, slots=True)
class Works:
    """What a front end is made of, besides its settings."""

    context: exchange.Context
    clock: Clock
    limits: Limits
    lifecycle: Lifecycle
    observer: Observer
    ready: Ready
    prepare: Prepare
    settle: Settle


Front = Callable[[Settings, Works, server.Drain], tuple[server.Port, Callable[[float], Awaitable[None]]]]
"""Gives the traffic port, and what finishes and closes the rest of the front end within some seconds."""


def reverse(
    settings: Settings, works: Works, drain: server.Drain
) -> tuple[server.Port, Callable[[float], Awaitable[None]]]:
    proxy = ReverseProxy(
        Routes(settings.upstreams, DIALECTS),
        open_pools(settings.upstreams),
        works.context,
        works.clock,
        limits=works.limits,
        lifecycle=works.lifecycle,
        observer=works.observer,
        ready=works.ready,
        prepare=works.prepare,
        settle=works.settle,
    )
    return server.listener(proxy, drain, settings.limits.connections), proxy.close


async def serve(
    settings: Settings,
    request: Request,
    clock: Clock,
    traffic: socket.socket,
    admin: socket.socket | None,
    *,
    started: Callable[[server.Address, server.Address | None], None],
    front: Front = reverse,
    audience: Audience = SILENT,
    drain: server.Drain | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until a signal, or until `stop` is set; returns when everything is settled and closed."""
    lifecycle = Lifecycle()
    live = Live(request, settings)
    metrics = open_metrics(settings)

    def emit(event: Event) -> None:
        metrics.emit(event)
        audience.event(event)

    context = open_context(settings, live, emit)
    recorder = open_recorder(settings, clock())
    ready, drain = readiness(context), drain or server.Drain(patience=settings.drain)
    works = Works(
        context,
        clock,
        _limits(settings),
        lifecycle,
        Counting(emit),
        ready,
        _watching(live),
        _telling(audience.answer, *([recorder.record] if recorder else [])),
    )
    port, close = front(settings, works, drain)
    pruning = asyncio.get_running_loop().create_task(keep_pruned(context, clock))
    await server.serve_port(
        port,
        _admin_app(settings, lifecycle, metrics, live, ready),
        traffic=traffic,
        admin=admin,
        lifecycle=lifecycle,
        close=partial(_close, close, context, pruning, recorder),
        drain=drain,
        started=started,
        stop=stop,
    )


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises OSError with one clear line."""
    try:
        return server.listen(host, port)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from None


def open_log(settings: Settings, file: Path | None = None) -> None:
    """Log to a file, or to standard error."""
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(filename=file, level=settings.log_level.upper(), format=form)
    # the clients log whole URLs, and Gemini's agents put their key there; uvicorn says what server.py says better
    for name in ("httpx", "httpcore", "aiohttp", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)


async def _close(
    front: Callable[[float], Awaitable[None]],
    context: exchange.Context,
    pruning: asyncio.Task[None],
    recorder: Recorder | None,
    seconds: float,
) -> None:
    await front(seconds)
    pruning.cancel()
    if recorder is not None:
        recorder.close()
    await context.store.close()
    await context.archive.close()


def _watching(live: Live) -> Prepare:
    """`prepare`, with a look at the configuration files first: a turn begins with what is in force."""

    async def prepare(request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        live.poll(now)
        return await exchange.prepare(request, context, now)

    return prepare


def _telling(*told: Answer) -> Settle:
    """`settle`, after these have been told."""

    async def settle(
        prepared: exchange.Prepared, context: exchange.Context, usage: Usage | None, now: float, *, status: int = 200
    ) -> None:
        for tell in told:
            tell(prepared, usage, now, status)
        await exchange.settle(prepared, context, usage, now, status=status)

    return settle


def _admin_app(settings: Settings, lifecycle: Lifecycle, metrics: Metrics, live: Live, ready: Ready) -> AdminApp:
    check_binding(settings.admin_host, settings.admin_token.reveal() if settings.admin_token else "")
    return AdminApp(
        metrics.exposition,
        mounted=admin_api(live),
        ready=ready,
        lifecycle=lifecycle,
        hosts=(*settings.allowed_hosts, settings.admin_host),
        token=settings.admin_token.reveal() if settings.admin_token else "",
    )


def _limits(settings: Settings) -> Limits:
    chosen = msgspec.structs.asdict(settings.limits)
    del chosen["connections"]  # the server's, not the application's
    return Limits(**chosen)

"""`holdfast serve`: from settings to two listening ports.

Rules of this room: this is wiring. Ports are bound before anything else, so that a taken port is one
clear line; what a client must be told is printed once both ports accept.
"""

import asyncio
import logging
import socket
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from metrics.registry import Metrics
from policies.core.usage import Usage
from proxy import exchange, server
from proxy.admin import AdminApp, check_binding
from proxy.admin_api import admin_api
from proxy.commands import workers
from proxy.commands.clients import how_to_connect
from proxy.commands.wiring import keep_pruned, open_context, open_metrics, open_recorder, readiness
from proxy.config import Live, Override, Request, Settings, default_file
from proxy.counting import Counting
from proxy.dialects.registry import DIALECTS
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.probes import Ready
from proxy.recorder import Recorder
from proxy.reverse import ReverseProxy
from proxy.routes import Routes
from proxy.turns import Prepare, Settle
from proxy.upstream import open_pools

Clock = Callable[[], float]
FLAGS = ("host", "port", "admin_port", "store", "record", "workers")


def request(args: Namespace, environ: Mapping[str, str]) -> Request:
    """What to load, from the arguments of the command."""
    given = [(name, getattr(args, name)) for name in FLAGS]
    flags = (
        *(Override((name,), text, f"--{name.replace('_', '-')}") for name, text in given if text is not None),
        *(Override(("upstreams", name, "url"), url, "--upstream") for name, url in args.upstream),
    )
    file = Path(args.config) if args.config else default_file(environ)
    return Request(file, environ, flags, args.policy)


def run(settings: Settings, request: Request, clock: Clock) -> int:
    """Serve until told to stop; the exit status."""
    _log_to_stderr(settings)
    traffic = _listen(settings.host, settings.port)
    admin = _listen(settings.admin_host, settings.admin_port)
    main = partial(_serve, settings, request, clock, traffic)
    if settings.workers == 1:
        server.run(partial(main, admin))
        return 0
    return workers.run(settings.workers, lambda number: server.run(partial(main, admin if number == 0 else None)))


async def _serve(
    settings: Settings, request: Request, clock: Clock, traffic: socket.socket, admin: socket.socket | None
) -> None:
    lifecycle = Lifecycle()
    live = Live(request, settings)
    metrics = open_metrics(settings)
    context = open_context(settings, live, metrics)
    recorder = open_recorder(settings, clock())
    proxy = ReverseProxy(
        Routes(settings.upstreams, DIALECTS),
        open_pools(settings.upstreams),
        context,
        clock,
        limits=_limits(settings),
        lifecycle=lifecycle,
        observer=Counting(metrics.emit),
        ready=readiness(context),
        prepare=_watching(live),
        settle=_recording(recorder) if recorder else exchange.settle,
    )
    pruning = asyncio.get_running_loop().create_task(keep_pruned(context, clock))
    await server.serve(
        proxy,
        _admin_app(settings, lifecycle, metrics, live, readiness(context)),
        traffic=traffic,
        admin=admin,
        lifecycle=lifecycle,
        close=partial(_close, proxy, context, pruning),
        drain=server.Drain(patience=settings.drain),
        started=partial(_announce, settings),
        connections=settings.limits.connections,
    )


async def _close(proxy: ReverseProxy, context: exchange.Context, pruning: asyncio.Task[None], seconds: float) -> None:
    await proxy.close(seconds)
    pruning.cancel()
    await context.store.close()
    await context.archive.close()


def _watching(live: Live) -> Prepare:
    """`prepare`, with a look at the configuration files first: a turn begins with what is in force."""

    async def prepare(request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        live.poll(now)
        return await exchange.prepare(request, context, now)

    return prepare


def _recording(recorder: Recorder) -> Settle:
    """`settle`, with a line in the recording first."""

    async def settle(
        prepared: exchange.Prepared, context: exchange.Context, usage: Usage | None, now: float, *, status: int = 200
    ) -> None:
        recorder.record(prepared, usage, now, status)
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


def _announce(settings: Settings, traffic: server.Address, admin: server.Address | None) -> None:
    if admin is None:  # only one of several workers speaks
        return
    for note in settings.notes:
        logging.getLogger("holdfast.config").warning(note)
    print(how_to_connect(settings, traffic, admin), flush=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return server.listen(host, port)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from None


def _log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # the clients log whole URLs, and Gemini's agents put their key there; uvicorn says what server.py says better
    for name in ("httpx", "httpcore", "aiohttp", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)

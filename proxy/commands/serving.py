"""The proxy of one process: from settings to two listening ports, for whoever starts it.

Rules of this room: this is wiring. Sockets come bound, and a clock comes as an argument; which front end has the
traffic port is the caller's choice.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from proxy import server
from proxy.commands.works import SILENT, Audience, Clock, Works, open_works
from proxy.config import Request, Settings
from proxy.dialects.registry import DIALECTS
from proxy.reverse import ReverseProxy
from proxy.routes import Routes
from proxy.upstream import open_pools

Front = Callable[[Works, server.Drain], tuple[server.Port, Callable[[float], Awaitable[None]]]]
"""Gives the traffic port, and what finishes and closes the front end within some seconds."""


def reverse(works: Works, drain: server.Drain) -> tuple[server.Port, Callable[[float], Awaitable[None]]]:
    """The front end of `serve`."""
    settings, turns = works.settings, works.turns
    proxy = ReverseProxy(
        Routes(settings.upstreams, DIALECTS),
        open_pools(settings.upstreams),
        turns.context,
        turns.clock,
        limits=turns.limits,
        lifecycle=turns.lifecycle,
        observer=turns.observer,
        ready=works.ready,
        prepare=turns.prepare,
        settle=turns.settle,
    )
    limits = settings.limits
    return server.listener(proxy, drain, limits.connections, limits.body_bytes), proxy.close


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
    works = open_works(settings, request, clock, audience)
    drain = drain or server.Drain(patience=settings.drain)
    port, finish = front(works, drain)

    async def close(seconds: float) -> None:
        await finish(seconds)
        await works.close()

    await server.serve_port(
        port,
        works.admin_app(),
        traffic=traffic,
        admin=admin,
        lifecycle=works.turns.lifecycle,
        close=close,
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
    # the clients log whole URLs, and Gemini's agents put their key there; uvicorn says what server.py says better;
    # mitmproxy logs the heads of broken requests, credentials and all
    for name in ("httpx", "httpcore", "aiohttp", "uvicorn", "mitmproxy", "mcp"):
        logging.getLogger(name).setLevel(logging.WARNING)

"""What stands behind a front end: opened from settings in one place, closed in one.

Rules of this room: this is wiring. What is printed, logged or counted besides the metrics is the caller's, as an
`Audience`. It must not know ports.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from metrics.events import Event, Recalled
from metrics.registry import Metrics
from policies.core.usage import Usage
from proxy import exchange
from proxy.admin import AdminApp, check_binding
from proxy.admin_api import admin_api
from proxy.commands.wiring import keep_pruned, open_context, open_metrics, open_recorder, readiness
from proxy.config import Live, Request, Settings
from proxy.counting import Counting
from proxy.exchange import Prepared
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.probes import Ready
from proxy.recall import web
from proxy.recall.library import Library
from proxy.recall.server import Door, make_server
from proxy.recorder import Recorder
from proxy.turns import Prepare, Settle, Turns

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
    settings: Settings
    turns: Turns
    ready: Ready
    live: Live
    metrics: Metrics
    recorder: Recorder | None
    library: Library
    """For people, over HTTP."""
    door: Door
    """For agents, over MCP."""
    running: tuple[asyncio.Task[None], ...]
    """In the background."""

    def admin_app(self) -> AdminApp:
        settings = self.settings
        check_binding(settings.admin_host, settings.admin_token.reveal() if settings.admin_token else "")
        return AdminApp(
            self.metrics.exposition,
            mounted=admin_api(self.live, web.routes(self.library), self.door),
            ready=self.ready,
            lifecycle=self.turns.lifecycle,
            hosts=(*settings.allowed_hosts, settings.admin_host),
            token=settings.admin_token.reveal() if settings.admin_token else "",
        )

    async def close(self) -> None:
        """When the front end is closed: nothing is settled any more."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        if self.recorder is not None:
            self.recorder.close()
        await self.turns.context.store.close()
        await self.turns.context.archive.close()


def open_works(settings: Settings, request: Request, clock: Clock, audience: Audience = SILENT) -> Works:
    """In a running loop. Raises ConfigError and StoreError."""
    live = Live(request, settings)
    metrics = open_metrics(settings)

    def emit(event: Event) -> None:
        metrics.emit(event)
        audience.event(event)

    context = open_context(settings, live, emit)
    recorder = open_recorder(settings, clock())
    turns = Turns(
        context,
        clock,
        _limits(settings),
        Lifecycle(),
        Counting(emit),
        _watching(live),
        _telling(audience.answer, *([recorder.record] if recorder else [])),
    )
    people, agents = (Library(context.archive, clock, partial(emit, Recalled(via))) for via in ("http", "mcp"))
    door = Door(partial(make_server, agents))
    begin = asyncio.get_running_loop().create_task
    running = begin(keep_pruned(context, clock)), begin(door.serve())
    return Works(settings, turns, readiness(context), live, metrics, recorder, people, door, running)


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


def _limits(settings: Settings) -> Limits:
    chosen = msgspec.structs.asdict(settings.limits)
    del chosen["connections"]  # the server's, not the application's
    return Limits(**chosen)

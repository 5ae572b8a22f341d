"""A real proxy on a free port, with a small dialect of its own and a driver that records.

The dialect recognises `.../messages` and `.../chat/completions`; usage is the number of input tokens
that the answer names.
"""

import asyncio
import functools
import re
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import uvloop

from policies.core.usage import Usage
from proxy import exchange
from proxy.dialects import Dialect
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.observer import Answered
from proxy.probes import Ready, always_ready
from proxy.reverse import ReverseProxy
from proxy.routes import Routes
from proxy.server import Address, Drain, listen, serve
from proxy.upstream import Timeouts, Upstream, open_pools

NOW = 1_700_000_000.0


class Reader:
    def __init__(self) -> None:
        self.seen = b""

    def feed(self, chunk: bytes) -> None:
        self.seen += chunk

    def usage(self) -> Usage | None:
        return read_usage(self.seen)


def read_usage(body: bytes) -> Usage | None:
    found = re.search(rb'"input_tokens":(\d+)', body)
    return Usage(input=int(found[1])) if found else None


class BrokenReader(Reader):
    def feed(self, chunk: bytes) -> None:
        raise RuntimeError("a fault in a reader")


@dataclass(frozen=True)
class SmallDialect:
    """Only what a front end asks of a dialect."""

    name: str = "anthropic_messages"
    ending: str = "/messages"
    reader: Callable[[], Reader] = Reader

    def recognises(self, path: str) -> bool:
        return path.endswith(self.ending)

    def usage(self, body: bytes) -> Usage | None:
        return read_usage(body)

    def usage_reader(self) -> Reader:
        return self.reader()

    def error(self, status: int, message: str) -> bytes:
        return b'{"shape":"%b","status":%d,"message":"%b"}' % (self.name.encode(), status, message.encode())


def dialects(reader: Callable[[], Reader] = Reader) -> tuple[Dialect, ...]:
    small = (SmallDialect(reader=reader), SmallDialect("openai_chat", "/chat/completions", reader))
    return small  # type: ignore[return-value]  # the rest of a dialect is not a front end's business


@dataclass
class Driver:
    """`prepare` and `settle`, recording. `edit` maps a body to what is sent."""

    edit: Callable[[bytes], bytes] = lambda body: body
    headers: tuple[tuple[str, str], ...] = (("x-holdfast-turn", "1"),)
    requests: list[exchange.Request] = field(default_factory=list)
    settled: list[tuple[Usage | None, int]] = field(default_factory=list)
    passed_through_reasons: list[str] = field(default_factory=list)
    settling: asyncio.Event = field(default_factory=asyncio.Event)

    async def prepare(self, request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        self.requests.append(request)
        return exchange.Prepared(request, self.edit(request.body), self.headers)

    async def settle(
        self,
        prepared: exchange.Prepared,
        context: exchange.Context,
        usage: Usage | None,
        now: float,
        *,
        status: int = 200,
    ) -> None:
        self.settled.append((usage, status))
        self.passed_through_reasons.append(prepared.passthrough)
        self.settling.set()


@dataclass
class Recorder:
    begun: list[str] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    exchanges: list[Answered] = field(default_factory=list)
    settlings: list[float] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def began(self, upstream: str) -> None:
        self.begun.append(upstream)

    def refused(self, status: int) -> None:
        self.refusals.append(status)

    def answered(self, answered: Answered) -> None:
        self.exchanges.append(answered)
        self.over.set()

    def settled(self, prepared: exchange.Prepared, seconds: float) -> None:
        self.settlings.append(seconds)

    def called(self, prepared: exchange.Prepared, outcome: str) -> None:
        self.calls.append(outcome)

    def closed(self, upstream: str, cause: str) -> None:
        self.ends.append(cause)
        self.ended.set()


@dataclass
class Running:
    port: int
    driver: Driver
    recorder: Recorder
    lifecycle: Lifecycle
    stop: asyncio.Event
    server: asyncio.Task[None]


QUICK = Timeouts(connect=2.0, pool=2.0, write=2.0, first_byte=5.0, idle=5.0)


@asynccontextmanager
async def proxy(
    *upstreams: Upstream,
    driver: Driver | None = None,
    limits: Limits | None = None,
    reader: Callable[[], Reader] = Reader,
    drain: Drain | None = None,
    ready: Ready = always_ready,
    trusted: ssl.SSLContext | None = None,
    connections: int | None = 2000,
) -> AsyncIterator[Running]:
    driver, recorder, lifecycle = driver or Driver(), Recorder(), Lifecycle()
    app = ReverseProxy(
        Routes(upstreams, dialects(reader)),
        open_pools(tuple(_quick(upstream) for upstream in upstreams), trusted),
        cast(exchange.Context, None),  # both coroutines are the driver's
        lambda: NOW,
        limits=limits,
        lifecycle=lifecycle,
        observer=recorder,
        ready=ready,
        prepare=driver.prepare,
        settle=driver.settle,
    )
    accepting: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    stop, traffic = asyncio.Event(), listen("127.0.0.1", 0)
    serving = serve(
        app,
        None,
        traffic=traffic,
        admin=None,
        lifecycle=lifecycle,
        close=app.close,
        drain=drain or Drain(grace=0.0, patience=1.0, settle=1.0),
        started=lambda address, _: accepting.set_result(address),
        stop=stop,
        connections=connections,
        message_bytes=(limits or Limits()).body_bytes,
    )
    server = asyncio.get_running_loop().create_task(serving)
    try:
        yield Running((await accepting).port, driver, recorder, lifecycle, stop, server)
    finally:
        stop.set()
        await server


def _quick(upstream: Upstream) -> Upstream:
    return replace(upstream, timeouts=QUICK) if upstream.timeouts == Timeouts() else upstream


def scenario(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """A test that runs in the event loop that is used in earnest, within a bound."""

    @functools.wraps(test)
    def run(*args: object, **named: object) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test(*args, **named)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(bounded())

    return run

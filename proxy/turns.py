"""One request that creates a model answer, as every front end handles it: decode, `prepare`, read usage, `settle`.

Rules of this room: a front end says what it received and sends what it is told; how bytes travel is its
own business. A body that cannot be decoded passes through. `prepare`, `settle` and the clock are
arguments. It must not know Starlette, mitmproxy, connections or streams.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from policies.core.usage import Usage
from proxy import exchange, identity
from proxy.answering.opening import Opening
from proxy.answering.rounds import Ask
from proxy.dialects import Dialect
from proxy.encodings import decode
from proxy.errors import DialectError
from proxy.headers import Pair, values
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.observer import Observer
from proxy.recall.library import Library
from proxy.tap import Silent, Tap, open_tap

log = logging.getLogger("holdfast.turns")

Prepare = Callable[[exchange.Request, exchange.Context, float], Awaitable[exchange.Prepared]]


class Settle(Protocol):
    async def __call__(
        self,
        prepared: exchange.Prepared,
        context: exchange.Context,
        usage: Usage | None,
        now: float,
        *,
        status: int = 200,
    ) -> None: ...


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A request as it came, less its body. Never shown: headers and query hold credentials."""

    upstream: str
    dialect: Dialect
    path: str
    """Below the upstream."""
    query: bytes
    headers: Sequence[Pair]
    shared: bool = False
    """Whether all who use this upstream are one tenant."""
    answers: bool = False
    """Whether its answer may be continued by further requests."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Both halves of the driver, with what they need."""

    context: exchange.Context
    clock: Callable[[], float]
    limits: Limits
    lifecycle: Lifecycle
    observer: Observer
    prepare: Prepare = exchange.prepare
    settle: Settle = exchange.settle

    async def prepared(self, asked: Asked, wire: bytes) -> exchange.Prepared:
        """What to send. Its body is that of its request where nothing was edited: then `wire` goes, still encoded."""
        coding = b",".join(values(asked.headers, b"content-encoding"))
        try:
            body = await asyncio.to_thread(decode, wire, coding, self.limits.body_bytes) if coding else wire
        except DialectError as error:
            return self.passed(asked, wire, error.reason)
        return await self.prepare(request_of(asked, body), self.context, self.clock())

    def passed(self, asked: Asked, wire: bytes, reason: str) -> exchange.Prepared:
        """A request that is sent as it came, with the reason why nothing looks into it."""
        log.warning("a request passes through: %s", reason)
        return exchange.passed(request_of(asked, wire), reason)

    def tap(self, dialect: Dialect | None, status: int, headers: Sequence[Pair]) -> Tap:
        """For an answer with this head."""
        return open_tap(dialect, status, headers, self.limits.answer_bytes) if dialect else Silent()

    def opening(self, prepared: exchange.Prepared, ask: Ask) -> Opening | None:
        """For an answer in which Holdfast answers calls itself. `ask` sends a further request."""
        if not prepared.answers or prepared.planned is None:
            return None
        return Opening(
            names=prepared.answers,
            dialect=prepared.request.dialect,
            body=prepared.body if prepared.plain is None else prepared.plain,
            tenant=prepared.planned.tenant,
            library=Library(self.context.archive, self.clock, lambda: None),
            ask=ask,
            tap=partial(self.tap, prepared.request.dialect),
            owe=partial(setattr, prepared.planned.turn, "owed"),
            told=partial(self.observer.called, prepared),
        )

    def over(self, prepared: exchange.Prepared, tap: Tap, status: int, further: Sequence[Usage] = ()) -> None:
        """The answer has passed: account for it, off its path. `further`: of the requests that it took besides."""
        prepared = replace(prepared, further=tuple(further)) if further else prepared
        self.lifecycle.hold(self.settled(prepared, tap, status), "settle")

    async def settled(self, prepared: exchange.Prepared, tap: Tap, status: int) -> None:
        """The same, for who is off that path already."""
        time = asyncio.get_running_loop().time
        began = time()
        await self.settle(prepared, self.context, tap.usage(), self.clock(), status=status)
        self.observer.settled(prepared, time() - began)


def added(prepared: exchange.Prepared | None) -> tuple[Pair, ...]:
    """The headers that its answer gets, lower case."""
    return tuple((k.lower().encode(), v.encode("latin-1")) for k, v in prepared.headers) if prepared else ()


def carried(prepared: exchange.Prepared, headers: Sequence[Pair]) -> tuple[Pair, ...]:
    """The headers of its request, with those that its plan adds where there is none of that name."""
    there = {name.lower() for name, _ in headers}
    more = prepared.plan.headers if prepared.plan else ()
    return (*headers, *((name.encode(), value.encode()) for name, value in more if name.encode() not in there))


def request_of(asked: Asked, body: bytes) -> exchange.Request:
    """What the driver is asked."""
    return exchange.Request(
        upstream=asked.upstream,
        dialect=asked.dialect,
        path=asked.path,
        body=body,
        credential=identity.shared(asked.upstream) if asked.shared else identity.credential(asked.headers, asked.query),
        session=identity.session(asked.headers),
        agent=identity.agent(asked.headers),
        policy=identity.policy(asked.headers),
        signed=identity.signed(asked.headers, asked.query),
        answers=asked.answers,
    )

"""The reverse proxy: the ASGI application of the traffic port.

Rules of this room: pure ASGI. It routes, asks `prepare` what to send, relays, and lets `settle` account
for it afterwards; it decides nothing about content. The clock is an argument. Nobody imports this
module but what starts the server.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import httpx
from starlette.types import Receive, Scope, Send

from proxy import exchange, identity, mistakes
from proxy.answering.opening import Opening
from proxy.deadline import Cause, Deadline, Expired
from proxy.dialects import Dialect
from proxy.downstream import Downstream, Gone, TooLong
from proxy.errors import UpstreamError
from proxy.headers import Pair, first, for_edited, for_reading, request_headers, with_length
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits, has_body, refusal, stated_length
from proxy.observer import Answered, Observer, Unobserved
from proxy.probes import Ready, always_ready, probe
from proxy.refusing import JSON, error_body
from proxy.relay import CLIENT_CLOSED, Answer, relay
from proxy.routes import Route, Routes
from proxy.tap import Tap
from proxy.turns import Asked, Prepare, Settle, Turns, added, carried
from proxy.upstream import Outgoing, PassingBody, Pool, WholeBody
from proxy.websocket.front import Sockets

log = logging.getLogger("holdfast.reverse")

TEXT: Pair = (b"content-type", b"text/plain; charset=utf-8")
HINT = b"x-holdfast-hint"


@dataclass(slots=True)
class Passage:
    """One request on its way, filled in as it goes."""

    downstream: Downstream
    route: Route
    dialect: Dialect | None
    body_in: float | None = None
    sent_up: float | None = None
    prepared: exchange.Prepared | None = None
    answer: Answer = field(default_factory=Answer)
    opening: Opening | None = None
    """Where Holdfast answers calls in it."""


class ReverseProxy:
    def __init__(
        self,
        routes: Routes,
        pools: Mapping[str, Pool],
        context: exchange.Context,
        clock: Callable[[], float],
        *,
        limits: Limits | None = None,
        lifecycle: Lifecycle | None = None,
        observer: Observer | None = None,
        ready: Ready = always_ready,
        prepare: Prepare = exchange.prepare,
        settle: Settle = exchange.settle,
    ) -> None:
        self._routes, self._pools, self._ready = routes, pools, ready
        self._limits = limits or Limits()
        self.lifecycle = lifecycle or Lifecycle()
        self._observer = observer or Unobserved()
        self._hinted: set[tuple[str, str]] = set()  # bounded: upstreams times the fixed words of mistakes
        self._turns = Turns(context, clock, self._limits, self.lifecycle, self._observer, prepare, settle)
        self._sockets = Sockets(routes, pools, self._turns)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await self._sockets(scope, receive, send)
        if scope["type"] != "http":
            raise ValueError(f"`{scope['type']}` is not served")
        downstream = Downstream(scope, receive, send, self._limits, self.lifecycle.closing)
        if refused := refusal(downstream.method, downstream.raw_path, downstream.headers, self._limits):
            await self._refuse(downstream, None, None, refused.status, refused.message)
        elif probed := await probe(downstream.raw_path, self._ready, self.lifecycle):
            await downstream.reply(probed[0], (TEXT,), probed[1].encode() + b"\n")
        elif first(downstream.headers, b"upgrade").lower() == b"websocket":
            await self._refuse(downstream, None, None, 400, "not a WebSocket handshake")
        elif route := self._routes.find(downstream.raw_path, downstream.raw_query, downstream.headers):
            await self._pass(Passage(downstream, route, self._routes.dialect(route, downstream.method)))
        else:
            await self._refuse(downstream, None, None, 404, "no upstream is configured for this path")

    async def close(self, seconds: float) -> None:
        """Finish what follows the answers given, then hang up."""
        await self.lifecycle.finish(seconds)
        for pool in self._pools.values():
            await pool.close()

    async def _pass(self, passage: Passage) -> None:
        """One exchange, whatever comes of it."""
        self._observer.began(passage.route.upstream.name)
        downstream, answer = passage.downstream, passage.answer
        try:
            async with Deadline() as deadline:
                await self._exchange(passage, deadline)
        except Gone:
            answer.failure = Cause.DISCONNECTED.value
        except TooLong:
            answer.failure = "too_long"
            limit = self._limits.body_bytes
            await self._refuse(downstream, passage.route, passage.dialect, 413, f"a body of more than {limit} bytes")
        except Expired as expired:
            await self._expired(passage, expired.cause)
        except UpstreamError as error:
            answer.failure, answer.status = answer.failure or "upstream", error.status
            log.warning("%s", error)
            await self._say(downstream, passage.route, passage.dialect, error.status, str(error))
        except asyncio.CancelledError:
            answer.failure = "cancelled"
            raise
        finally:
            self._account(passage)

    async def _exchange(self, passage: Passage, deadline: Deadline) -> None:
        downstream, upstream = passage.downstream, passage.route.upstream
        wire = await self._whole_body(passage, deadline)
        passage.body_in = _now()
        async with downstream.attended(deadline, upstream.timeouts.write):
            outgoing = await self._planned(passage, wire) if passage.dialect else self._passing(passage, deadline)
            passage.sent_up = _now()
            pool = self._pools[upstream.name]

            def tap(status: int, headers: Sequence[Pair]) -> Tap:
                return self._turns.tap(passage.dialect, status, headers)

            opening = passage.opening = self._opening(passage, pool, outgoing)
            extra = partial(self._extra, passage)
            plain = self._plain(passage, wire)
            await relay(pool, outgoing, downstream, deadline, extra, tap, passage.answer, opening, plain)

    def _opening(self, passage: Passage, pool: Pool, outgoing: Outgoing) -> Opening | None:
        """With further requests going where the first one went."""

        async def ask(body: bytes) -> httpx.Response:
            headers = with_length(outgoing.headers, len(body))
            return await pool.send(replace(outgoing, headers=headers, body=WholeBody(body)))

        return self._turns.opening(passage.prepared, ask) if passage.prepared else None

    def _extra(self, passage: Passage, status: int) -> tuple[Pair, ...]:
        """What was done, and what may be wrong with the client's set-up where the provider says no."""
        extra, route = added(passage.prepared), passage.route
        mistake = mistakes.behind(status, route, passage.downstream.headers, self._pools)
        if mistake is None:
            return extra
        if (route.upstream.name, mistake.word) not in self._hinted:
            self._hinted.add((route.upstream.name, mistake.word))
            log.warning("upstream `%s` answered %d, perhaps because %s", route.upstream.name, status, mistake)
        return (*extra, (HINT, f"{mistake.word}: {mistake}".encode()))

    async def _whole_body(self, passage: Passage, deadline: Deadline) -> bytes:
        """The body where it is looked into, or where there is none; others pass later, chunk by chunk."""
        downstream = passage.downstream
        if passage.dialect is None and has_body(downstream.headers):
            return b""
        if stated_length(downstream.headers) > self._limits.body_bytes:
            raise TooLong
        wire = await downstream.whole_body(deadline)
        deadline.allow(passage.route.upstream.timeouts.first_byte, Cause.FIRST_BYTE)
        return wire

    def _passing(self, passage: Passage, deadline: Deadline) -> Outgoing:
        """A request that nothing looks into."""
        downstream, route = passage.downstream, passage.route
        headers = request_headers(downstream.received)
        if downstream.body_is_in:
            return Outgoing(downstream.method, route.target, headers, None)
        body = PassingBody(downstream.passing_body(deadline, route.upstream.timeouts.first_byte))
        return Outgoing(downstream.method, route.target, headers, body)

    async def _planned(self, passage: Passage, wire: bytes) -> Outgoing:
        """A request that creates a model answer: sent as `prepare` says."""
        prepared = passage.prepared = await self._prepared(passage, wire)
        return self._carrying(passage, prepared, prepared.body, wire)

    def _plain(self, passage: Passage, wire: bytes) -> Outgoing | None:
        """The same without a question of ours, where it asks one."""
        prepared = passage.prepared
        if prepared is None or prepared.plain is None:
            return None
        return self._carrying(passage, prepared, prepared.plain, wire)

    def _carrying(self, passage: Passage, prepared: exchange.Prepared, body: bytes, wire: bytes) -> Outgoing:
        downstream, route = passage.downstream, passage.route
        headers = carried(prepared, request_headers(downstream.received))
        if body is prepared.request.body:
            # INVARIANT: TRANSPARENT - not edited, so the very bytes that came, still encoded
            return Outgoing(downstream.method, route.target, with_length(headers, len(wire)), WholeBody(wire))
        headers = for_reading(headers) if prepared.answers else headers
        return Outgoing(downstream.method, route.target, for_edited(headers, len(body)), WholeBody(body))

    async def _prepared(self, passage: Passage, wire: bytes) -> exchange.Prepared:
        assert passage.dialect is not None
        route, downstream = passage.route, passage.downstream
        upstream, shared = route.upstream.name, route.upstream.tenant == "upstream"
        asked = Asked(upstream, passage.dialect, route.path, downstream.query, downstream.headers, shared, True)
        return await self._turns.prepared(asked, wire)

    async def _expired(self, passage: Passage, cause: Cause) -> None:
        answer, name = passage.answer, passage.route.upstream.name
        answer.failure = cause.value
        if cause is Cause.DISCONNECTED:
            log.info("the agent left; its request to upstream `%s` is cancelled", name)
            return
        log.warning("upstream `%s`: out of time (%s)", name, cause.value)
        if not passage.downstream.started:
            answer.status = 408 if cause is Cause.BODY else 504
            message = f"upstream `{name}`: no answer in time ({cause.value})"
            await self._say(passage.downstream, passage.route, passage.dialect, answer.status, message)

    def _account(self, passage: Passage) -> None:
        status = passage.answer.status or CLIENT_CLOSED
        if prepared := passage.prepared:
            if passage.answer.plain and 200 <= status < 300:
                prepared = replace(prepared, refused=True)
            rounds = passage.opening.rounds if passage.opening else None
            self._turns.over(prepared, passage.answer.tap, status, rounds.usages if rounds else ())
        self._observer.answered(_answered(passage, status, _now()))

    async def _refuse(
        self, downstream: Downstream, route: Route | None, dialect: Dialect | None, status: int, message: str
    ) -> None:
        log.info("refused with %d: %s", status, message)
        self._observer.refused(status)
        await self._say(downstream, route, dialect, status, message)

    async def _say(
        self, downstream: Downstream, route: Route | None, dialect: Dialect | None, status: int, message: str
    ) -> None:
        """An error of our own, in the shape that the agent's provider uses."""
        if downstream.started:
            return
        await downstream.reply(status, (JSON,), error_body(self._routes, route, dialect, status, message))


def _answered(passage: Passage, status: int, now: float) -> Answered:
    answer, sent_up = passage.answer, passage.sent_up
    body_in = passage.body_in or now
    return Answered(
        upstream=passage.route.upstream.name,
        dialect=passage.dialect.name if passage.dialect else "",
        agent=identity.agent(passage.downstream.headers),
        method=passage.downstream.method,
        status=status,
        streamed=answer.streamed,
        failure=answer.failure,
        prepared=passage.prepared,
        prepare_seconds=(sent_up or now) - body_in,
        upstream_seconds=now - sent_up if sent_up else None,
        first_byte_seconds=answer.first_byte - body_in if answer.first_byte else None,
        relay_seconds=answer.head_sent - answer.first_byte if answer.head_sent and answer.first_byte else 0.0,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()

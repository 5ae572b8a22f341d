"""The WebSocket half of the reverse proxy: a handshake is taken to its upstream, then messages are relayed.

Rules of this room: pure ASGI. The upstream is asked first: what it says to the handshake is what the agent gets. It
decides nothing about content; how a connection ends is logged and counted.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection

from proxy import identity
from proxy.dialects import Dialect
from proxy.downstream import EXTENSION
from proxy.errors import UpstreamError
from proxy.headers import Pair, request_headers, response_headers, values
from proxy.limits import has_body, refusal
from proxy.observer import Answered
from proxy.refusing import JSON, error_body
from proxy.relay import CLIENT_CLOSED
from proxy.routes import Route, Routes
from proxy.turns import Asked, Turns
from proxy.upstream import Pool
from proxy.websocket.ends import Cause, End
from proxy.websocket.following import Conversation
from proxy.websocket.histories import Histories
from proxy.websocket.relay import Follower, Patience, Unfollowed, relay
from proxy.websocket.sides import AgentSide, UpstreamSide
from proxy.websocket.upstream import Opening, Refused, connect

log = logging.getLogger("holdfast.websocket")

FOLLOWED = frozenset({"openai_responses"})
"""Dialects that have a WebSocket form. On all other paths messages are relayed only."""
HANDSHAKE = b"sec-websocket-"
ORDERLY = frozenset({Cause.AGENT, Cause.AGENT_LOST, Cause.UPSTREAM, Cause.IDLE, Cause.DRAINED})
"""Codex leaves without a close frame."""


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """One handshake. Never shown: its headers hold credentials."""

    route: Route
    dialect: Dialect | None
    query: bytes
    headers: Sequence[Pair]
    """Lower case, for reading."""
    received: Sequence[Pair]
    """As received, for sending on."""
    receive: Receive
    send: Send


class Sockets:
    """An ASGI application for scopes of type `websocket`."""

    def __init__(self, routes: Routes, pools: Mapping[str, Pool], turns: Turns) -> None:
        self._routes, self._pools, self._turns = routes, pools, turns
        self._histories = Histories(turns.limits.body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # that it has come
        path, query, headers = scope["raw_path"], scope["query_string"], scope["headers"]
        exact = scope.get("extensions", {}).get(EXTENSION, {})
        raw_query = query or (b"" if exact.get("target", b"").endswith(b"?") else None)
        route = self._routes.find(path, raw_query, headers)
        if refused := refusal("GET", path, headers, self._turns.limits):
            await self._refuse(send, None, refused.status, refused.message)
        elif has_body(headers):
            await self._refuse(send, None, 400, "a WebSocket handshake has no body")
        elif self._turns.lifecycle.draining:
            await self._refuse(send, route, 503, "restarting")
        elif route is None:
            await self._refuse(send, None, 404, "no upstream is configured for this path")
        else:
            dialect = self._routes.dialect(route, "POST")
            await self._pass(Call(route, dialect, query, headers, exact.get("headers", headers), receive, send))

    async def _pass(self, call: Call) -> None:
        began, name = _now(), call.route.upstream.name
        self._turns.observer.began(name)
        try:
            upstream = await self._connected(call)
        except Refused as refused:
            self._answered(call, refused.status, began)
            await _reply(call.send, refused.status, response_headers(refused.headers), refused.body, refused.reason)
        except UpstreamError as error:
            log.warning("%s", error)
            self._answered(call, error.status, began)
            body = error_body(self._routes, call.route, call.dialect, error.status, str(error))
            await _reply(call.send, error.status, (JSON,), body)
        except asyncio.CancelledError:
            self._answered(call, CLIENT_CLOSED, began)
            raise
        else:
            self._answered(call, 101 if upstream else CLIENT_CLOSED, began)
            if upstream is not None:
                await self._relay(call, upstream)

    async def _connected(self, call: Call) -> ClientConnection | None:
        """None where the agent left meanwhile."""
        start = asyncio.get_running_loop().create_task
        opening = _opening(call, self._turns.limits.body_bytes)
        connecting = start(connect(self._pools[call.route.upstream.name], opening))
        leaving = start(_until_left(call.receive))
        try:
            await asyncio.wait((connecting, leaving), return_when=asyncio.FIRST_COMPLETED)
            return connecting.result() if connecting.done() else None
        finally:
            connecting.cancel()
            leaving.cancel()
            await asyncio.gather(connecting, leaving, return_exceptions=True)

    async def _relay(self, call: Call, upstream: ClientConnection) -> None:
        follower = self._follower(call)
        end = End(Cause.FAULT)
        try:
            await call.send(_accepted(call, upstream))
            sides = AgentSide(call.receive, call.send), UpstreamSide(upstream)
            end = await relay(*sides, follower, _patience(call.route), self._turns.lifecycle)
        except asyncio.CancelledError:
            end = End(Cause.DRAINED, detail="out of patience")
            raise
        except OSError:  # before it was answered
            end = End(Cause.AGENT_LOST)
        finally:
            upstream.transport.abort()
            follower.over()
            self._ended(call, end)

    def _follower(self, call: Call) -> Follower:
        upstream, dialect = call.route.upstream, call.dialect
        if dialect is None or dialect.name not in FOLLOWED:
            return Unfollowed()
        shared = upstream.tenant == "upstream"
        asked = Asked(upstream.name, dialect, call.route.path, call.query, call.headers, shared)
        return Conversation(asked, self._turns, self._histories)

    async def _refuse(self, send: Send, route: Route | None, status: int, message: str) -> None:
        log.info("refused with %d: %s", status, message)
        self._turns.observer.refused(status)
        await _reply(send, status, (JSON,), error_body(self._routes, route, None, status, message))

    def _ended(self, call: Call, end: End) -> None:
        name = call.route.upstream.name
        code = end.close.code if end.close else None
        level = logging.INFO if end.cause in ORDERLY else logging.WARNING
        log.log(level, "a WebSocket to upstream `%s` ended: %s %s", name, end.cause.value, code or end.detail)
        self._turns.observer.closed(name, end.cause.value)

    def _answered(self, call: Call, status: int, began: float) -> None:
        """To the handshake."""
        now = _now()
        self._turns.observer.answered(
            Answered(
                upstream=call.route.upstream.name,
                dialect="",
                agent=identity.agent(call.headers),
                method="GET",
                status=status,
                streamed=False,
                failure="disconnected" if status == CLIENT_CLOSED else "",
                prepared=None,
                prepare_seconds=0.0,
                upstream_seconds=now - began,
                first_byte_seconds=now - began,
                relay_seconds=0.0,
            )
        )


def _opening(call: Call, max_size: int) -> Opening:
    kept = tuple(pair for pair in request_headers(call.received) if not _of_this_hop(pair))
    compressed = any(name.startswith("permessage-deflate") for name in _listed(call, b"sec-websocket-extensions"))
    return Opening(call.route.target, kept, _listed(call, b"sec-websocket-protocol"), compressed, max_size)


def _accepted(call: Call, upstream: ClientConnection) -> Message:
    """The upstream's answer to the handshake, and what this session is called."""
    assert upstream.response is not None
    raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in upstream.response.headers.raw_items()]
    session = identity.session(call.headers).encode("ascii")
    named: tuple[Pair, ...] = ((b"x-holdfast-session", session),) if session and call.dialect else ()
    headers = [pair for pair in response_headers(raw, named) if not _of_this_hop(pair)]
    return {"type": "websocket.accept", "headers": headers, "subprotocol": upstream.subprotocol}


def _of_this_hop(pair: Pair) -> bool:
    name = pair[0].lower()
    return name.startswith(HANDSHAKE) or name == b"content-length"


def _listed(call: Call, name: bytes) -> tuple[str, ...]:
    words = b",".join(values(call.headers, name)).decode("latin-1").split(",")
    return tuple(word for word in map(str.strip, words) if word)


def _patience(route: Route) -> Patience:
    timeouts = route.upstream.timeouts
    return Patience(first=timeouts.first_byte, pause=timeouts.idle, write=timeouts.write)


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _reply(send: Send, status: int, headers: Sequence[Pair], body: bytes, reason: bytes = b"") -> None:
    """An answer that is no WebSocket."""
    length = (b"content-length", str(len(body)).encode())
    lines = [*(pair for pair in headers if pair[0].lower() != b"content-length"), length]
    start: Message = {"type": "websocket.http.response.start", "status": status, "headers": lines}
    await send({**start, "reason": reason} if reason else start)
    await send({"type": "websocket.http.response.body", "body": body})


def _now() -> float:
    return asyncio.get_running_loop().time()

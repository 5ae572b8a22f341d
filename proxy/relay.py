"""One exchange on the wire: a request up, its answer down, chunk by chunk.

Rules of this room: bytes are not looked into, only shown to a tap after they have been sent on. Nothing
is retried, but for a question of ours that was refused: the request is sent once more without it. A failure
before the answer's head is raised, for the front end to word; after it, the answer ends unfinished: a broken
answer never looks complete. It must not know dialects or plans.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from proxy.deadline import Cause, Deadline
from proxy.downstream import Downstream
from proxy.errors import UpstreamError
from proxy.headers import Pair, first, response_headers, valid
from proxy.tap import STREAMS, Silent, Tap
from proxy.upstream import Outgoing, Pool

log = logging.getLogger("holdfast.relay")

CLIENT_CLOSED = 499
"""nginx's status for an agent that left before its answer; never sent."""

OpenTap = Callable[[int, Sequence[Pair]], Tap]
Extra = Callable[[int], Sequence[Pair]]
"""Our own headers for an answer with this status."""


class Editor(Protocol):
    """Changes an answer on its way."""

    def relayed(self, chunks: AsyncIterable[bytes], tap: Tap) -> AsyncGenerator[bytes, None]:
        """What the agent gets; empty where there is nothing to send yet. The tap gets what came."""
        ...


OpenEditor = Callable[[int, Sequence[Pair]], Editor | None]


@dataclass(slots=True)
class Answer:
    """How an exchange went, filled in as it goes."""

    status: int = 0
    tap: Tap = field(default_factory=Silent)
    complete: bool = False
    plain: bool = False
    """It answers the request without our question, which was refused."""
    failure: str = ""
    """A short fixed word where it did not complete."""
    first_byte: float | None = None
    """Loop time at which the answer's head was there."""
    head_sent: float | None = None
    streamed: bool = False


async def relay(
    pool: Pool,
    outgoing: Outgoing,
    downstream: Downstream,
    deadline: Deadline,
    extra: Extra,
    open_tap: OpenTap,
    answer: Answer,
    open_editor: OpenEditor | None = None,
    plain: Outgoing | None = None,
) -> None:
    """Within `deadline`. Raises UpstreamError where nothing has been answered yet.

    `plain`: the request without a question of ours, which may be why it is refused.
    """
    timeouts, time = pool.upstream.timeouts, asyncio.get_running_loop().time
    if downstream.body_is_in:
        deadline.allow(timeouts.first_byte, Cause.FIRST_BYTE)
    response = await _head(pool, outgoing)
    if plain is not None and response.status_code == 400:
        await response.aclose()
        response, answer.plain = await _head(pool, plain), True
    try:
        answer.first_byte = time()
        answer.status = response.status_code
        headers = response.headers.raw
        answer.streamed = first(headers, b"content-type").startswith(STREAMS)
        answer.tap = open_tap(response.status_code, headers)
        editor = open_editor(response.status_code, headers) if open_editor else None
        await _start(response, _unsized(headers) if editor else headers, downstream, extra(response.status_code))
        answer.head_sent = time()
        assert isinstance(response.stream, httpx.AsyncByteStream)
        if editor is None:
            await _body(response.stream, answer.tap, downstream, deadline, timeouts.idle, answer)
        else:
            async with aclosing(editor.relayed(response.stream, answer.tap)) as chunks:
                await _body(chunks, Silent(), downstream, deadline, timeouts.idle, answer)
    finally:
        await response.aclose()


async def _head(pool: Pool, outgoing: Outgoing) -> httpx.Response:
    try:
        return await pool.send(outgoing)
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise UpstreamError(f"upstream `{pool.upstream.name}`: {reason}", status=_status(error)) from error


def _status(error: httpx.TransportError) -> int:
    match error:
        case httpx.TimeoutException():
            return 504
        case httpx.LocalProtocolError():  # what the agent sent cannot be sent on
            return 400
        case _:
            return 502


async def _start(response: httpx.Response, headers: list[Pair], downstream: Downstream, extra: Sequence[Pair]) -> None:
    if not 200 <= response.status_code < 600 or not valid(headers):
        raise UpstreamError("the upstream's answer has an invalid head")
    reason = response.extensions.get("reason_phrase", b"")
    await downstream.start(response.status_code, _framed(response, response_headers(headers, extra)), reason)


def _framed(response: httpx.Response, headers: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Without the length that a 204 must not state (RFC 9110, section 8.6)."""
    if response.status_code != 204:
        return headers
    return tuple(pair for pair in headers if pair[0].lower() != b"content-length")


def _unsized(headers: list[Pair]) -> list[Pair]:
    """Without a length that the edited answer need not have."""
    return [pair for pair in headers if pair[0].lower() != b"content-length"]


async def _body(
    chunks: AsyncIterable[bytes], tap: Tap, downstream: Downstream, deadline: Deadline, idle: float, answer: Answer
) -> None:
    try:
        deadline.allow(idle, Cause.IDLE)
        async for chunk in chunks:
            if chunk:
                await downstream.write(chunk)
            deadline.allow(idle, Cause.IDLE)
            tap.feed(chunk)
    except httpx.TransportError as error:
        answer.failure = "truncated"
        log.warning("the answer of an upstream broke off: %s", error)
        return
    await downstream.finish()
    answer.complete = True

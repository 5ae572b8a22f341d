"""One answer to the agent out of several of the provider's.

Rules of this room: nothing is held before a call appears. At most MAX_ROUNDS further requests for one answer, each
the one before with more messages behind it, to the same place. Where one of them is refused or cannot be made, the
answer so far gets a regular end (FAIL-OPEN); where one breaks off, so does the agent's answer. It must not know how
the agent is reached.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import httpx

from policies.core.usage import Usage
from proxy.answering.calls import Called, Splicer
from proxy.answering.following import followed
from proxy.answering.lookup import Result
from proxy.answering.owing import words
from proxy.errors import ProxyError
from proxy.tap import Tap

log = logging.getLogger("holdfast.answering")

T = TypeVar("T")

MAX_ROUNDS = 3
MAX_CALLS = 8
"""Answered at once, each with a text of bounded length."""
NO_CALLS: tuple[Called, ...] = ()

NOTE = "(A call in this answer could not be carried out now, so it ends here.)"
"""The one text of our own that an agent may see. Without it its history might hold a message that says nothing."""

LAST = "\n[This was the last call of this tool that is answered in this step.]"

Ask = Callable[[bytes], Awaitable[httpx.Response]]
"""Sends a body where the first one was sent, under the same headers. Raises httpx.TransportError."""


@dataclass(slots=True, repr=False)
class Rounds:
    """One answer on its way to the agent."""

    splicer: Splicer
    body: bytes
    """As sent last."""
    list_key: str
    ask: Ask
    reply: Callable[[Called], Awaitable[Result]]
    alike: Callable[[httpx.Response], bool]
    """Whether a further answer is of the kind of the first."""
    tap: Callable[[httpx.Response], Tap]
    owe: Callable[[str], None]
    """Takes what is to be said at the tail of the agent's next request."""
    told: Callable[[str], None]
    """What became of a call, as a fixed word: the outcome of its result, or why it was left without one."""
    usages: list[Usage] = field(default_factory=list)
    """Of the further requests, as far as it was reported."""

    async def relayed(self, chunks: AsyncIterable[bytes], tap: Tap) -> AsyncGenerator[bytes, None]:
        """What the agent gets; empty while something is taken in and nothing is to be sent."""
        async for chunk in chunks:
            yield self._guarded(partial(self.splicer.feed, chunk), chunk)
            tap.feed(chunk)
        number = 0
        while (calls := self._guarded(self.splicer.pending, NO_CALLS)) and (
            response := await self._next(calls, number := number + 1)
        ):
            async with aclosing(self._further(response)) as parts:
                async for part in parts:
                    yield part
        if dropped := self._guarded(self.splicer.dropped, NO_CALLS):
            await self._later(dropped)  # before the agent can send its next request
        yield self._guarded(partial(self.splicer.finish, NOTE), b"")

    async def _further(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        tap = self.tap(response)
        self.splicer.go_on()
        try:
            async for chunk in _stream(response):
                yield self._guarded(partial(self.splicer.feed, chunk), chunk)
                tap.feed(chunk)
        finally:
            await response.aclose()
            if usage := tap.usage():
                self.usages.append(usage)

    async def _next(self, calls: Sequence[Called], number: int) -> httpx.Response | None:
        """The head of the provider's next answer; None where there is none to go on with."""
        if number > MAX_ROUNDS:
            self._left("too_many")
            return None
        try:
            results = [await self.reply(called) for called in calls[:MAX_CALLS]]
            results += [Result("too many calls at once: ask again", "too_many")] * len(calls[MAX_CALLS:])
            texts = [result.text + (LAST if number == MAX_ROUNDS else "") for result in results]
            body = followed(self.body, self.list_key, self.splicer.said(texts))
            response = await self.ask(body)
        except Exception as error:  # INVARIANT: FAIL-OPEN - the answer so far stands
            why = error if isinstance(error, ProxyError) else type(error).__name__
            log.warning("a call cannot be answered: %s", why)
            self._left("failed")
            return None
        if not self.alike(response):
            await response.aclose()
            log.warning("a call was answered, and the upstream says %d to it", response.status_code)
            self._left("refused")
            return None
        for result in results:
            self.told(result.outcome)
        self.body = body
        return response

    async def _later(self, calls: Sequence[Called]) -> None:
        """Answer calls that stand beside the agent's own at the tail of its next request."""
        try:
            results = [await self.reply(called) for called in calls[:MAX_CALLS]]
        except Exception as error:  # INVARIANT: FAIL-OPEN - the agent has its own calls
            log.warning("a call cannot be answered: %s", type(error).__name__)
            self._left("failed")
            return
        self.owe(words(calls[:MAX_CALLS], [result.text for result in results]))
        for result in results:
            self.told(result.outcome)

    def _guarded(self, work: Callable[[], T], otherwise: T) -> T:
        """INVARIANT: FAIL-OPEN; a fault of ours passes what it met as it came."""
        try:
            return work()
        except Exception:
            log.exception("a fault while an answer was looked into")
            self._left("failed")
            return otherwise

    def _left(self, reason: str) -> None:
        log.info("a call that Holdfast answers is left without an answer: %s", reason)
        self.told(reason)


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream

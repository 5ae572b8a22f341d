"""Messages from side to side until one of them, the clock or the server ends it.

Rules of this room: one message of each direction is in hand at a time; the next is read when it has been taken in
(back-pressure). A follower is shown every message, before it goes up and after it has gone down, and may change one on
its way up. Whatever ends it, both sides are told. It must not know what a message says.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Protocol

from proxy.lifecycle import Lifecycle
from proxy.websocket.ends import Cause, End, for_agent, for_upstream
from proxy.websocket.sides import Data, Ended, Side


class Follower(Protocol):
    """Never raises."""

    async def upward(self, data: Data) -> Data:
        """What goes up in place of a message of the agent."""
        ...

    def downward(self, data: Data) -> None:
        """A message of the upstream, after it has gone down."""
        ...

    def over(self) -> None:
        """There is no more to follow."""
        ...

    @property
    def owed(self) -> int:
        """Answers that the upstream has not finished."""
        ...


class Unfollowed:
    """For what is relayed only."""

    owed = 0

    async def upward(self, data: Data) -> Data:
        return data

    def downward(self, data: Data) -> None:
        pass

    def over(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds."""

    first: float
    """From a request to the first event of its answer."""
    pause: float
    """Between two events of an answer."""
    write: float
    """For one message to be taken in."""
    idle: float = 3600.0
    """Without any message while nothing is owed. OpenAI keeps a connection for an hour (guide "WebSocket mode")."""


LOOK = 0.05
"""How often it is looked whether the last answer is over, once the server is stopping."""


async def relay(agent: Side, upstream: Side, follower: Follower, patience: Patience, lifecycle: Lifecycle) -> End:
    """Both ways. Both sides are closed when it returns."""
    passage = _Passage(agent, upstream, follower, patience, lifecycle)
    ways = [_held(passage.up()), _held(passage.down()), _held(passage.watch())]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        end = next(way.result() for way in ways if way in done)
    except asyncio.CancelledError:
        end = End(Cause.DRAINED, detail="out of patience")
        raise
    except Exception as fault:
        end = End(Cause.FAULT, detail=type(fault).__name__)
        raise
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await asyncio.gather(agent.close(for_agent(end)), upstream.close(for_upstream(end)), return_exceptions=True)
    return end


def _held(way: Coroutine[object, object, End]) -> "asyncio.Task[End]":
    return asyncio.get_running_loop().create_task(way)


class _Passage:
    def __init__(
        self, agent: Side, upstream: Side, follower: Follower, patience: Patience, lifecycle: Lifecycle
    ) -> None:
        self._agent, self._upstream, self._follower = agent, upstream, follower
        self._patience, self._lifecycle = patience, lifecycle
        self._time = asyncio.get_running_loop().time
        self._last = self._time()
        self._answering = False
        """Whether the last message came from the upstream."""

    async def up(self) -> End:
        while True:
            try:
                data = await self._agent.receive()
            except Ended as ended:
                return _ended(ended, Cause.AGENT, Cause.AGENT_LOST)
            self._last, self._answering = self._time(), False
            if end := await self._pass(await self._follower.upward(data), self._upstream):
                return end

    async def down(self) -> End:
        while True:
            try:
                data = await self._upstream.receive()
            except Ended as ended:
                return _ended(ended, Cause.UPSTREAM, Cause.UPSTREAM_LOST)
            self._last, self._answering = self._time(), True
            if end := await self._pass(data, self._agent):
                return end
            self._follower.downward(data)

    async def _pass(self, data: Data, side: Side) -> End | None:
        try:
            async with asyncio.timeout(self._patience.write):
                await side.send(data)
            return None
        except TimeoutError:
            return End(Cause.STALLED, detail="the agent" if side is self._agent else "the upstream")
        except Ended:
            # what that side said before it went is still on its way, and its direction ends when all has passed
            await asyncio.Event().wait()
            raise

    async def watch(self) -> End:
        """The clock and the server. A turn in flight is finished before the server stops."""
        while True:
            owed = self._follower.owed
            if self._lifecycle.draining and not owed:
                return End(Cause.DRAINED)
            left = self._last + self._bound(owed) - self._time()
            if left <= 0:
                return End(Cause.SILENT if owed else Cause.IDLE)
            if self._lifecycle.draining:
                await asyncio.sleep(LOOK)
                continue
            with contextlib.suppress(TimeoutError):
                # not longer than a bound that a request may bring into force meanwhile
                async with asyncio.timeout(min(left, self._patience.first, self._patience.pause)):
                    await self._lifecycle.drained()

    def _bound(self, owed: int) -> float:
        if not owed:
            return self._patience.idle
        return self._patience.pause if self._answering else self._patience.first


def _ended(ended: Ended, closed: Cause, lost: Cause) -> End:
    return End(closed, ended.close) if ended.close else End(lost, detail=ended.detail)

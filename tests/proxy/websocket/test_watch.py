"""The clock and the server as seen by a relay, between two sides that are in memory."""

import asyncio

from proxy.lifecycle import Lifecycle
from proxy.websocket.ends import Cause, Close
from proxy.websocket.relay import Follower, Patience, Unfollowed, relay
from proxy.websocket.sides import Data, Ended
from tests.proxy.running import scenario

QUICK = Patience(first=0.3, pause=0.15, write=1.0, idle=0.6)


class Still:
    """A side that says what it is told to say, and keeps what it is told."""

    def __init__(self) -> None:
        self.sent: list[Data] = []
        self.closed: Close | None = None
        self.incoming: asyncio.Queue[Data | Ended] = asyncio.Queue()

    async def receive(self) -> Data:
        message = await self.incoming.get()
        if isinstance(message, Ended):
            raise message
        return message

    async def send(self, data: Data) -> None:
        self.sent.append(data)

    async def close(self, close: Close) -> None:
        self.closed = close


class Owing(Unfollowed):
    """One answer owed from the first message up to the one that says `end`."""

    def __init__(self) -> None:
        self.owed = 0

    async def upward(self, data: Data) -> Data:
        self.owed = 1
        return data

    def downward(self, data: Data) -> None:
        self.owed = 0 if data == "end" else self.owed


async def timed(
    agent: Still, upstream: Still, follower: Follower, lifecycle: Lifecycle | None = None
) -> tuple[Cause, float]:
    began = asyncio.get_running_loop().time()
    end = await relay(agent, upstream, follower, QUICK, lifecycle or Lifecycle())
    return end.cause, asyncio.get_running_loop().time() - began


@scenario
async def test_a_connection_without_a_message_ends_after_a_while() -> None:
    agent, upstream = Still(), Still()
    cause, seconds = await timed(agent, upstream, Unfollowed())
    assert cause is Cause.IDLE and 0.5 < seconds < 3
    assert agent.closed == Close(1001, "idle for too long") and upstream.closed == Close(1001)


@scenario
async def test_an_upstream_that_owes_an_answer_and_does_not_begin_it_ends_it_sooner() -> None:
    agent, upstream = Still(), Still()
    agent.incoming.put_nowait("create")
    cause, seconds = await timed(agent, upstream, Owing())
    assert cause is Cause.SILENT and 0.25 < seconds < 3
    assert agent.closed == Close(1011, "the upstream did not answer in time")


@scenario
async def test_an_upstream_that_pauses_in_an_answer_ends_it_soonest() -> None:
    agent, upstream = Still(), Still()
    agent.incoming.put_nowait("create")
    upstream.incoming.put_nowait("delta")
    cause, _ = await timed(agent, upstream, Owing())
    assert cause is Cause.SILENT and agent.sent == ["delta"]


@scenario
async def test_a_stop_waits_for_the_answer_that_is_owed() -> None:
    agent, upstream, lifecycle = Still(), Still(), Lifecycle()
    agent.incoming.put_nowait("create")

    async def finish() -> None:
        await asyncio.sleep(0.05)
        lifecycle.drain()
        await asyncio.sleep(0.1)
        upstream.incoming.put_nowait("end")

    finishing = asyncio.ensure_future(finish())
    cause, seconds = await timed(agent, upstream, Owing(), lifecycle)
    await finishing
    assert cause is Cause.DRAINED and agent.sent == ["end"] and seconds > 0.14
    assert agent.closed == Close(1012, "restarting")


@scenario
async def test_what_a_side_said_before_it_went_still_arrives() -> None:
    class Gone(Still):
        """A connection that broke after it had said something."""

        def __init__(self) -> None:
            super().__init__()
            for message in ("said", "before", Ended(None)):
                self.incoming.put_nowait(message)

        async def send(self, data: Data) -> None:
            raise Ended(None)

    there = Still()
    there.incoming.put_nowait("x")
    assert (await timed(there, Gone(), Unfollowed()))[0] is Cause.UPSTREAM_LOST
    assert there.sent == ["said", "before"]
    there.incoming.put_nowait("x")
    assert (await timed(Gone(), there, Unfollowed()))[0] is Cause.AGENT_LOST
    assert there.sent[2:] == ["said", "before"]


@scenario
async def test_a_relay_that_is_cancelled_still_says_so_to_both_sides() -> None:
    agent, upstream = Still(), Still()
    relaying = asyncio.ensure_future(relay(agent, upstream, Unfollowed(), QUICK, Lifecycle()))
    await asyncio.sleep(0.05)
    relaying.cancel()
    await asyncio.wait([relaying])
    assert relaying.cancelled() and agent.closed == Close(1012, "restarting") and upstream.closed == Close(1001)


@scenario
async def test_a_fault_in_a_side_closes_both_and_is_not_hidden() -> None:
    class Broken(Still):
        async def receive(self) -> Data:
            raise RuntimeError("a fault")

    agent, upstream = Still(), Broken()
    try:
        await timed(agent, upstream, Unfollowed())
    except RuntimeError:
        pass
    else:
        raise AssertionError("hidden")
    assert agent.closed == Close(1011) and upstream.closed == Close(1001)

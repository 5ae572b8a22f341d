"""One patience for a whole exchange.

Each phase grants the next stretch of time; whoever learns that there is nothing left to wait for cuts
it short. Either way the exchange is cancelled where it stands, and `cause` says why.
Rules of this room: monotonic time of the running loop, never the wall clock. It must not know HTTP.
"""

import asyncio
from enum import Enum
from types import TracebackType
from typing import Self

SLACK = 1.0
"""A phase is extended at most this often: rearming a timer for every chunk costs more than relaying it."""


class Cause(Enum):
    """Why an exchange ended early. The value is a metric label."""

    DISCONNECTED = "disconnected"
    BODY = "request_body"
    WRITE = "write"
    FIRST_BYTE = "first_byte"
    IDLE = "idle"


class Expired(Exception):
    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        super().__init__(cause.value)


class Deadline:
    """An async context in which the body runs; raises Expired when the time is up."""

    def __init__(self) -> None:
        self._cause = Cause.FIRST_BYTE
        self._timeout = asyncio.timeout(None)
        self._time = asyncio.get_running_loop().time
        self._open = False

    def allow(self, seconds: float, cause: Cause) -> None:
        """From now on, this long; `cause` is the reason if it passes."""
        when, until = self._time() + seconds, self._timeout.when()
        if cause is self._cause and until is not None and 0.0 <= when - until < min(SLACK, seconds / 4):
            return
        self._rearm(when, cause)

    def cut(self, cause: Cause) -> None:
        """End it now."""
        self._rearm(self._time(), cause)

    def _rearm(self, when: float, cause: Cause) -> None:
        if self._open and self._cause is not Cause.DISCONNECTED:
            self._cause = cause
            self._timeout.reschedule(when)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as timeout:
            raise Expired(self._cause) from timeout

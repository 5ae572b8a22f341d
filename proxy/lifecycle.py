"""What outlives a request: work that follows an answer, and whether the process is on its way out.

Rules of this room: a task is held until it is done (an unheld one is garbage-collected in flight), and
waiting for the rest has a bound. It must not know what the work is.
"""

import asyncio
import logging
from collections.abc import Coroutine

log = logging.getLogger("holdfast.lifecycle")


class Lifecycle:
    def __init__(self) -> None:
        self._draining = asyncio.Event()
        self._held: set[asyncio.Task[None]] = set()

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    def drain(self) -> None:
        """From now on, what is open ends as soon as it can."""
        self._draining.set()

    async def drained(self) -> None:
        """Returns when that has begun."""
        await self._draining.wait()

    def closing(self) -> bool:
        """Whether connections end with the answer they are on."""
        return self.draining

    def hold(self, work: Coroutine[object, object, None], name: str) -> None:
        """Run it off the path of any answer."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._held.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._held.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s failed: %s", task.get_name(), type(error).__name__)

    async def finish(self, seconds: float) -> None:
        """Wait for what is held, at most this long, then cancel it."""
        if not self._held:
            return
        _, late = await asyncio.wait(self._held, timeout=seconds)
        for task in late:
            log.warning("%s was cancelled: not done after %.1f s", task.get_name(), seconds)
            task.cancel()
        if late:
            await asyncio.wait(late)

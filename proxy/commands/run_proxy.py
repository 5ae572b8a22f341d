"""The proxy of a run: in a thread of this process, so that the main thread is the child's and its signals'.

Rules of this room: it starts, says where it is, and ends with every account in. It must not know children.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Protocol

from proxy import server

log = logging.getLogger("holdfast.run")

DRAIN = server.Drain(grace=0.0, patience=5.0)
"""The agent is gone; what its own children still ask may take this long."""


class Serve(Protocol):
    def __call__(
        self, *, started: Callable[[server.Address, server.Address | None], None], stop: asyncio.Event
    ) -> Awaitable[None]: ...


@contextmanager
def running(serve: Serve) -> Iterator[str]:
    """Gives its URL; serves until left, and a little longer for what is open. Raises what keeps it from starting."""
    ready: Future[tuple[str, Callable[[], object]]] = Future()

    async def main() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def started(traffic: server.Address, admin: server.Address | None) -> None:
            log.info("serving %s (admin %s)", traffic.url, admin.url if admin else "none")
            ready.set_result((traffic.url, lambda: loop.call_soon_threadsafe(stop.set)))

        await serve(started=started, stop=stop)

    def work() -> None:
        try:
            server.run(main)
        except BaseException as fault:
            if ready.done():
                log.exception("the proxy ended before the agent did")
            else:
                ready.set_exception(fault)

    thread = threading.Thread(target=work, name="holdfast-proxy", daemon=True)
    thread.start()
    url, stop = ready.result()
    try:
        yield url
    finally:
        with contextlib.suppress(RuntimeError):  # its loop has ended already
            stop()
        with contextlib.suppress(KeyboardInterrupt):  # whoever does not want to wait need not
            thread.join()

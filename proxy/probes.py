"""`/healthz` and `/readyz`: the process is up; its store and configuration are usable.

Rules of this room: answered here on both ports, never forwarded; readiness is asked of whoever was
given at start-up, within a bound, and is false while draining. It must not know the store.
"""

import asyncio
from collections.abc import Awaitable, Callable

from proxy.lifecycle import Lifecycle

Ready = Callable[[], Awaitable[str]]
"""Empty when ready, else why not."""

PATIENCE = 2.0


async def always_ready() -> str:
    return ""


async def probe(raw_path: bytes, ready: Ready, lifecycle: Lifecycle) -> tuple[int, str] | None:
    """Status and text, where the path is a probe's."""
    match raw_path:
        case b"/healthz":
            return 200, "ok"
        case b"/readyz":
            problem = "draining" if lifecycle.draining else await _ask(ready)
            return (503, problem) if problem else (200, "ready")
        case _:
            return None


async def _ask(ready: Ready) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            return await ready()
    except TimeoutError:
        return "readiness is not known in time"

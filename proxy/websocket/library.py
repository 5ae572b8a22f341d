"""How `websockets` is used on either side: its bounds, its silence, its end.

Rules of this room: it must not know which side it is.
"""

import asyncio
import logging
from typing import Any

from websockets.asyncio.connection import Connection

QUEUED = (1, 0)
"""Frames taken in ahead of whoever reads messages, and when reading goes on."""
PING_SECONDS = 20.0
"""Between two pings, so that nothing in between forgets the connection. No answer is demanded: clients that read only
while they wait for a message answer late (websocket-client, which OpenAI's guide uses)."""
CLOSE_SECONDS = 5.0
"""For the other side's part of the closing handshake."""
WINDOW_BITS = 12
"""4 KB of memory a direction for compression instead of 32, as `websockets` and uvicorn have it."""
DEFLATE: dict[str, Any] = {"memLevel": 5}


class Quiet(logging.LoggerAdapter[logging.Logger]):
    """Below a warning the library writes whole heads and frames: credentials and prompts."""

    def isEnabledFor(self, level: int) -> bool:
        return level >= logging.WARNING and super().isEnabledFor(level)


QUIET = Quiet(logging.getLogger("holdfast.websocket"), {})


async def close(connection: Connection, code: int | None, reason: str) -> None:
    """With the closing handshake, within a bound: the library's own does not hold where nothing is taken in."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            # None asks for a frame without a code: `send_close` of the protocol knows it, this signature does not
            await connection.close(code, reason)  # type: ignore[arg-type]
    except TimeoutError:
        connection.transport.abort()

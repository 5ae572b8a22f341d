"""How `websockets` is used on either side: its bounds, and its silence.

Rules of this room: values only.
"""

import logging
from typing import Any

QUEUED = (1, 0)
"""Frames taken in ahead of whoever reads messages, and when reading goes on."""
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

"""AWS event streams, written: a prelude, headers, a payload, and a CRC after each half."""

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any
from zlib import crc32

MEDIA_TYPE = "application/vnd.amazon.eventstream"


def frame(event: str, value: Mapping[str, Any]) -> bytes:
    """One event of this type."""
    payload = json.dumps(value).encode()
    named = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(_text(name, 1) + b"\7" + _text(word, 2) for name, word in named.items())
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    checked = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return checked + struct.pack("!I", crc32(checked))


def chunk(data: bytes) -> bytes:
    """A model's own event, as invoke wraps it."""
    return frame("chunk", {"bytes": base64.b64encode(data).decode(), "p": "abcdefgh"})


def _text(text: str, width: int) -> bytes:
    return len(text).to_bytes(width) + text.encode()

"""AWS event streams, read in passing: bytes in any chunking become events.

Rules of this room: a frame is a prelude (whole length, length of the headers, CRC of both), headers,
payload and a CRC of all before it. Headers are not looked at: what an event holds is told by its
payload. Memory is bounded: a frame larger than LIMIT is skipped. Where a length cannot be trusted nothing
behind it can be read, and the rest is left alone. It must not know what events mean.
Source: Amazon's "event stream encoding" (smithy.io, AWS protocols); botocore 1.44, `eventstream.py`.
"""

from collections.abc import Iterator
from zlib import crc32

import msgspec
from msgspec import Struct

from proxy.dialects.sse import LIMIT, Event

_PRELUDE = 12
_CRC = 4


class _Chunk(Struct, frozen=True):
    """The payload of Bedrock's invoke events: the model's own event, in base64."""

    bytes: bytes


_chunk = msgspec.json.Decoder(_Chunk)


class Frames:
    """Feeds on chunks, yields events as soon as they are complete; none has a name."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._skip = 0
        """Bytes still to come of a frame that is too large."""
        self._lost = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        if self._lost:
            return
        skipped = min(self._skip, len(chunk))
        self._skip -= skipped
        self._buffer += chunk[skipped:]
        while (size := self._size()) and (size > self._limit or len(self._buffer) >= size):
            frame = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._skip = size - len(frame)
            if size <= self._limit and (event := _event(frame)):
                yield event

    def _size(self) -> int:
        """Of the frame that the buffer begins with; 0 where that is not known yet, or cannot be trusted."""
        if len(self._buffer) < _PRELUDE:
            return 0
        size = int.from_bytes(self._buffer[:4])
        if size >= _PRELUDE + _CRC and crc32(self._buffer[:8]) == int.from_bytes(self._buffer[8:12]):
            return size
        self._lost = True
        self._buffer.clear()
        return 0


def _event(frame: bytes) -> Event | None:
    """What a frame holds; None for one that was damaged."""
    body, checksum = frame[:-_CRC], frame[-_CRC:]
    if crc32(body) != int.from_bytes(checksum):
        return None
    payload = body[_PRELUDE + int.from_bytes(body[4:8]) :]
    try:
        return Event("", _chunk.decode(payload).bytes)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Event("", payload)

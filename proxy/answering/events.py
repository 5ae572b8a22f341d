"""A stream of server-sent events in pieces that can be sent on one by one.

Rules of this room: the pieces together are the stream, byte for byte. An event that is not complete is kept until
it is: no reader acts on less. It must not know what events mean.
"""

import re
from itertools import pairwise

from proxy.dialects.sse import LIMIT, Event, Parser

# A CRLF is one line end, so the groups are atomic: its halves are never taken for two.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")


class Pieces:
    """Feeds on chunks, gives pieces, each with the event that it completes."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._parser = Parser(limit)
        self._limit = limit
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> list[tuple[bytes, Event | None]]:
        searched = max(0, len(self._kept) - 3)
        self._kept += chunk
        ends = [blank.end() for blank in _BLANK_LINE.finditer(self._kept, searched)]
        pieces = [bytes(self._kept[begin:end]) for begin, end in pairwise([0, *ends])]
        del self._kept[: ends[-1] if ends else 0]
        if len(self._kept) > self._limit:
            pieces.append(self.rest())
        return [(piece, next(iter(list(self._parser.feed(piece))), None)) for piece in pieces]

    def rest(self) -> bytes:
        """What is left of an event that never ended."""
        rest = bytes(self._kept)
        self._kept.clear()
        return rest


def event(data: bytes, name: str = "") -> bytes:
    """One event as bytes."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data

"""Server-sent events, read in passing: bytes in any chunking become events.

Rules of this room: lines end in CR, LF or CRLF and nothing else (never `splitlines`, which also cuts at
U+2028). Memory is bounded: an event larger than LIMIT is skipped. It must not know what events mean.
Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
"""

import re
from collections.abc import Iterator

from msgspec import Struct

LIMIT = 8 * 1024 * 1024  # bytes of one event; the largest seen in practice carries one image, about 2 MB
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Event(Struct, frozen=True):
    """One event. `name` is empty where the stream gives none."""

    name: str
    data: bytes


class Parser:
    """Feeds on chunks, yields events as soon as they are complete."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._tail: list[bytes] = []
        self._size = 0
        self._name = ""
        self._data: list[bytes] = []
        self._skipping = False
        self._first = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        if not chunk:
            return
        if self._after_cr:  # a CRLF cut in two is one line end
            chunk = chunk.removeprefix(b"\n")
        start = 0
        for end in _LINE_END.finditer(chunk):
            self._keep(chunk[start : end.start()])
            start = end.end()
            if event := self._line():
                yield event
        self._after_cr = start == len(chunk) and chunk.endswith(b"\r")
        self._keep(chunk[start:])

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._size += len(piece)
        if self._size <= self._limit:
            self._tail.append(piece)
        else:  # what is left of this line reads as a comment
            self._skipping, self._tail, self._data = True, [b":"], []

    def _line(self) -> Event | None:
        """Take the line that has just ended."""
        line, self._tail = b"".join(self._tail), []
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data" and not self._skipping:
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
        return None

    def _dispatch(self) -> Event | None:
        event = Event(self._name, b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._size, self._skipping = "", [], 0, False
        return event

"""Reads usage from an answer in passing.

Rules of this room: it gets a copy of each chunk *after* that chunk has been sent on, decodes it within
a bound, and whatever goes wrong stays here: the answer is neither held nor changed nor failed
(TRANSPARENT). It must not know how an answer is relayed.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

from policies.core.usage import Usage
from proxy.dialects import Dialect, UsageReader
from proxy.encodings import Bounded
from proxy.errors import DialectError
from proxy.headers import Pair, first

log = logging.getLogger("holdfast.usage")

STREAMS = (b"text/event-stream", b"application/vnd.amazon.eventstream", b"application/x-ndjson")
"""Content types of answers that come in parts."""


class Tap(Protocol):
    def feed(self, chunk: bytes) -> None: ...

    def usage(self) -> Usage | None:
        """What was reported; None where nothing was, or where it could not be read."""
        ...


class Silent:
    """For answers that report nothing."""

    def feed(self, chunk: bytes) -> None:
        pass

    def usage(self) -> Usage | None:
        return None


class Collected:
    """A reader for one JSON body, at most `limit` bytes long."""

    def __init__(self, dialect: Dialect, limit: int) -> None:
        self._dialect, self._left = dialect, limit
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise DialectError("answer_too_large", "the answer is too long to read its usage")
        self._chunks.append(chunk)

    def usage(self) -> Usage | None:
        return self._dialect.usage(b"".join(self._chunks))


class Listening:
    """Decodes, feeds a reader, and falls silent at the first fault."""

    def __init__(self, reader: UsageReader, coding: bytes, limit: int) -> None:
        self._reader = reader
        self._plain = coding in (b"", b"identity")
        self._decoder = Bounded(coding, limit)
        self._deaf = False

    def feed(self, chunk: bytes) -> None:
        if self._deaf:
            return
        try:
            for piece in (chunk,) if self._plain else self._decoder.feed(chunk):
                self._reader.feed(piece)
        except Exception as error:  # INVARIANT: TRANSPARENT - no reader may break the stream it looks at
            self._deaf = True
            log.warning("usage cannot be read: %s", _reason(error))

    def usage(self) -> Usage | None:
        try:
            return self._reader.usage()
        except Exception as error:  # INVARIANT: FAIL-OPEN - the answer has passed; only its numbers are lost
            log.warning("usage cannot be read: %s", _reason(error))
            return None


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, DialectError) else type(error).__name__


def open_tap(dialect: Dialect, status: int, headers: Sequence[Pair], limit: int) -> Tap:
    """For an answer with this head."""
    kind = first(headers, b"content-type").partition(b";")[0].strip().lower()
    coding = first(headers, b"content-encoding").strip().lower()
    if status >= 300 or not (streamed := kind in STREAMS) and b"json" not in kind:
        return Silent()
    reader = dialect.usage_reader() if streamed else Collected(dialect, limit)
    try:
        return Listening(reader, coding, limit)
    except DialectError as error:
        log.warning("usage cannot be read: %s", error.reason)
        return Silent()

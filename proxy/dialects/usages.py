"""Usage as each provider reports it, brought into one form, from a whole answer or from a stream.

Rules of this room: a table per provider says where each figure stands; None is "not reported". Only
events that can carry usage are decoded. Reading never raises: what is odd is not usage.
"""

import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import msgspec
from msgspec import Struct, structs

from policies.core.usage import Usage
from proxy.dialects.frames import Frames
from proxy.dialects.sse import LIMIT, Parser
from proxy.dialects.values import integer, pick

Normalise = Callable[[object], Usage]
"""Makes usage of one provider's usage object."""

_WORD = re.compile("[a-z_]{1,40}")
_ID = re.compile("[A-Za-z0-9_-]{1,200}")
_SPACE = b" \t\r\n\xef\xbb\xbf"


class Source(Struct, frozen=True):
    """Where one dialect's answers carry usage."""

    places: tuple[str, ...]
    """Dotted names of the usage object, the first found wins; "" is the answer itself."""
    hints: tuple[bytes, ...]
    """Bytes of which some stand in every event that carries usage."""
    normalise: Normalise
    diagnoses: tuple[str, ...] = ()
    """Dotted names of an object that says why the cache was missed, by "reason" or "type"."""

    answers: tuple[str, ...] = ()
    """Dotted names of the id of the answer."""

    def hinted(self, data: bytes) -> bool:
        return any(hint in data for hint in self.hints)


def first(usage: object, *names: str) -> int | None:
    """The first of these dotted names that holds a count."""
    return next((found for name in names if (found := integer(pick(usage, name))) is not None), None)


def total(*counts: int | None) -> int | None:
    """Their sum; None where the first is not reported."""
    return None if counts[0] is None else sum(count or 0 for count in counts)


def reported(source: Source, body: bytes) -> Usage | None:
    """Usage of a complete answer: an object, a list of such (Gemini's streams without SSE), or one a line (Ollama)."""
    value = _decoded(body)
    if value is None:
        value = [_decoded(line) for line in body.split(b"\n") if source.hinted(line)]
    parts = value if isinstance(value, list) else [value]
    return reduce(merged, (_reported(source, part) for part in parts), None)


class Reader:
    """Reads the usage of an answer in passing: a stream of events, or JSON that is kept up to a limit."""

    def __init__(self, source: Source, limit: int = LIMIT) -> None:
        self._source = source
        self._limit = limit
        self._events: Parser | Frames | None = None
        self._kept: list[bytes] = []
        self._size = 0
        self._usage: Usage | None = None

    def feed(self, chunk: bytes) -> None:
        if self._events is None and not self._kept:
            chunk = chunk.lstrip(_SPACE)
            if chunk and chunk[:1] not in b"{[":
                # a frame begins with its length, of which the first of four bytes is 0
                self._events = Frames(self._limit) if chunk[:1] == b"\0" else Parser(self._limit)
        if self._events is None:
            self._keep(chunk)
            return
        for event in self._events.feed(chunk):
            if self._source.hinted(event.data):
                self._usage = merged(self._usage, _reported(self._source, _decoded(event.data)))

    def usage(self) -> Usage | None:
        return reported(self._source, b"".join(self._kept)) if self._kept else self._usage

    def _keep(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            self._kept = [b"{"]  # stays unreadable, so nothing is reported
        elif chunk:
            self._kept.append(chunk)


def merged(old: Usage | None, new: Usage | None) -> Usage | None:
    """Two reports of one call: counts are cumulative, so the later holds, where it says anything.

    Some servers repeat the input as 0 in their last event; that is no report.
    """
    if old is None or new is None:
        return old if new is None else new
    if not new.input:
        new = structs.replace(new, input=None, cache_read=None, cache_write=None, cache_write_long=None)
    return Usage(*(was if now is None else now for was, now in zip(_counts(old), _counts(new), strict=True)))


def _counts(usage: Usage) -> tuple[Any, ...]:
    return structs.astuple(usage)


def _reported(source: Source, value: object) -> Usage | None:
    places = (pick(value, name) if name else value for name in source.places)
    found = next((item for item in places if isinstance(item, Mapping)), None)
    if found is None:
        return None
    return structs.replace(source.normalise(found), diagnosis=_diagnosis(source, value), answer=_answer(source, value))


def _diagnosis(source: Source, value: object) -> str | None:
    words = (pick(value, f"{name}.{key}") for name in source.diagnoses for key in ("reason", "type"))
    return next((word for word in words if isinstance(word, str) and _WORD.fullmatch(word)), None)


def _answer(source: Source, value: object) -> str | None:
    names = (pick(value, name) for name in source.answers)
    return next((name for name in names if isinstance(name, str) and _ID.fullmatch(name)), None)


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

"""What the splicers of all dialects share, for answers that come as events and for those that come as one object.

Rules of this room: those of `calls`. What a dialect adds is how its answers are read and worded.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from proxy.answering.calls import Called, Object, added, encoded
from proxy.answering.events import Pieces

LIMIT = 8 * 1024 * 1024
"""Bytes of an answer that is remembered, in case it has to be said again to the provider."""

ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading JSON of another shape than expected raises."""


class Said(ABC):
    """What one answer of the provider said."""

    def __init__(self) -> None:
        self.ours: list[int] = []
        """The calls that Holdfast answers, by the provider's indices."""
        self.usage: Object = {}
        self.stop = ""
        """Why it ended; empty while it has not."""
        self.size = 0

    @property
    def open(self) -> bool:
        """The model waits for Holdfast alone."""
        return self._calls() and self.alone()

    @property
    def beside(self) -> bool:
        """The model waits for the agent as well."""
        return self._calls() and not self.alone()

    def _calls(self) -> bool:
        return bool(self.ours) and self.waits() and self.size <= LIMIT

    @abstractmethod
    def waits(self) -> bool:
        """It ended for the sake of its calls."""

    @abstractmethod
    def alone(self) -> bool:
        """None of its calls is the agent's."""

    @abstractmethod
    def called(self) -> tuple[Called, ...]: ...

    @abstractmethod
    def messages(self, results: Sequence[str]) -> tuple[bytes, ...]:
        """As it is said to the provider again, with the results behind it."""


S = TypeVar("S", bound=Said)


class Stream(ABC, Generic[S]):
    """For answers that come as events."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._pieces = Pieces()
        self._round = self.nothing()
        self._first = True
        self._total: Object = {}
        """Usage of the answers before this one."""
        self._ending: list[tuple[bytes, Object | None]] = []
        """Events at the end that wait until it is known whether more follows: as they came, and their fields."""
        self._over = False
        """The answer is complete."""

    @abstractmethod
    def nothing(self) -> S:
        """A round that has not begun."""

    @abstractmethod
    def piece(self, raw: bytes, data: bytes) -> bytes:
        """One event: what the agent gets of it. May raise what is ODD; then it passes as it came."""

    @abstractmethod
    def last(self, raw: bytes, fields: Object, unanswered: bool) -> bytes:
        """An event at the end. `unanswered`: as if the model had not called."""

    @abstractmethod
    def note(self, text: str) -> bytes:
        """A text behind all that was said."""

    def feed(self, chunk: bytes) -> bytes:
        return b"".join(self._passed(raw, one.data if one else b"") for raw, one in self._pieces.feed(chunk))

    def pending(self) -> tuple[Called, ...]:
        return self._round.called() if self._unanswered else ()

    def dropped(self) -> tuple[Called, ...]:
        return self._round.called() if self._round.beside else ()

    def said(self, results: Sequence[str]) -> tuple[bytes, ...]:
        return self._round.messages(results)

    def go_on(self) -> None:
        self._total = added(self._total, self._round.usage)
        self._round, self._first, self._over = self.nothing(), False, False
        self._ending, self._pieces = [], Pieces()

    def finish(self, note: str) -> bytes:
        left = self._unanswered
        spoken = self.note(note) if left else b""
        ending = (raw if fields is None else self.last(raw, fields, left) for raw, fields in self._ending)
        return b"".join((spoken, *ending, self._pieces.rest()))

    @property
    def _unanswered(self) -> bool:
        return self._over and self._round.open

    def _passed(self, raw: bytes, data: bytes) -> bytes:
        self._round.size += len(data)
        if not data or (self._round.size > LIMIT and self._first and not self._round.ours):
            return raw
        try:
            return self.piece(raw, data)
        except ODD:
            return raw

    def hold(self, raw: bytes, fields: Object | None) -> bytes:
        self._ending.append((raw, fields))
        return b""


class Whole(ABC, Generic[S]):
    """For answers that come as one object. One that is too long to be kept passes as it came."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._chunks: list[bytes] = []
        self._size = 0
        self._round = self.nothing()
        self._fields: Object = {}
        """The answer; empty where it cannot be read."""
        self._first: Object = {}
        """The first of several answers."""
        self._total: Object = {}
        """Usage of the answers before this one."""

    @abstractmethod
    def nothing(self) -> S: ...

    @abstractmethod
    def read(self, fields: Object) -> S:
        """What the answer says. May raise what is ODD."""

    @abstractmethod
    def keep(self) -> None:
        """Remember what the agent gets of this answer."""

    @abstractmethod
    def joined(self, fields: Object, note: str) -> Object:
        """The answer for the agent. `note` where calls are left unanswered: then as if the model had not called."""

    def feed(self, chunk: bytes) -> bytes:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size <= LIMIT:
            return b""
        kept, self._chunks = b"".join(self._chunks), []
        return b"" if self._first else kept

    def pending(self) -> tuple[Called, ...]:
        try:
            fields = json.loads(b"".join(self._chunks))
            self._round, self._fields = self.read(fields), fields
        except ODD:
            self._round, self._fields = self.nothing(), {}
        self._round.size = self._size
        return self._round.called() if self._round.open else ()

    def dropped(self) -> tuple[Called, ...]:
        return self._round.called() if self._round.beside else ()

    def said(self, results: Sequence[str]) -> tuple[bytes, ...]:
        return self._round.messages(results)

    def go_on(self) -> None:
        self.keep()
        self._first = self._first or self._fields
        self._total = added(self._total, self._round.usage)
        self._round, self._fields = self.nothing(), {}
        self._chunks, self._size = [], 0

    def finish(self, note: str) -> bytes:
        if not self._first and not self._round.ours:
            return b"".join(self._chunks)
        self.keep()
        first = self._first or self._fields
        fields = {**(self._fields or first), **({"id": first["id"]} if "id" in first else {})}
        if usage := added(self._total, self._round.usage):
            fields["usage"] = usage
        left = self._round.open or not self._fields  # or what came next cannot be read
        return encoded(self.joined(fields, note if left else ""))

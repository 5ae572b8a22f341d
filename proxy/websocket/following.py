"""A Responses conversation over one WebSocket: which answer belongs to which request, and what the model sees.

A `response.create` is a request and is prepared like one over HTTP: its JSON is that of a body, and what only a
WebSocket knows (`type`, `generate`, `stream_id`) is no part of the prompt. One that names `previous_response_id` holds
only what is new: it goes up as it came, and what stands before it is joined to it for the accounts alone. Nothing is
edited that is not seen whole: where an id is named the dialect stands down, so no new edit is even proposed.

Rules of this room: FAIL-OPEN; whatever goes wrong here, the message goes on unchanged. Answers belong to requests in
the order in which these were made, lane by lane (`stream_id`).
"""

import asyncio
import dataclasses
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import UnsetType

from policies.core.usage import Usage
from proxy import exchange, identity
from proxy.deciding import tell
from proxy.dialects import Dialect
from proxy.dialects.slices import Split, split
from proxy.errors import DialectError
from proxy.exchange import Prepared
from proxy.observer import Answered
from proxy.turns import Asked, Turns, request_of
from proxy.websocket.events import (
    CREATE,
    CREATED,
    ITEM,
    STATUS,
    Envelope,
    Event,
    answer_of,
    envelope_of,
    event_of,
    readable,
)
from proxy.websocket.histories import Histories
from proxy.websocket.sides import Data

log = logging.getLogger("holdfast.websocket")

MOST_OWED = 256
"""Answers at once, beyond which a connection is no longer followed. OpenAI works on 16 and queues the rest."""
BROKEN_OFF = 499
"""Status of an answer whose connection ended before it did; never sent."""


@dataclass(slots=True, repr=False)
class Turn:
    """One answer that the upstream owes."""

    planned: "asyncio.Future[Prepared]"
    before: str | None
    items: list[bytes] | None
    """Of the request, then of the answer too; None where they are not known."""
    came: float
    sent: float
    first: float | None = None
    added: bool = False
    """Whether items of the answer came one by one."""


@dataclass(frozen=True, slots=True)
class Reported:
    """Usage as the last event of an answer states it: a `Tap` that has nothing to wait for."""

    dialect: Dialect
    event: bytes

    def feed(self, chunk: bytes) -> None:
        pass

    def usage(self) -> Usage | None:
        try:
            return self.dialect.usage(self.event)
        except Exception as error:  # INVARIANT: FAIL-OPEN - the answer has passed; only its numbers are lost
            log.warning("usage cannot be read: %s", type(error).__name__)
            return None


@dataclass(slots=True, repr=False)
class Conversation:
    """A `Follower` for one connection."""

    asked: Asked
    turns: Turns
    histories: Histories
    _lanes: dict[str | None, deque[Turn]] = field(default_factory=dict)
    """Answers owed. A lane without any is not kept."""
    _lost: bool = False
    """Which event belongs to which request is no longer known."""
    _time: Callable[[], float] = field(default_factory=lambda: asyncio.get_running_loop().time)

    @property
    def owed(self) -> int:
        return sum(map(len, self._lanes.values()))

    async def upward(self, data: Data) -> Data:
        try:
            return data if isinstance(data, bytes) or self._lost else await self._heard(data)
        except Exception as fault:  # INVARIANT: FAIL-OPEN
            self._failed(fault)
            return data

    def downward(self, data: Data) -> None:
        try:
            if isinstance(data, str) and not self._lost:
                self._told(data.encode())
        except Exception as fault:  # INVARIANT: FAIL-OPEN
            self._failed(fault)

    def over(self) -> None:
        """The connection has ended, or is followed no further: so have the answers still owed."""
        owed = [turn for lane in self._lanes.values() for turn in lane]
        self._lanes.clear()
        for turn in owed:
            self._account(turn, b"", BROKEN_OFF)

    async def _heard(self, message: str) -> str:
        body, came = message.encode(), self._time()
        envelope = envelope_of(body)
        if envelope is None or envelope.type != CREATE:
            return message
        cut = _cut(body, self.asked.dialect)
        planned = asyncio.ensure_future(self._prepared(body, cut, envelope))
        # what cannot be edited need not wait for its plan
        edited = (await planned).body if envelope.whole else body
        turn = Turn(planned, envelope.previous_response_id, _items(cut, envelope), came, self._time())
        self._owe(envelope.stream_id, turn)
        # INVARIANT: TRANSPARENT - not edited, so the very text that came
        return message if edited is body else edited.decode()

    async def _prepared(self, body: bytes, cut: Split | None, envelope: Envelope) -> Prepared:
        if envelope.generate is False:
            return self._passed(body, "warm_up")
        if envelope.previous_response_id is None:
            return await self.turns.prepared(self.asked, body)
        before = self.histories.find(self._tenant(), envelope.previous_response_id)
        if cut is None or before is None:
            return self._passed(body, "history_unknown")
        # what is in force was in what the provider holds already; the message itself goes up as it came
        return dataclasses.replace(await self.turns.prepared(self.asked, _joined(body, cut, before)), body=body)

    def _passed(self, body: bytes, reason: str) -> Prepared:
        return Prepared(request_of(self.asked, body), body, (), passthrough=reason)

    def _owe(self, lane: str | None, turn: Turn) -> None:
        self.turns.observer.began(self.asked.upstream)
        self._lanes.setdefault(lane, deque()).append(turn)
        if self.owed > MOST_OWED:
            log.warning("more than %d answers are owed on one WebSocket; it is followed no further", MOST_OWED)
            self._lost = True
            self.over()

    def _told(self, body: bytes) -> None:
        event = event_of(body)
        turn = self._turn(event) if event else None
        if event is None or turn is None:
            return
        turn.first = turn.first or self._time()
        if not event.exact:
            turn.items = None
        if event.type == ITEM and turn.items is not None and not isinstance(event.item, UnsetType):
            turn.items.append(bytes(event.item))
            turn.added = True
        elif event.last:
            self._finish(turn, event, body)

    def _turn(self, event: Event) -> Turn | None:
        """Whose answer this is."""
        if lane := self._lanes.get(event.stream_id):
            return lane[0]
        if event.type == CREATED:  # nobody asked: a steered answer is followed by another
            now, planned = self._time(), asyncio.get_running_loop().create_future()
            planned.set_result(self._passed(b"", "steered"))
            self._owe(event.stream_id, Turn(planned, None, None, now, now))
            return self._lanes[event.stream_id][0]
        if event.last and event.stream_id is None and self.owed == 1:
            return next(iter(self._lanes.values()))[0]
        return None

    def _finish(self, turn: Turn, event: Event, body: bytes) -> None:
        lane = next(name for name, owed in self._lanes.items() if owed[0] is turn)
        self._lanes[lane].popleft()
        if not self._lanes[lane]:
            del self._lanes[lane]
        status = STATUS.get(event.type) or event.status or 500
        if status == 200:
            self._keep(turn, event)
        self._account(turn, body if event.exact else readable(body), status)

    def _keep(self, turn: Turn, event: Event) -> None:
        answer = answer_of(event)
        if turn.items is not None and answer is not None:
            output = [] if turn.added else [bytes(item) for item in answer.output]
            self.histories.keep(self._tenant(), answer.id, turn.before, [*turn.items, *output])

    def _account(self, turn: Turn, event: bytes, status: int) -> None:
        self.turns.lifecycle.hold(self._accounted(turn, event, status, self._time()), "settle")

    async def _accounted(self, turn: Turn, event: bytes, status: int, now: float) -> None:
        prepared = None
        try:
            prepared = await turn.planned
        except Exception as fault:  # INVARIANT: FAIL-OPEN
            self._failed(fault)
        self.turns.observer.answered(
            Answered(
                upstream=self.asked.upstream,
                dialect=self.asked.dialect.name,
                agent=identity.agent(self.asked.headers),
                method="GET",
                status=status,
                streamed=True,
                failure="" if status < 400 else "answer",
                prepared=prepared,
                prepare_seconds=turn.sent - turn.came,
                upstream_seconds=now - turn.sent,
                first_byte_seconds=turn.first - turn.came if turn.first is not None else None,
                relay_seconds=0.0,
            )
        )
        if prepared is not None:
            await self.turns.settled(prepared, Reported(self.asked.dialect, event), status)

    def _tenant(self) -> bytes:
        return exchange.tenant_of(self.turns.context, request_of(self.asked, b"").credential)

    def _failed(self, fault: Exception) -> None:
        log.exception("a fault while following a WebSocket; its messages pass unchanged")
        tell(self.turns.context.witness, "websocket", type(fault).__name__)


def _cut(body: bytes, dialect: Dialect) -> Split | None:
    try:
        return split(body, dialect.list_key)
    except DialectError:
        return None


def _items(cut: Split | None, envelope: Envelope) -> list[bytes] | None:
    """What this request adds; not known where part of it is kept by the provider under another name."""
    if cut is None or not isinstance(envelope.conversation, UnsetType):
        return None
    return [bytes(item) for item in cut.elements]


def _joined(body: bytes, cut: Split, before: tuple[bytes, ...]) -> bytes:
    """The message as it would be had it repeated what stands before it."""
    own = body[cut.begin : cut.end].strip()
    return b"".join((body[: cut.begin], b",".join((*before, own) if own else before), body[cut.end :]))

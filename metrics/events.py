"""What happened, in the words of whoever saw it. The only way to move a metric.

Rules of this room: an event is a value; `MOVES` lists the metrics that it may move, `moves()` says by how
much. None means not reported and moves nothing; it never becomes 0. It must not know how metrics are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from metrics import catalogue
from metrics.catalogue import Metric
from metrics.labels import Traffic
from metrics.loss import Cause, Party


class Move(NamedTuple):
    """One metric, the values of its own labels, and how far it moves."""

    metric: Metric
    own: tuple[str, ...]
    amount: float
    traffic: Traffic | None = None


Moves = Iterator[Move]


@dataclass(frozen=True, slots=True)
class Begun:
    """A request has arrived. Each is followed by one `Ended`."""

    MOVES: ClassVar = (catalogue.INFLIGHT,)
    upstream: str

    def moves(self) -> Moves:
        yield Move(catalogue.INFLIGHT, (self.upstream,), 1)


@dataclass(frozen=True, slots=True)
class Ended:
    """A request is over, however it went."""

    MOVES: ClassVar = (catalogue.INFLIGHT,)
    upstream: str

    def moves(self) -> Moves:
        yield Move(catalogue.INFLIGHT, (self.upstream,), -1)


@dataclass(frozen=True, slots=True)
class Relayed:
    """An answer has passed. Times in seconds; None where that part never came."""

    MOVES: ClassVar = (catalogue.REQUESTS, catalogue.UPSTREAM, catalogue.FIRST_BYTE)
    traffic: Traffic
    status: int
    stream: bool
    upstream_seconds: float | None = None
    first_byte_seconds: float | None = None

    def moves(self) -> Moves:
        own = (f"{self.status // 100}xx", "true" if self.stream else "false")
        yield Move(catalogue.REQUESTS, own, 1, self.traffic)
        yield from _reported(catalogue.UPSTREAM, (), self.upstream_seconds, self.traffic)
        yield from _reported(catalogue.FIRST_BYTE, (), self.first_byte_seconds, self.traffic)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the provider reported for one call. `input` is all of it: read + written + uncached."""

    MOVES: ClassVar = (catalogue.INPUT_TOKENS, catalogue.OUTPUT_TOKENS, catalogue.ESTIMATE_ERROR)
    traffic: Traffic
    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    uncached: int | None = None
    output: int | None = None
    estimated_input: int | None = None
    """What was expected before the call was made."""

    def moves(self) -> Moves:
        parts = {"read": self.cache_read, "write": self.cache_write, "uncached": self.uncached}
        for part, tokens in parts.items():
            yield from _reported(catalogue.INPUT_TOKENS, (part,), tokens, self.traffic)
        yield from _reported(catalogue.OUTPUT_TOKENS, (), self.output, self.traffic)
        if self.input and self.estimated_input is not None:
            error = abs(self.estimated_input - self.input) / self.input
            yield Move(catalogue.ESTIMATE_ERROR, (), error, self.traffic)


@dataclass(frozen=True, slots=True)
class Achievable:
    """What could have been read from the cache by the provider's rules (estimate)."""

    MOVES: ClassVar = (catalogue.CACHE_ACHIEVABLE,)
    traffic: Traffic
    tokens: int

    def moves(self) -> Moves:
        yield Move(catalogue.CACHE_ACHIEVABLE, (), self.tokens, self.traffic)


@dataclass(frozen=True, slots=True)
class CacheLost:
    """Tokens that were achievable and were not read, for one cause."""

    MOVES: ClassVar = (catalogue.CACHE_LOST,)
    traffic: Traffic
    cause: Cause
    party: Party
    tokens: int

    def moves(self) -> Moves:
        yield Move(catalogue.CACHE_LOST, (self.cause, self.party), self.tokens, self.traffic)


@dataclass(frozen=True, slots=True)
class Costed:
    """What a call cost, or would have cost without Holdfast."""

    MOVES: ClassVar = (catalogue.COST,)
    traffic: Traffic
    side: Literal["actual", "direct"]
    usd: float

    def moves(self) -> Moves:
        yield Move(catalogue.COST, (self.side,), self.usd, self.traffic)


@dataclass(frozen=True, slots=True)
class Planned:
    """Edits of one turn that met the same verdict for the same reason. Only an applied edit removes anything."""

    MOVES: ClassVar = (catalogue.EDITS, catalogue.REMOVED_TOKENS)
    traffic: Traffic
    kind: str
    verdict: str
    reason: str
    edits: int = 1
    removed_tokens: int = 0

    def moves(self) -> Moves:
        own = (self.kind, self.verdict, self.reason)
        yield Move(catalogue.EDITS, own, self.edits, self.traffic)
        if self.verdict == "applied":
            yield Move(catalogue.REMOVED_TOKENS, own, self.removed_tokens, self.traffic)


@dataclass(frozen=True, slots=True)
class Sized:
    """How large a request is, as received or as sent. `limit`: the effective one, None where it is not known."""

    MOVES: ClassVar = (catalogue.CONTEXT_TOKENS, catalogue.CONTEXT_FILL)
    traffic: Traffic
    stage: Literal["received", "sent"]
    tokens: int
    limit: int | None = None

    def moves(self) -> Moves:
        yield Move(catalogue.CONTEXT_TOKENS, (self.stage,), self.tokens, self.traffic)
        if self.limit:
            yield Move(catalogue.CONTEXT_FILL, (self.stage,), self.tokens / self.limit, self.traffic)


@dataclass(frozen=True, slots=True)
class ContextHealth:
    """Signs of one kind that began in one request: "poisoning", "distraction", "confusion", "clash"."""

    MOVES: ClassVar = (catalogue.CONTEXT_HEALTH,)
    traffic: Traffic
    signal: str
    count: int = 1

    def moves(self) -> Moves:
        yield Move(catalogue.CONTEXT_HEALTH, (self.signal,), self.count, self.traffic)


@dataclass(frozen=True, slots=True)
class SocketClosed:
    """A relayed WebSocket is over."""

    MOVES: ClassVar = (catalogue.SOCKETS,)
    upstream: str
    end: str

    def moves(self) -> Moves:
        yield Move(catalogue.SOCKETS, (self.upstream, self.end), 1)


@dataclass(frozen=True, slots=True)
class Spent:
    """Time that Holdfast itself took in one phase of a request."""

    MOVES: ClassVar = (catalogue.OVERHEAD,)
    traffic: Traffic
    phase: Literal["prepare", "first_byte", "settle"]
    seconds: float

    def moves(self) -> Moves:
        yield Move(catalogue.OVERHEAD, (self.phase,), self.seconds, self.traffic)


@dataclass(frozen=True, slots=True)
class PassedThrough:
    """A request went upstream without being looked at."""

    MOVES: ClassVar = (catalogue.PASSTHROUGH,)
    reason: str
    traffic: Traffic = Traffic()

    def moves(self) -> Moves:
        yield Move(catalogue.PASSTHROUGH, (self.reason,), 1, self.traffic)


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """An answer stated no usage."""

    MOVES: ClassVar = (catalogue.UNMEASURED,)
    traffic: Traffic

    def moves(self) -> Moves:
        yield Move(catalogue.UNMEASURED, (), 1, self.traffic)


@dataclass(frozen=True, slots=True)
class RuleViolated:
    """A rewritten request would have broken a rule of the provider; the original was sent."""

    MOVES: ClassVar = (catalogue.RULE_VIOLATIONS,)
    traffic: Traffic
    rule: str

    def moves(self) -> Moves:
        yield Move(catalogue.RULE_VIOLATIONS, (self.rule,), 1, self.traffic)


@dataclass(frozen=True, slots=True)
class StoreUsed:
    """A call to the store (`find`, `put`, ...) or the archive (`archive_put`, ...) has returned."""

    MOVES: ClassVar = (catalogue.STORE_SECONDS,)
    operation: str
    backend: str
    seconds: float

    def moves(self) -> Moves:
        yield Move(catalogue.STORE_SECONDS, (self.operation, self.backend), self.seconds)


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """A call to the store or the archive has failed."""

    MOVES: ClassVar = (catalogue.STORE_ERRORS,)
    operation: str
    backend: str

    def moves(self) -> Moves:
        yield Move(catalogue.STORE_ERRORS, (self.operation, self.backend), 1)


@dataclass(frozen=True, slots=True)
class ArchiveSized:
    """The archive's size was looked up."""

    MOVES: ClassVar = (catalogue.ARCHIVE_BYTES,)
    backend: str
    size: int

    def moves(self) -> Moves:
        yield Move(catalogue.ARCHIVE_BYTES, (self.backend,), self.size)


@dataclass(frozen=True, slots=True)
class Recalled:
    """An original was read back."""

    MOVES: ClassVar = (catalogue.RECALLS,)
    via: str

    def moves(self) -> Moves:
        yield Move(catalogue.RECALLS, (self.via,), 1)


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A tool was called that Holdfast answers itself: what became of that."""

    MOVES: ClassVar = (catalogue.OWN_CALLS,)
    outcome: str

    def moves(self) -> Moves:
        yield Move(catalogue.OWN_CALLS, (self.outcome,), 1)


Event = (
    Begun
    | Ended
    | Relayed
    | Measured
    | Achievable
    | CacheLost
    | Costed
    | Planned
    | Sized
    | ContextHealth
    | Spent
    | SocketClosed
    | PassedThrough
    | Unmeasured
    | RuleViolated
    | StoreUsed
    | StoreFailed
    | ArchiveSized
    | Recalled
    | OwnCall
)


def _reported(metric: Metric, own: tuple[str, ...], amount: float | None, traffic: Traffic) -> Moves:
    if amount is not None:
        yield Move(metric, own, amount, traffic)

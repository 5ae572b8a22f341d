"""From what the driver and a front end saw to metrics: which events a plan, an answer, a fault make.

Rules of this room: words only; what a turn lost was reckoned before. Costs of models without dollars stay out.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from metrics.events import (
    Achievable,
    CacheLost,
    ContextHealth,
    Costed,
    Event,
    Measured,
    PassedThrough,
    Planned,
    RuleViolated,
    Sized,
    StoreFailed,
    Unmeasured,
)
from metrics.labels import Traffic
from metrics.loss import Cause, usual_party
from policies.core.plan import Plan
from policies.core.usage import Usage
from proxy import exchange
from proxy.counting import traffic_of
from proxy.exchange import Settled
from proxy.reckoning import Reckoned
from proxy.storytelling import tallies


@dataclass(frozen=True, slots=True)
class Accounts:
    """The driver's `Witness`."""

    emit: Callable[[Event], None]
    """Never raises."""
    backend: str
    """Of the store: "memory", "sqlite", "redis"."""

    def accounted(self, settled: Settled) -> None:
        for event in accounted(settled):
            self.emit(event)

    def degraded(self, what: str, reason: str) -> None:
        match what:
            case "rule":
                self.emit(RuleViolated(Traffic(), reason))
            case "store":
                self.emit(StoreFailed(reason, self.backend))
            case _:
                self.emit(PassedThrough(f"fault_in_{what}"))


def accounted(settled: Settled) -> Iterator[Event]:
    """The events of one exchange."""
    traffic = traffic_of(settled.prepared)
    planned = settled.prepared.planned
    if settled.unmeasured:
        yield Unmeasured(traffic)
    if planned is None:
        yield PassedThrough(settled.prepared.passthrough, traffic)
        yield from _measured(traffic, settled.usage, None)
        return
    yield from _edits(traffic, planned.plan, planned.mode)
    yield from _sizes(traffic, planned)
    yield from _health(traffic, settled)
    yield from _measured(traffic, settled.usage, _sent(planned))
    for further in settled.prepared.further:
        yield from _measured(traffic, further, None)
    if settled.reckoned is not None:
        yield from _cache(traffic, settled.reckoned)
    if settled.actual is not None and settled.direct is not None and planned.seen.profile.unit == "usd":
        yield Costed(traffic, "actual", settled.actual)
        yield Costed(traffic, "direct", max(0.0, settled.direct))


def _sent(planned: exchange.Planned) -> int:
    sent = planned.plan.sent
    return sent.tokens if planned.mode == "enforce" else sent.received_tokens


def _edits(traffic: Traffic, plan: Plan, mode: str) -> Iterator[Event]:
    for alike in tallies(plan, "" if mode == "enforce" else mode):
        removed = max(0, alike.removes)  # a counter only rises; what notes add is in the sizes
        yield Planned(traffic, alike.kind, alike.verdict, alike.reason, alike.count, removed)
    named = [name for name, _ in (*plan.members, *plan.headers)]
    placed = Counter([*(marker.reason for marker in plan.markers), *named])
    for reason, count in placed.items():
        yield Planned(traffic, "breakpoints", "applied", reason if mode == "enforce" else mode, count)
    for head in plan.heads:
        yield Planned(traffic, head.kind, head.verdict, head.reason if mode == "enforce" else mode)
    if plan.replayed:
        yield Planned(traffic, "stabilize", "applied", "replay", len(plan.replayed))


def _sizes(traffic: Traffic, planned: exchange.Planned) -> Iterator[Event]:
    limit = planned.seen.profile.limit(planned.policy.limits.effective)
    yield Sized(traffic, "received", planned.plan.sent.received_tokens, limit)
    yield Sized(traffic, "sent", _sent(planned), limit)


def _health(traffic: Traffic, settled: Settled) -> Iterator[Event]:
    """What a retry brings was counted with its first try."""
    if settled.prepared.planned and not settled.prepared.planned.again:
        for sign, count in Counter(signal.sign for signal in settled.health).items():
            yield ContextHealth(traffic, sign, count)


def _measured(traffic: Traffic, usage: Usage | None, estimate: int | None) -> Iterator[Event]:
    if usage is not None:
        yield Measured(
            traffic, usage.input, usage.cache_read, usage.cache_write, usage.uncached, usage.output, estimate
        )


def _cache(traffic: Traffic, reckoned: Reckoned) -> Iterator[Event]:
    """What could be read, what was lost by known causes, and what the provider did not read all the same."""
    yield Achievable(traffic, reckoned.achievable)
    for loss in reckoned.losses:
        cause = Cause(loss.cause)
        yield CacheLost(traffic, cause, usual_party(cause), loss.tokens)

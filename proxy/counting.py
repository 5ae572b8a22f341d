"""From what the front end tells to the events that move metrics.

Rules of this room: labels come from configuration and from what was planned, never from a header as
sent. It must not know metrics' names, nor how they are kept.
"""

from collections.abc import Callable

from metrics.events import Begun, Ended, Event, OwnCall, Recalled, Relayed, SocketClosed, Spent
from metrics.labels import Traffic
from proxy.exchange import Prepared
from proxy.observer import Answered


class Counting:
    """An observer for whoever takes events. `emit` never raises."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit

    def began(self, upstream: str) -> None:
        self._emit(Begun(upstream))

    def refused(self, status: int) -> None:
        self._emit(Relayed(Traffic(), status, stream=False))

    def answered(self, answered: Answered) -> None:
        traffic = _traffic(answered)
        self._emit(Ended(answered.upstream))
        self._emit(
            Relayed(traffic, answered.status, answered.streamed, answered.upstream_seconds, answered.first_byte_seconds)
        )
        if answered.prepared is not None:
            self._emit(Spent(traffic, "prepare", answered.prepare_seconds))
            self._emit(Spent(traffic, "first_byte", answered.prepare_seconds + answered.relay_seconds))

    def settled(self, prepared: Prepared, seconds: float) -> None:
        self._emit(Spent(traffic_of(prepared), "settle", seconds))

    def called(self, prepared: Prepared, outcome: str) -> None:
        self._emit(OwnCall(outcome))
        if outcome == "recalled":
            self._emit(Recalled("tool"))

    def closed(self, upstream: str, cause: str) -> None:
        self._emit(SocketClosed(upstream, cause))


def _traffic(answered: Answered) -> Traffic:
    if answered.prepared is not None:
        return traffic_of(answered.prepared)
    return Traffic(upstream=answered.upstream, dialect=answered.dialect, agent=answered.agent)


def traffic_of(prepared: Prepared) -> Traffic:
    """The labels of a request that creates a model answer; model and policy where it was planned."""
    request, planned = prepared.request, prepared.planned
    profile = planned.seen.profile.name if planned else ""
    return Traffic(
        upstream=request.upstream,
        dialect=request.dialect.name,
        model=profile if profile != "unknown" or not planned else planned.seen.conversation.head.model,
        agent=request.agent,
        policy=planned.policy.name if planned else "",
    )

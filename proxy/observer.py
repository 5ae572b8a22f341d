"""What the front end tells whoever counts.

Rules of this room: facts only, times in seconds. An observer never raises. Why a request passed through
is not told here: every request that creates a model answer reaches `settle`, with its reason.
It must not know metrics.
"""

from dataclasses import dataclass
from typing import Protocol

from proxy.exchange import Prepared


@dataclass(frozen=True, slots=True, repr=False)
class Answered:
    """One exchange, when it is over. Never shown: what was prepared holds a credential."""

    upstream: str
    dialect: str
    """Empty where the request creates no model answer."""
    agent: str
    method: str
    status: int
    """As sent to the agent; 499 where it left before."""
    streamed: bool
    failure: str
    """A short fixed word where the exchange did not complete, else empty."""
    prepared: Prepared | None
    prepare_seconds: float
    """From the body's last byte to the request's first on its way up."""
    upstream_seconds: float | None
    """From then to the end of the answer; None where nothing went up."""
    first_byte_seconds: float | None
    """From the body's last byte to the answer's head; None where none came."""
    relay_seconds: float
    """From the answer's head there to the answer's head sent on."""


class Observer(Protocol):
    def began(self, upstream: str) -> None:
        """A request has its upstream. Each is followed by one `answered`."""
        ...

    def refused(self, status: int) -> None:
        """A request was answered here, before any upstream."""
        ...

    def answered(self, answered: Answered) -> None: ...

    def settled(self, prepared: Prepared, seconds: float) -> None:
        """What follows an answer took this long."""
        ...

    def called(self, prepared: Prepared, outcome: str) -> None:
        """A tool was called that Holdfast answers; what became of that, as a short fixed word."""
        ...

    def closed(self, upstream: str, cause: str) -> None:
        """A WebSocket that was relayed is over; why, as a short fixed word."""
        ...


class Unobserved:
    def began(self, upstream: str) -> None:
        pass

    def refused(self, status: int) -> None:
        pass

    def answered(self, answered: Answered) -> None:
        pass

    def settled(self, prepared: Prepared, seconds: float) -> None:
        pass

    def called(self, prepared: Prepared, outcome: str) -> None:
        pass

    def closed(self, upstream: str, cause: str) -> None:
        pass

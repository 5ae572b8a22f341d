"""What a front end tells whoever counts.

Rules of this room: facts only, no secrets, nothing unbounded but the model-independent names below.
An observer never raises. It must not know metrics' names.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answered:
    """One exchange, when it is over."""

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
    prepare_seconds: float
    first_byte_seconds: float | None
    """From the request's arrival; None where no answer began."""
    seconds: float


class Observer(Protocol):
    def passed_through(self, reason: str) -> None:
        """A request that creates a model answer was forwarded without being looked at."""
        ...

    def refused(self, status: int) -> None:
        """A request was answered here, before any upstream."""
        ...

    def answered(self, answered: Answered) -> None: ...


class Unobserved:
    def passed_through(self, reason: str) -> None:
        pass

    def refused(self, status: int) -> None:
        pass

    def answered(self, answered: Answered) -> None:
        pass

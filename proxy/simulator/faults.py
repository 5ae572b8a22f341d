"""Slowness and failure on request: what a relay has to survive. Plain data, given as arguments."""

from collections.abc import Callable

from msgspec import Struct


class Delays(Struct, frozen=True):
    """Seconds before the first byte, and before each further chunk of a stream."""

    first_byte: float = 0.0
    chunk: float = 0.0


NO_DELAYS = Delays()


class Fault(Struct, frozen=True):
    """What goes wrong with one request."""

    status: int | None = None
    """Refuse with this status, in the API's own error shape."""
    message: str = "simulated failure"
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with the refusal, for instance `retry-after`."""
    abort_after: int | None = None
    """Break the connection after so many bytes of the answer's body."""
    hang: bool = False
    """Never answer; the record says when the caller gave up."""


Faults = Callable[[int], Fault | None]
"""The fault for the n-th request, counted from 0."""


def no_faults(_: int) -> Fault | None:
    return None


def fault_on(number: int, fault: Fault) -> Faults:
    """This fault for one request only."""
    return lambda n: fault if n == number else None

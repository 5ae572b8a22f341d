"""How long a session waits between its calls, so that caches go cold as they do in life.

Rules of this room: text to value, value to times. A session's times follow from its id and the form alone, so every
policy, baseline, model and process of a run waits alike. It must not know what is called.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, log
from random import Random
from statistics import NormalDist

from msgspec import Struct

from proxy.config.units import duration

START = 1_800_000_000.0
"""Seconds since the epoch at which a session's first call is made where nobody says; nothing depends on it."""
USUAL = 10.0
"""Seconds between calls where nobody says."""
FORM = "seconds, `recorded`, or a spread such as `p50=20s,p99=400s`"
_P99 = NormalDist().inv_cdf(0.99)


class Constant(Struct, frozen=True, tag=True):
    """Always the same."""

    seconds: float


class Recorded(Struct, frozen=True, tag=True):
    """As it was; `USUAL` where that was not recorded."""


class Spread(Struct, frozen=True, tag=True):
    """Log-normal, by its median and the gap that one in a hundred exceeds: agents are quick, people are not."""

    p50: float
    p99: float


Gap = Constant | Recorded | Spread


def parsed(text: str) -> Gap:
    """A gap as it is written. Raises ValueError, which names the form."""
    if text == "recorded":
        return Recorded()
    try:
        if "=" not in text:
            return Constant(duration(text))
        values = dict(part.split("=", 1) for part in text.split(","))
        found = Spread(**{name: duration(value) for name, value in values.items()})
    except (TypeError, ValueError):
        raise ValueError(FORM) from None
    if not 0 < found.p50 <= found.p99:
        raise ValueError("a spread with 0 < p50 <= p99")
    return found


def starts(gap: Gap, session: str, known: Sequence[float | None]) -> list[float]:
    """When each call of a session starts. `known`: when it did, call by call, as far as that was recorded."""
    match gap:
        case Constant(seconds):
            gaps = [seconds] * (len(known) - 1)
        case Recorded():
            gaps = [_between(*pair) for pair in pairwise(known)]
        case Spread(p50, p99):
            random, sigma = Random(session), log(p99 / p50) / _P99
            gaps = [p50 * exp(random.gauss(0.0, sigma)) for _ in known[1:]]
    first = known[0] if known and isinstance(gap, Recorded) else None
    return list(accumulate(gaps, initial=START if first is None else first))[: len(known)]


def _between(one: float | None, other: float | None) -> float:
    """Clocks may go backwards; calls do not."""
    return USUAL if one is None or other is None else max(0.0, other - one)

"""The figures of a replay: of one call, and summed over calls and sessions under fixed names.

Rules of this room: what was not measured is None, never 0. Ratios are of sums, so long sessions weigh
more. Names are those of the documented output.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from proxy.replay.evidence import Score
from proxy.replay.states import States


class Figures(Struct, frozen=True):
    """One call."""

    input_tokens: int
    read: int
    written: int
    output_tokens: int
    input_usd: float
    output_usd: float
    received_tokens: int
    fill: float
    """Input sent as a share of the model's limit."""
    score: Score = Score()
    states: States = States()
    compactions: int = 0
    violations: tuple[str, ...] = ()

    @property
    def usd(self) -> float:
        return self.input_usd + self.output_usd

    @property
    def removed_tokens(self) -> int:
        """What is missing of the original in this one request."""
        return self.received_tokens - self.input_tokens


Series = Sequence[Figures]
"""The calls of one session, in order."""


def totals(sessions: Sequence[Series], direct: Sequence[Series]) -> dict[str, Any]:
    """The sums of some sessions. `direct`: the same sessions unedited."""
    calls = [call for series in sessions for call in series]
    tokens = sum(call.input_tokens for call in calls)
    read = sum(call.read for call in calls)
    written = sum(call.written for call in calls)
    usd = sum(call.usd for call in calls)
    return {
        "sessions": len(sessions),
        "requests": len(calls),
        "input_tokens": tokens,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "uncached_tokens": tokens - read - written,
        "hit_rate": _share(read, tokens),
        "cost_usd": usd,
        "cost_ratio": _share(usd, sum(call.usd for series in direct for call in series)),
        "input_cost_usd": sum(call.input_usd for call in calls),
        "output_tokens": sum(call.output_tokens for call in calls),
        "removed_tokens": sum(_risen(call.removed_tokens for call in series) for series in sessions),
        "masked_tokens": sum(_risen(call.states.masked for call in series) for series in sessions),
        "shaped_tokens": sum(_risen(call.states.shaped for call in series) for series in sessions),
        "noted_tokens": sum(_risen(call.states.noted for call in series) for series in sessions),
        "compactions": sum(call.compactions for call in calls),
        **_kept(call.score for call in calls),
        "rule_violations": sum(len(call.violations) for call in calls),
        "violations": dict(Counter(word for call in calls for word in call.violations)),
        "peak_fill": max((call.fill for call in calls), default=None),
    }


def _risen(values: Iterable[int]) -> int:
    """Each token counted once: how much more it is than in the call before."""
    return sum(max(0, now - before) for before, now in pairwise((0, *values)))


def _kept(scores: Iterable[Score]) -> dict[str, float | None]:
    total = list(scores)
    return {
        "evidence_retained": _share(sum(one.retained for one in total), sum(one.present for one in total)),
        "evidence_at_risk_retained": _share(
            sum(one.at_risk_retained for one in total), sum(one.at_risk for one in total)
        ),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None

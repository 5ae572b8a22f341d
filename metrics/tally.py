"""What a span of traffic came to: the same events that move metrics, added up for a summary.

Rules of this room: a leaf, plain sums. What was not reported stays out of a sum and is counted as not
reported; it never becomes 0. It must not know how a summary is worded.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from metrics.events import CacheLost, Costed, Event, Measured, PassedThrough, Planned, Relayed, RuleViolated, Sized

Verdict = tuple[str, str, str]
"""Kind, verdict and reason of an edit."""


@dataclass(slots=True)
class ModelTally:
    """One model. Tokens are those that the provider reported."""

    requests: int = 0
    failed: int = 0
    """Of these: answered with an error."""
    measured: int = 0
    """Of these: with reported usage."""
    input: int = 0
    read: int = 0
    written: int = 0
    uncached: int = 0
    output: int = 0
    actual_usd: float | None = None
    direct_usd: float | None = None
    """An estimate; None, as above, where the model has no price in dollars."""

    @property
    def unreported(self) -> int:
        """Answers whose usage is not known."""
        return max(0, self.requests - self.failed - self.measured)


@dataclass(slots=True)
class Tally:
    """`add` takes events as they come."""

    models: defaultdict[str, ModelTally] = field(default_factory=lambda: defaultdict(ModelTally))
    other: int = 0
    """Requests that ask no model for an answer."""
    refused: int = 0
    """Requests that no upstream was asked for."""
    edits: Counter[Verdict] = field(default_factory=Counter)
    turns: Counter[Verdict] = field(default_factory=Counter)
    """Requests in which edits met this verdict."""
    received: int = 0
    """Estimate of input tokens, as the agent sent them; `sent` as the provider got them."""
    sent: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    """Tokens that could have been read from the cache and were not, by cause; `losses` counts how often."""
    losses: Counter[str] = field(default_factory=Counter)
    passthroughs: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        """Add an event; most say nothing that a summary has."""
        match event:
            case Relayed():
                self._relayed(event)
            case Measured():
                self._measured(event)
            case Costed(traffic, side, usd):
                model, name = self.models[traffic.model], f"{side}_usd"
                setattr(model, name, (getattr(model, name) or 0.0) + usd)
            case Planned(_, kind, verdict, reason, edits):
                self.edits[kind, verdict, reason] += edits
                self.turns[kind, verdict, reason] += 1
            case Sized(_, stage, tokens):
                setattr(self, stage, getattr(self, stage) + tokens)
            case CacheLost(_, cause, _, tokens) if tokens:
                self.lost[cause] += tokens
                self.losses[cause] += 1
            case PassedThrough(reason):
                self.passthroughs[reason] += 1
            case RuleViolated(_, rule):
                self.violations[rule] += 1
            case _:
                pass

    def _relayed(self, event: Relayed) -> None:
        if not event.traffic.upstream:
            self.refused += 1
        elif not event.traffic.dialect:
            self.other += 1
        else:
            model = self.models[event.traffic.model]
            model.requests += 1
            model.failed += event.status >= 400

    def _measured(self, event: Measured) -> None:
        if event.input is None:
            return
        model = self.models[event.traffic.model]
        model.measured += 1
        model.input += event.input
        model.read += event.cache_read or 0
        model.written += event.cache_write or 0
        model.uncached += event.uncached or 0
        model.output += event.output or 0

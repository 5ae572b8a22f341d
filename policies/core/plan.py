"""The planner's answer for one turn: every proposal with its verdict, reason and arithmetic.

Metrics, logs, headers, `explain`, `replay` and the inspector all read this one value.
"""

from typing import Literal

from msgspec import Struct

from policies.core.edits import Arithmetic, Decision, Placed
from policies.core.lineage import Ledger, Sent

Cause = Literal[
    "cold_start",
    "ttl_expired",
    "model_changed",
    "tools_changed",
    "system_changed",
    "history_edited",
    "parameters_changed",
    "policy_mask",
    "below_minimum",
    "lookback_exceeded",
]


class Marker(Struct, frozen=True):
    """A cache marker to place: block `block` of message `message` (indices into this request)."""

    message: int
    block: int
    long: bool = False


class Loss(Struct, frozen=True):
    """Cached tokens that this request cannot read although the turn before left them (estimate)."""

    cause: Cause
    tokens: int


class Plan(Struct, frozen=True):
    """What this turn does."""

    decisions: tuple[Decision, ...] = ()
    arithmetic: Arithmetic = Arithmetic()
    in_force: tuple[Placed, ...] = ()
    """Every edit in this request: those of earlier turns and those applied now, where they stand."""
    waiting: tuple[Placed, ...] = ()
    """What was proposed and not applied."""
    markers: tuple[Marker, ...] = ()
    replayed: tuple[int, ...] = ()
    """Messages sent in the bytes of their first sending."""
    prefix: str = "kept"
    """Of what the provider has cached: "first", "kept" or "broken:CAUSE"."""
    achievable_tokens: int = 0
    """What can be read by the provider's rules (estimate). Of a past that was never seen, nothing is promised."""
    losses: tuple[Loss, ...] = ()
    actual_usd: float = 0.0
    """Input cost of this turn by the model's rules, as sent (estimate)."""
    direct_usd: float = 0.0
    """The same had nothing ever been edited."""
    ledger: Ledger = Ledger()
    sent: Sent = Sent(0.0, 0, 0)

    @property
    def applied(self) -> tuple[Decision, ...]:
        """The edits that this turn adds."""
        return tuple(decision for decision in self.decisions if decision.verdict == "applied")

    def summary(self) -> str:
        """The short form for a header: `applied=mask:3; removed=12034; prefix=kept`."""
        counts = {"mask": len(self.applied), "stabilize": len(self.replayed)}
        applied = ",".join(f"{kind}:{count}" for kind, count in counts.items() if count) or "none"
        removed = self.sent.received_tokens - self.sent.tokens
        return f"applied={applied}; removed={removed}; prefix={self.prefix}"

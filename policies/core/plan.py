"""The planner's answer for one turn: every proposal with its verdict, reason and arithmetic.

Metrics, logs, headers, `explain`, `replay` and the inspector all read this one value.
"""

from msgspec import Struct

from policies.core.edits import Anchor, Arithmetic, Decision
from policies.core.lineage import Ledger


class Marker(Struct, frozen=True):
    """A cache marker to place: block `block` of message `message` (indices into this request)."""

    message: int
    block: int
    long: bool = False


class Plan(Struct, frozen=True):
    """What this turn does. `prefix`: "kept", "first" or "broken:REASON", of what the provider has cached."""

    decisions: tuple[Decision, ...] = ()
    arithmetic: Arithmetic = Arithmetic()
    marker: Marker | None = None
    replayed: tuple[Anchor, ...] = ()
    """Messages (by the anchor of their first block) sent in the bytes of their first sending."""
    prefix: str = "kept"
    removed_tokens: int = 0
    """Tokens that all edits in force keep out of this request."""
    ledger: Ledger = Ledger()

    def summary(self) -> str:
        """The short form for a header: `applied=mask:3; removed=12034; prefix=kept`."""
        counts: dict[str, int] = {}
        for decision in self.decisions:
            if decision.verdict == "applied":
                counts[decision.edit.kind] = counts.get(decision.edit.kind, 0) + 1
        if self.replayed:
            counts["stabilize"] = len(self.replayed)
        applied = ",".join(f"{kind}:{count}" for kind, count in sorted(counts.items())) or "none"
        return f"applied={applied}; removed={self.removed_tokens}; prefix={self.prefix}"

"""The planner's answer for one turn: every proposal with its verdict, reason and arithmetic.

Metrics, logs, headers, `explain`, `replay` and the inspector all read this one value.
"""

from collections import Counter
from typing import Literal, cast, get_args

from msgspec import Struct

from policies.core.divergence import Difference
from policies.core.edits import Arithmetic, Decision, EditKind, Placed, Verdict
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
    "turn_boundary",
]


HEAD = -1
"""In place of a message's index: the end of tools and system."""

MarkerReason = Literal["head", "stable", "tail", "lookback", "cut", "frontier"]
"""head: tools and system, shared by sessions. stable: as far as the client has repeated its history. tail: the
newest message. lookback: where the last entry ends, too far back to be found. cut: what this turn's edit leaves
unchanged. frontier: where the next edit may begin."""


PLACE = 80
"""Characters shown of a place in one line."""


class Marker(Struct, frozen=True):
    """A cache marker to place: block `block` of message `message` (indices into this request)."""

    message: int
    block: int
    long: bool = False
    reason: MarkerReason = "cut"

    @property
    def prefix(self) -> int:
        """The prefix, in messages, that it ends."""
        return self.message + 1


class Kept(Struct, frozen=True):
    """A part of the head that differs from what was last sent, and whether it was sent as before all the same."""

    kind: EditKind
    part: str
    """"tools" or "system"."""
    verdict: Verdict
    reason: str
    """A fixed word, used as a metric label."""
    tokens: int = 0
    """Cached input that it keeps (estimate)."""


class Loss(Struct, frozen=True):
    """Cached tokens that this request cannot read although the turn before left them (estimate)."""

    cause: Cause
    tokens: int


class Break(Struct, frozen=True):
    """Where what is sent first differs from what the provider was sent before, and whose doing it is."""

    cause: Cause
    party: str
    """"client", or the rule of Holdfast: the kind of its edits."""
    where: Difference


class Plan(Struct, frozen=True):
    """What this turn does."""

    decisions: tuple[Decision, ...] = ()
    arithmetic: Arithmetic = Arithmetic()
    in_force: tuple[Placed, ...] = ()
    """Every edit in this request: those of earlier turns and those applied now, where they stand."""
    waiting: tuple[Placed, ...] = ()
    """What was proposed and not applied."""
    markers: tuple[Marker, ...] = ()
    members: tuple[tuple[str, str], ...] = ()
    """Top-level fields to add to the request, each a name and a text."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to add to the request, lower case, where the client sends none of that name."""
    heads: tuple[Kept, ...] = ()
    """What became of a head that is not as it was last sent."""
    withdrawn: tuple[str, ...] = ()
    """Tools that are listed although the client has withdrawn them; `tool_choice` disallows them."""
    replayed: tuple[int, ...] = ()
    """Messages sent in the bytes of their first sending."""
    prefix: str = "kept"
    """Of what the provider has cached: "first", "kept" or "broken:CAUSE"."""
    achievable_tokens: int = 0
    """What can be read by the provider's rules (estimate). Of a past that was never seen, nothing is promised."""
    losses: tuple[Loss, ...] = ()
    breaks: tuple[Break, ...] = ()
    """The first change of each party, the client's first."""
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
        """The short form for a header: `applied=mask:3; removed=12034; prefix=broken:system_changed@system[1].text`."""
        counts = Counter(decision.edit.kind for decision in self.applied)
        counts["stabilize"] += len(self.replayed)
        counts.update(head.kind for head in self.heads if head.verdict == "applied")
        rest = {"breakpoints": len(self.markers) + len(self.members) + len(self.headers)}
        numbers = {**{kind: counts[kind] for kind in get_args(EditKind)}, **rest}
        applied = ",".join(f"{kind}:{count}" for kind, count in numbers.items() if count) or "none"
        removed = self.sent.received_tokens - self.sent.tokens
        return f"applied={applied}; removed={removed}; prefix={self.prefix}{self._place()}"

    def _place(self) -> str:
        """Where the break stands that the prefix names. Keys of JSON are the client's: what is no plain text is `?`."""
        causes = {found.cause: found.where.place for found in self.breaks}
        place = causes.get(cast(Cause, self.prefix.removeprefix("broken:")), "")
        plain = "".join(char if "!" <= char <= "~" and char not in ";,@" else "?" for char in place)
        return f"@{plain[:PLACE]}" if plain else ""

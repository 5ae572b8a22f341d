"""What became of a turn, and what was planned for it in short: what remains to be read when it is over.

Rules of this room: plain data, bounded in size: a few hundred bytes for most turns. Of what was said it holds
redacted excerpts only. `explain` reads nothing else of a plan.
"""

from msgspec import Struct

from policies.core.edits import Arithmetic, EditKind, Verdict
from policies.core.health import Signal
from policies.core.plan import Break, Kept

STEPS = 40
"""Proposals listed one by one."""


class Step(Struct, frozen=True):
    """One proposal and what became of it."""

    kind: EditKind
    verdict: Verdict
    reason: str
    removes: int
    """Tokens on each later turn (estimate)."""
    message: int = -1
    """Where it stands in the request's list; -1 where that is not known."""
    tool: str = ""


class Tally(Struct, frozen=True):
    """All proposals of one kind with one verdict for one reason."""

    kind: EditKind
    verdict: Verdict
    reason: str
    count: int
    removes: int


class Lost(Struct, frozen=True):
    """Cached input that was not read. Tokens are at the size that the provider reported."""

    cause: str
    party: str
    """"client", "provider", or the rule of Holdfast."""
    tokens: int
    cost: float
    """More than reading them would have cost, in the profile's unit."""


class Story(Struct, frozen=True):
    """A plan in short."""

    agent: str = ""
    upstream: str = ""
    dialect: str = ""
    policy: str = ""
    unit: str = "usd"
    """What costs are in: "usd" or "relative"."""
    prefix: str = ""
    """As in the plan: "first", "kept", "broken:CAUSE"."""
    tokens: int = 0
    """Sent, estimated."""
    received: int = 0
    """Received from the agent, estimated."""
    cached: int = 0
    """Left by the turn before for this one to read, estimated; 0 where nothing was."""
    age: float | None = None
    """Seconds since the turn before began; None where there was none."""
    lives: float = 0.0
    """Seconds for which the model's cache keeps what nobody reads."""
    achievable: int = 0
    """Could have been read by the provider's rules, at the size that the provider reported."""
    losses: tuple[Lost, ...] = ()
    breaks: tuple[Break, ...] = ()
    tallies: tuple[Tally, ...] = ()
    steps: tuple[Step, ...] = ()
    """The first `STEPS` of them, oldest first."""
    arithmetic: Arithmetic = Arithmetic()
    turns: float = 0.0
    """Further turns that the planner expects."""
    heads: tuple[Kept, ...] = ()
    """What became of a head that is not as it was last sent."""
    replayed: int = 0
    markers: int = 0
    health: tuple[Signal, ...] = ()
    """Signs of trouble in the context that began with this turn."""
    diagnosis: str = ""
    """Why the provider itself says that it did not read more, where the client asked."""


class Outcome(Struct, frozen=True):
    """What became of a turn, known only afterwards."""

    status: int
    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    cost_usd: float = 0.0
    direct_usd: float | None = None
    """What it would have cost without Holdfast; None where that is not known."""
    story: Story | None = None

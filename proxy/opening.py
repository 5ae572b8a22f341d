"""One turn before its first sending: what is new in it, for policies that act on that.

Rules of this room: nothing is decided here; what a policy needs to read is read for it.
"""

from dataclasses import dataclass

from policies.core.index import Observed
from policies.core.lineage import Lineage
from policies.core.notes import Note
from policies.policy import Policy
from proxy.dialects import Count
from proxy.lineages import Place
from proxy.reading import Seen


@dataclass(frozen=True, slots=True, repr=False)
class Opening:
    """One turn, for policies that act before the first sending."""

    seen: Seen
    place: Place
    lineage: Lineage
    policy: Policy
    begin: int
    """The first message that was never sent."""
    count: Count
    due: tuple[Note, ...] = ()
    """Notes that the choice of the head needs; they come first."""

    @property
    def new(self) -> tuple[Observed, ...]:
        """The observations that were never sent, in order."""
        known = self.seen.trail.index.observations
        first = len(known)
        while first and known[first - 1].message >= self.begin:
            first -= 1
        return known[first:]

    def text(self, one: Observed) -> str:
        """An observation, as the model would read it."""
        return self.seen.dialect.original(self.seen.trail.messages[one.message].raw, one.block.index)

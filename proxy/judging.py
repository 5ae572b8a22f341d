"""Context health of a turn: which signals begin with it, by what was sent.

Rules of this room: values in, values out, off the path of the request. Evidence is numbered as in the
request's own list. What is only planned is not taken for sent.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from policies.core.edits import Placed
from policies.core.health import Frame, Signal, beginning, signals
from policies.core.index import Force, force_of
from policies.core.lineage import Lineage
from proxy.lineages import Place
from proxy.reading import Seen


def begin_of(seen: Seen, place: Place, lineage: Lineage) -> int:
    """The first message that the turn before did not hold; of a retry, that the turn before its first try did not."""
    before = Lineage(common=place.retry.record.base) if place.retry else lineage
    return beginning(seen.conversation, before)


def health_of(seen: Seen, in_force: Sequence[Placed], limit: int, begin: int) -> tuple[Signal, ...]:
    """What begins with a turn. `in_force`: the edits with which it was sent."""
    force = force_of(in_force) if in_force else Force()
    found = signals(Frame(seen.conversation, seen.trail.index, force, limit, begin))
    return tuple(replace(one, messages=tuple(seen.lead + place for place in one.messages)) for one in found)

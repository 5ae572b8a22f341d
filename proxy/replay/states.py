"""What became of the tokens of a request: how many a mask, a shape or a note took from it or added.

Rules of this room: amounts are those of the bytes sent against the bytes received; the plan only says whose doing
it is. What no plan names was masked. It must not know prices.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from policies.core.edits import Placed
from proxy.replay.prompts import Sent

MASK, SHAPE, COMPACT = "mask", "shape", "compact"

Place = tuple[int, int]
"""A message and a block of it, in the request with its leading system messages."""


class States(Struct, frozen=True):
    """Tokens of one request."""

    masked: int = 0
    shaped: int = 0
    noted: int = 0
    """What notes added."""
    compacted: int = 0


def makers(in_force: Sequence[Placed], lead: int) -> dict[Place, str]:
    """The rule that made each block what it is. `lead`: system messages at the front, which a plan does not count."""
    found: dict[Place, str] = {}
    for placed in in_force:
        place, kind = (placed.message + lead, placed.block), str(placed.edit.kind)
        if kind == MASK or found.get(place) not in (MASK, SHAPE):
            found[place] = kind
    return found


def states(received: Sent, sent: Sent, by: Mapping[Place, str]) -> States:
    """What was taken from, or added to, each message that went out otherwise than it came."""
    taken = {MASK: 0, SHAPE: 0, COMPACT: 0}
    noted = 0
    for number, (before, after) in enumerate(zip(received.messages, sent.messages, strict=False)):
        if before is after:
            continue
        for one, other in zip(before.blocks, after.blocks, strict=False):
            rule = by.get((number, one.index), MASK)
            if rule in taken:
                taken[rule] += one.tokens - other.tokens
            else:
                noted += other.tokens - one.tokens
    return States(taken[MASK], taken[SHAPE], noted, taken[COMPACT])

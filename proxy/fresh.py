"""What is changed before its first sending: new observations in another shape, notes at the tail.

Rules of this room: this costs no cache, so it is proposed only for messages that were never sent, and applied
at once. Policies are pure and see no wire format: what they need to read is read for them (opening.py). A policy
that acts here is a function of an `Opening` in `EDITS` or `NOTES`, asked in this order on every turn.
"""

from collections.abc import Callable, Iterable

from policies.core.edits import Placed, merged
from policies.core.notes import Note, placed_notes, tail
from proxy.answering.owing import owed
from proxy.opening import Opening
from proxy.reciting import failing, recited
from proxy.shaping import shaped

EDITS: tuple[Callable[[Opening], Iterable[Placed]], ...] = (shaped, failing)
"""Each gives edits of observations that were never sent."""

NOTES: tuple[Callable[[Opening], Iterable[Note]], ...] = (owed, recited)
"""Each gives what is to be said at the tail. Asked only where there is a place for it."""


def fresh(opening: Opening) -> tuple[Placed, ...]:
    """The edits of blocks that were never sent, in the order of the request."""
    conversation = opening.seen.conversation
    if conversation.head.stand_down:
        return ()
    edits = tuple(placed for each in EDITS for placed in each(opening))
    place = tail(conversation, opening.begin)
    if place is None:
        return edits
    notes = (*opening.due, *(note for each in NOTES for note in each(opening)))
    return merged(edits, placed_notes(conversation.messages, place, notes))

"""Notes at the tail: where one may stand, and the edit that it becomes.

Rules of this room: a note stands behind what the agent says last, in a message that was never sent. So it costs
no cache, and changes nothing that reasoning may be bound to. Where there is no such place it waits for the
next turn. It must not know what notes say.
"""

from collections.abc import Sequence

from msgspec import Struct

from policies.core.conversation import Block, Conversation, Kind, Message, Role
from policies.core.edits import Anchor, Edit, EditKind, Placed, anchored


class Note(Struct, frozen=True):
    """What a policy wants said at the tail."""

    kind: EditKind
    text: str
    tokens: int
    """Estimate."""


def tail(conversation: Conversation, begin: int) -> tuple[int, int] | None:
    """Message and block behind which a note may stand; None where there is no such place.

    `begin`: the first message that was never sent.
    """
    messages = conversation.messages
    last = len(messages) - 1
    if conversation.head.stand_down or last < begin or not messages[last].blocks:
        return None
    block = messages[last].blocks[-1]
    return (last, block.index) if _bears(messages[last], block) else None


def placed_notes(messages: Sequence[Message], place: tuple[int, int], notes: Sequence[Note]) -> tuple[Placed, ...]:
    """The notes as edits of the block at this place."""
    if not notes:
        return ()
    anchor = _anchor(messages, place)
    return tuple(Placed(Edit(note.kind, anchor, note.text, -note.tokens, way="append"), *place) for note in notes)


def _bears(message: Message, block: Block) -> bool:
    """Whether a note may stand behind this block's text."""
    if block.kind is Kind.TEXT:
        return message.role is Role.USER
    return block.kind is Kind.OBSERVATION and block.editable


def _anchor(messages: Sequence[Message], place: tuple[int, int]) -> Anchor:
    return next(anchor for index, block, anchor in anchored(messages) if (index, block.index) == place)

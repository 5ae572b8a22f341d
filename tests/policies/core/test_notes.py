"""Where a note may stand: behind what the agent says last, before it was ever sent, and nowhere else."""

import pytest
from msgspec.structs import replace

from policies.core.conversation import Kind, Message, Role
from policies.core.edits import Anchor, Edit, Placed
from policies.core.notes import Note, placed_notes, tail
from tests.policies.building import asked, block, block_hash, called, conversation, message, observation, observed

NOTE = Note("recite", "note", 7)


def test_behind_the_users_last_words() -> None:
    assert tail(conversation(asked(), called("a"), observed("a"), asked("b")), 3) == (3, 0)


def test_behind_the_last_of_several_answers() -> None:
    last = message(Role.USER, observation("a"), observation("b"))
    assert tail(conversation(asked(), called("a"), last), 2) == (2, 1)


@pytest.mark.parametrize(
    "last",
    [
        message(Role.ASSISTANT, block(Kind.TEXT, "prefill")),
        message(Role.SYSTEM, block(Kind.TEXT, "reminder")),
        message(Role.USER, block(Kind.TEXT, "look"), block(Kind.MEDIA, "picture")),
        message(Role.USER, block(Kind.OPAQUE, "unknown")),
        message(Role.TOOL, replace(observation("a"), editable=False)),
        message(Role.USER),
    ],
)
def test_not_behind_anything_else(last: Message) -> None:
    assert tail(conversation(asked(), last), 0) is None


def test_not_behind_what_was_sent_before() -> None:
    assert tail(conversation(asked()), 1) is None


def test_not_where_the_client_manages_its_own_context() -> None:
    whole = conversation(asked())
    assert tail(replace(whole, head=replace(whole.head, stand_down="thread")), 0) is None


def test_not_in_a_request_without_messages() -> None:
    assert tail(conversation(), 0) is None


def test_a_note_anchors_to_its_own_one_of_equal_blocks() -> None:
    edit = Edit("recite", Anchor(block_hash("q"), 1), "note", -7, way="append")
    assert placed_notes((asked("q"), called("a"), asked("q")), (2, 0), [NOTE, NOTE]) == (Placed(edit, 2, 0),) * 2


def test_without_notes_nothing_is_looked_for() -> None:
    assert placed_notes((), (0, 0), ()) == ()

"""Anchors: an edit means the same block on every later turn, wherever that block has moved."""

import pytest

from policies.core.conversation import Kind, Role
from policies.core.edits import Anchor, Edit, Placed, anchored, archive_id, compose, locate, merged, noted
from tests.policies.building import asked, block, block_hash, called, message, observation, observed, steps

TEXT = block(Kind.TEXT, "text")


def edit(name: str, nth: int = 0) -> Edit:
    return Edit("mask", Anchor(block_hash(name), nth), f"placeholder of {name}", 1)


def test_observations_and_texts_of_the_user_can_be_anchored_to() -> None:
    messages = (asked("q"), called("a"), observed("a"), called("b"), observed("b"), message(Role.ASSISTANT, TEXT))
    found = [(index, block.kind, anchor) for index, block, anchor in anchored(messages)]
    assert found == [
        (0, Kind.TEXT, Anchor(block_hash("q"), 0)),
        (2, Kind.OBSERVATION, Anchor(block_hash("a"), 0)),
        (4, Kind.OBSERVATION, Anchor(block_hash("b"), 0)),
    ]


def test_equal_blocks_are_told_apart_by_their_order() -> None:
    messages = (message(Role.USER, observation("a"), observation("b"), observation("a")), observed("a"))
    assert [anchor for _, _, anchor in anchored(messages)] == [
        Anchor(block_hash("a"), 0),
        Anchor(block_hash("b"), 0),
        Anchor(block_hash("a"), 1),
        Anchor(block_hash("a"), 2),
    ]


def test_an_edit_finds_its_own_one_of_two_equal_blocks() -> None:
    messages = (asked(), observed("a"), observed("a"), observed("a"))
    assert locate(messages, [edit("a", 1)]) == (Placed(edit("a", 1), 2, 0),)


def test_an_edit_finds_its_block_where_the_message_around_it_changed() -> None:
    messages = (asked("other"), message(Role.USER, block(Kind.TEXT, "note"), observation("a")))
    assert locate(messages, [edit("a")]) == (Placed(edit("a"), 1, 1),)


def test_an_edit_whose_block_is_gone_is_left_out_and_the_others_stay() -> None:
    messages = (asked(), *steps(10, 10, 10)[2:])
    assert locate(messages, [edit("o0"), edit("o2"), edit("o1"), edit("o1", 1)]) == (
        Placed(edit("o1"), 2, 0),
        Placed(edit("o2"), 4, 0),
    )


def test_a_call_or_a_text_of_the_same_content_is_not_taken_for_the_observation() -> None:
    assert locate((message(Role.ASSISTANT, block(Kind.CALL, "a"), block(Kind.TEXT, "a")),), [edit("a")]) == ()


def test_several_edits_of_one_block_keep_their_order() -> None:
    made = [shape("a"), note("a", "one"), edit("a"), note("a", "two")]
    assert [placed.edit for placed in locate((observed("a"),), [*made, made[1]])] == made


def shape(name: str) -> Edit:
    return Edit("shape", Anchor(block_hash(name)), "shaped", 1)


def note(name: str, text: str) -> Edit:
    return Edit("recite", Anchor(block_hash(name)), text, -1, way="append")


@pytest.mark.parametrize(
    ("made", "read"),
    [
        ([], "original"),
        ([shape("a")], "shaped"),
        ([edit("a"), shape("a")], "placeholder of a"),
        ([note("a", "one"), note("a", "two")], "original\n\none\n\ntwo"),
        ([shape("a"), note("a", "one"), edit("a"), note("a", "two")], "placeholder of a\n\none\n\ntwo"),
    ],
)
def test_a_mask_wins_over_a_shape_and_notes_stand_behind_either(made: list[Edit], read: str) -> None:
    assert compose(made).over("original") == read


def test_a_text_without_notes_is_itself() -> None:
    assert noted("text", ()) == "text"


def test_what_is_added_stands_where_its_block_does_and_behind_what_that_bears_already() -> None:
    old = (Placed(shape("a"), 2, 0), Placed(edit("c"), 6, 0))
    new = (Placed(note("a", "one"), 2, 0), Placed(edit("b"), 4, 0))
    assert merged(old, new) == (old[0], *new, old[1])
    assert merged(old, ()) is old


def test_without_edits_nothing_is_looked_for() -> None:
    assert locate((observed("a"),), []) == ()


def test_an_original_has_the_same_id_in_every_process() -> None:
    assert archive_id(b"tenant", b"content") == "hf-v4lbmdifreqkjoi7"


@pytest.mark.parametrize(("tenant", "content"), [(b"other", b"content"), (b"tenant", b"other")])
def test_isolated_another_tenant_or_text_has_another_id(tenant: bytes, content: bytes) -> None:
    assert archive_id(tenant, content) != archive_id(b"tenant", b"content")

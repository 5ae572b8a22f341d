"""Anchors: an edit means the same block on every later turn, wherever that block has moved."""

import pytest

from policies.core.conversation import Kind, Role
from policies.core.edits import Anchor, Edit, Placed, archive_id, locate, observations
from tests.policies.building import asked, block, block_hash, called, message, observation, observed, steps


def edit(name: str, nth: int = 0) -> Edit:
    return Edit("mask", Anchor(block_hash(name), nth), f"placeholder of {name}", 1)


def test_only_observations_are_counted_and_each_has_its_message_and_anchor() -> None:
    messages = (asked(), called("a"), observed("a"), called("b"), observed("b"))
    found = [(index, block.kind, anchor) for index, block, anchor in observations(messages)]
    assert found == [
        (2, Kind.OBSERVATION, Anchor(block_hash("a"), 0)),
        (4, Kind.OBSERVATION, Anchor(block_hash("b"), 0)),
    ]


def test_equal_blocks_are_told_apart_by_their_order() -> None:
    messages = (message(Role.USER, observation("a"), observation("b"), observation("a")), observed("a"))
    assert [anchor for _, _, anchor in observations(messages)] == [
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
    assert locate((message(Role.USER, block(Kind.TEXT, "a")),), [edit("a")]) == ()


def test_without_edits_nothing_is_looked_for() -> None:
    assert locate((observed("a"),), []) == ()


def test_an_original_has_the_same_id_in_every_process() -> None:
    assert archive_id(b"tenant", b"content") == "hf-v4lbmdifreqkjoi7"


@pytest.mark.parametrize(("tenant", "content"), [(b"other", b"content"), (b"tenant", b"other")])
def test_isolated_another_tenant_or_text_has_another_id(tenant: bytes, content: bytes) -> None:
    assert archive_id(tenant, content) != archive_id(b"tenant", b"content")

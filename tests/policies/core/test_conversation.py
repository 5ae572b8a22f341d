"""What a message and a block are unless said otherwise: nothing is editable, markable or bound by default."""

import pytest

from policies.core.conversation import Block, Head, Kind, Role
from tests.policies.building import asked, block_hash


@pytest.mark.parametrize("kind", Kind)
def test_a_block_may_not_be_touched_unless_its_dialect_says_so(kind: Kind) -> None:
    block = Block(kind, block_hash("a"), 1)
    assert not (block.editable or block.markable or block.marked or block.failed or block.bound)


def test_a_head_manages_nothing_and_marks_nothing_unless_it_says_so() -> None:
    head = Head("model", b"", b"", b"", 0)
    assert (head.stand_down, head.markers, head.max_output, head.stream) == ("", 0, None, False)


def test_values_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        asked().blocks[0].tokens = 5  # type: ignore[misc]


def test_the_words_of_roles_and_kinds_enter_hashes_and_stay() -> None:
    assert [role.value for role in Role] == ["system", "user", "assistant", "tool"]
    assert [kind.value for kind in Kind] == ["text", "reasoning", "call", "observation", "media", "opaque"]

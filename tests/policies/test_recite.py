"""Recitations: when one is due, what it says, and what is said of a call that keeps failing."""

import pytest
from msgspec.structs import replace

from policies.core.conversation import Act, Conversation
from policies.core.edits import Anchor, Edit, Placed
from policies.core.index import Index, force_of
from policies.core.lineage import Lineage
from policies.recite import FAILING, RECITED, Memory, Recite
from tests.policies.building import asked, block_hash, called, conversation, observed, placed, steps

ON = Recite(enabled=True, every=3_000, at=0.5)
LIMIT = 10_000
WHOLE = conversation(asked(), *steps(2_000, 2_000, 1_000))
"""6,250 tokens with its head."""


def note(at: int, text: str = RECITED) -> Placed:
    return Placed(Edit("recite", Anchor(block_hash("any")), text, -100, way="append"), at, 0)


def due(policy: Recite, whole: Conversation, *edits: Placed, limit: int = LIMIT) -> bool:
    return policy.due(whole, Lineage(placed=edits), Index().extended(whole.messages), limit)


def words(count: str) -> int:
    return len(count.split())


def test_it_begins_at_its_share_of_the_limit() -> None:
    assert due(ON, WHOLE)
    assert due(replace(ON, at=0.625), WHOLE)
    assert not due(replace(ON, at=0.626), WHOLE)


def test_it_is_off_unless_it_is_asked_for() -> None:
    assert not due(Recite(at=0.0), WHOLE)


def test_what_is_masked_does_not_count() -> None:
    assert not due(ON, WHOLE, placed(WHOLE, 2, 1_900))
    indexed = Lineage(placed=(mask := placed(WHOLE, 2, 1_900),), force=force_of((mask,)))
    assert not ON.due(WHOLE, indexed, Index().extended(WHOLE.messages), LIMIT)


def test_it_comes_again_when_the_context_has_grown_enough() -> None:
    assert due(ON, WHOLE, note(2))  # 3,100 tokens ago
    assert not due(ON, WHOLE, note(2), placed(WHOLE, 4, 101))
    assert not due(ON, WHOLE, note(2), note(4))


def test_a_note_on_a_failing_call_is_no_recitation() -> None:
    assert due(ON, WHOLE, note(6, FAILING))
    assert not due(ON, WHOLE, note(6))


def test_it_says_the_task_the_newest_instruction_and_what_is_open() -> None:
    said = ON.words(Memory("fix\n the  bug", "and test it", ("write the test", "run it (in progress)")), words)
    assert said == (
        '[context note, added by a proxy: to keep in view, the task as first stated: "fix the bug"; '
        'the newest instruction: "and test it"; open items: write the test; run it (in progress)]'
    )


def test_what_is_not_known_is_left_out() -> None:
    assert ON.words(Memory(open=("a",)), words) == f"{RECITED}open items: a]"
    assert ON.words(Memory(), words) == ""


@pytest.mark.parametrize("most", [100, 300, 1_000])
def test_it_keeps_to_its_size(most: int) -> None:
    long = "word " * 5_000
    said = replace(ON, max_tokens=most).words(Memory(long, long, (long,)), words)
    assert most * 0.7 < words(said) <= most
    assert said.count("…") == 3


def test_a_text_without_spaces_is_cut_too_and_no_room_is_no_recitation() -> None:
    assert ON.words(Memory("x" * 9_000), len) == f'{RECITED}the task as first stated: "{"x" * 130}…"]'
    assert replace(ON, max_tokens=10).words(Memory("task"), len) == ""


SAME = Act(b"same")
FAILED = {"failed": True, "said": b"broken"}


def attempts(count: int, **fields: object) -> Conversation:
    """The same call, failing so many times in the same words."""
    pairs = [(called(f"c{n}", act=SAME), observed(f"c{n}", 1_000, **{**FAILED, **fields})) for n in range(count)]
    return conversation(asked(), *(part for pair in pairs for part in pair))


def failing(policy: Recite, whole: Conversation, new: int = 1) -> tuple[Placed, ...]:
    index = Index().extended(whole.messages)
    return policy.failing(index, index.observations[-new:], words)


NOTING = Recite(failing_calls=True)


def test_a_call_that_has_failed_twice_in_the_same_words_gets_a_note_there() -> None:
    edit = Edit("recite", Anchor(block_hash("c1")), FAILING, -words(FAILING), way="append")
    assert failing(NOTING, attempts(2)) == failing(NOTING, attempts(2), new=2) == (Placed(edit, 4, 0),)


@pytest.mark.parametrize(
    ("policy", "whole"),
    [
        (Recite(enabled=True), attempts(2)),
        (NOTING, attempts(1)),
        (NOTING, attempts(3)),
        (NOTING, attempts(2, failed=False)),
        (NOTING, attempts(2, editable=False)),
    ],
)
def test_otherwise_nothing_is_said(policy: Recite, whole: Conversation) -> None:
    assert failing(policy, whole) == ()

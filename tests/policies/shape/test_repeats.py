"""A repeat points to what stands whole in what is sent, and can be read back whatever becomes of that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.conversation import Act
from policies.core.edits import Anchor, Edit, archive_id
from policies.shape.repeats import LINES, NEAR, alike, difference, pointer, same
from tests.policies.building import TENANT, block_hash
from tests.policies.shape.reversing import patched
from tests.policies.shape.scenes import scene

TEXT = "\n".join(f"test_{n} passed" for n in range(50))
OTHER = "\n".join(f"case_{n} passed" for n in range(50))
FILE = Act(b"", files=("a.py",), shows=True)
ANCHOR = Anchor(block_hash("x"))


def test_a_pointer_says_where_the_earlier_one_stands_and_how_to_read_it() -> None:
    turn = scene([TEXT, OTHER, TEXT])
    found = same(turn, 2)
    assert found and found.ago == 2 and found.text == TEXT
    one = turn.index.observations[2]
    edit = pointer(TENANT, one, found)
    identity = archive_id(TENANT, one.block.content)
    assert edit == Edit(
        "shape",
        one.anchor,
        '[same output as 2 tool results before this one (50 lines, beginning "test_0 passed"); '
        f"to read it again: holdfast archive get {identity}]",
        0,
        identity,
        needs=identity,
    )


def test_the_one_just_before_is_called_so_and_reads_as_it_is_sent() -> None:
    turn = scene([TEXT, TEXT], edits={0: Edit("shape", ANCHOR, "in less room", 9)})
    found = same(turn, 1)
    assert found
    edit = pointer(TENANT, turn.index.observations[1], found)
    assert edit.text.startswith('[same output as the tool result before this one (1 lines, beginning "in less room");')


@pytest.mark.parametrize(
    "edit",
    [
        Edit("mask", ANCHOR, "[elided]", 9, "hf-a"),
        Edit("shape", ANCHOR, "[same as before]", 9, "hf-a", needs="hf-a"),
        Edit("shape", ANCHOR, "head [cut] tail", 9, "hf-a"),
    ],
)
def test_nothing_points_to_what_is_masked_or_cut_or_itself_a_pointer(edit: Edit) -> None:
    assert same(scene([TEXT, TEXT], edits={0: edit}), 1) is None
    assert alike(scene([TEXT, TEXT], edits={0: edit}), 1) is None
    assert same(scene([TEXT, TEXT, TEXT], edits={1: edit}), 2) is None, "asked a third time, it is shown again"


def test_an_observation_in_a_lossless_shape_or_with_a_note_stands_as_it_is_sent() -> None:
    shape = Edit("shape", ANCHOR, "in less room", 9)
    found = same(scene([TEXT, TEXT], edits={0: shape}), 1)
    assert found and found.text == "in less room"
    found = same(scene([TEXT, TEXT], edits={0: Edit("recite", ANCHOR, "note", -9, way="append")}), 1)
    assert found and found.text == TEXT


def test_a_file_is_pointed_to_only_where_its_very_text_stands_near() -> None:
    again = [FILE, FILE]
    assert same(scene([TEXT, TEXT], acts=dict(enumerate(again))), 1)
    assert same(scene([TEXT, TEXT], acts={1: FILE}, edits={0: Edit("shape", ANCHOR, "in less room", 9)}), 1) is None
    numbered = "".join(f"{n:6}\tline\n" for n in range(9))
    shape = Edit("shape", ANCHOR, "".join(f"{n}\tline\n" for n in range(9)), 9)
    assert same(scene([numbered, numbered], acts={1: FILE}, edits={0: shape}), 1)
    between = [str(n) for n in range(NEAR)]
    assert same(scene([TEXT, *between, TEXT]), NEAR + 1)
    assert same(scene([TEXT, *between, TEXT], acts={NEAR + 1: FILE}), NEAR + 1) is None
    assert same(scene([TEXT, *between[1:], TEXT], acts={NEAR: FILE}), NEAR)
    assert alike(scene([TEXT, TEXT + "\nmore"], acts={0: FILE, 1: FILE}), 1) is None, "never as a difference"


def test_only_the_newest_earlier_one_counts_and_only_of_the_very_same_text() -> None:
    at = "\nfinished at 10:00:00"
    assert same(scene([TEXT + at, TEXT + at.replace("00", "01")]), 1) is None
    assert same(scene([TEXT, OTHER]), 1) is None and same(scene([TEXT]), 0) is None
    assert same(scene([TEXT, TEXT], editable=False), 1) is None


def test_what_differs_is_shown_against_the_same_call_or_nearly_the_same_text() -> None:
    tests, again = Act(b"pytest"), TEXT.replace("test_7 passed", "test_7 FAILED")
    turn = scene([TEXT, OTHER, again], acts={0: tests, 2: tests})
    found = alike(turn, 2)
    assert found and found.ago == 2
    one = turn.index.observations[2]
    edit = difference(TENANT, one, again, found)
    identity, earlier = (archive_id(TENANT, turn.index.observations[n].block.content) for n in (2, 0))
    assert edit and (edit.archive_id, edit.needs) == (identity, earlier)
    head, _, changes = edit.text.partition("\n")
    assert head == (
        '[output of 2 tool results before this one (50 lines, beginning "test_0 passed"), with these changes; '
        f"to read it whole: holdfast archive get {identity}]"
    )
    assert "-test_7 passed\n+test_7 FAILED" in changes and patched(TEXT, changes) == again
    at = [TEXT + "\n10:00:00", TEXT + "\n10:00:01"]
    assert alike(scene(at, acts={0: Act(b"a"), 1: Act(b"b")}), 1)
    assert alike(scene([TEXT, OTHER], acts={0: Act(b"a"), 1: Act(b"b")}), 1) is None


def test_a_difference_that_is_not_short_or_takes_long_is_not_made() -> None:
    turn = scene([TEXT, OTHER], acts={0: Act(b"a"), 1: Act(b"a")})
    found = alike(turn, 1)
    assert found
    one = turn.index.observations[1]
    assert difference(TENANT, one, OTHER, found) is None
    assert difference(TENANT, one, "\n".join(reversed(TEXT.split("\n"))), found) is None, "moved about"
    assert difference(TENANT, one, TEXT, replace(found, text="\n".join([TEXT] * 50))) is None
    long = "a\n" * LINES
    assert alike(scene([long, long + "b"], acts={0: Act(b"a"), 1: Act(b"a")}), 1) is None


LINE = st.sampled_from([*"abcdefgh", "", "@@ -1 +1 @@", "+a", "-b"])


@given(st.lists(LINE, min_size=1), st.lists(LINE, min_size=1))
def test_a_difference_gives_back_the_text(old: list[str], new: list[str]) -> None:
    before, text = ("\n".join([f"{n} a line that stays" for n in range(40)] + lines) for lines in (old, new))
    turn = scene([before, text], acts={0: Act(b"a"), 1: Act(b"a")})
    found = alike(turn, 1)
    assert found
    edit = difference(TENANT, turn.index.observations[1], text, found)
    assert edit is None or patched(before, edit.text.partition("\n")[2]) == text

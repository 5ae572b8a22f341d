"""The shape policy: which observations, in which order of means, and only where it is worth it."""

from msgspec.structs import replace

from policies.core.conversation import Act
from policies.core.edits import Anchor, Edit, Placed, archive_id
from policies.core.index import Index, Observed
from policies.shape import FEWEST, LONGEST, Shape, lossless
from policies.shape.repeats import Scene
from tests.policies.building import TENANT, asked, block_hash, called, observed
from tests.policies.shape.scenes import REPORT, scene, words

LOG = "\n".join(f"test_{n} passed\x1b[0m" for n in range(50))
BAR = "".join(f"{n}% of the whole\r" for n in range(100))
BOTH = Shape()
NEITHER = Shape(lossless=False, numbers=False, repeats=False)
REPEATS = Shape(lossless=False)
FILE = Act(b"", shows=True)


def proposed(shape: Shape, turn: Scene, new: int = 1) -> tuple[Edit, ...]:
    return tuple(placed.edit for placed in shape.propose(turn.index.observations[-new:], turn))


def test_a_lossless_shape_needs_no_archive_and_says_what_it_removes() -> None:
    turn = scene([BAR + LOG])
    one = turn.index.observations[0]
    text = lossless(BAR + LOG)
    placed = BOTH.propose([one], turn)
    assert placed == (Placed(Edit("shape", one.anchor, text, words(BAR + LOG) - words(text)), one.message, 0),)
    assert text.startswith("99% of the whole\ntest_0") or text.startswith("test_0 passed")


def test_lossless_is_all_of_the_rules_one_behind_the_other() -> None:
    assert lossless("\x1b[1m" + "waiting  \n" * 40 + "end") == "waiting\n[the line above, 39 more times]\nend"
    row = '{"name": "a", "size": 1.0}'
    assert lossless("[\n  " + ",\n  ".join([row] * 19) + "\n]") == (
        '{"table of 19 objects, keys first":[["name","size"],\n["a",1.0],\n[the line above, 17 more times]\n["a",1.0]]}'
    )


def test_nothing_is_proposed_where_nothing_is_asked_for_or_it_is_not_worth_it() -> None:
    assert proposed(NEITHER, scene([BAR + LOG, BAR + LOG])) == ()
    assert proposed(BOTH, scene(["word " * 99])) == ()
    assert proposed(BOTH, scene(["word " * 2000 + "\x1b[0m" * 5])) == (), "a share too small"
    assert proposed(BOTH, scene(["\x1b[0m" * (FEWEST // 5)])) == (), "too short to look at"
    assert proposed(BOTH, scene([BAR + LOG], editable=False)) == ()


def test_what_was_read_back_is_never_touched() -> None:
    acts = {1: Act(b"", recalls=True)}
    assert proposed(BOTH, scene([LOG, LOG], acts=acts)) == ()
    assert len(proposed(BOTH, scene([LOG, LOG]))) == 1


def test_a_repeat_becomes_a_pointer_and_the_next_one_is_shown_again() -> None:
    turn = scene([LOG] * 4)
    first, second, third, fourth = turn.index.observations
    edits = [placed.edit for placed in REPEATS.propose(turn.index.observations, turn)]
    assert [edit.anchor for edit in edits] == [second.anchor, fourth.anchor]
    assert all(edit.text.startswith("[same output as the tool result before") for edit in edits)
    assert all(edit.archive_id == edit.needs == archive_id(TENANT, first.block.content) for edit in edits)
    assert edits[0].removes == second.block.tokens - 8 - words(edits[0].text)


def test_a_near_repeat_is_shown_against_what_the_model_was_sent() -> None:
    """The earlier one stands in its shape, so the difference is one of shapes."""
    again = LOG.replace("test_7 passed", "test_7 FAILED")
    turn = scene([LOG, again])
    first, second = (placed.edit for placed in BOTH.propose(turn.index.observations, turn))
    assert first.text == lossless(LOG) and not first.archive_id
    assert "-test_7 passed\n+test_7 FAILED" in second.text and "\x1b" not in second.text
    later = replace(turn, standing={(turn.index.observations[0].message, 0): (first,)})
    assert proposed(BOTH, later) == (second,), "the same a turn later"
    (alone,) = proposed(REPEATS, turn)
    assert "\x1b" in alone.text


def test_a_near_repeat_of_something_else_takes_its_own_shape() -> None:
    turn = scene([LOG, BAR + LOG.replace("test", "case")])
    (edit,) = proposed(BOTH, turn)
    assert edit.text == lossless(BAR + LOG.replace("test", "case"))


def test_a_ceiling_keeps_head_and_tail_and_the_original_in_the_archive() -> None:
    text = "\n".join(f"{'abcdefghij'[n % 10]} line {n}" for n in range(1000))
    turn = scene([text])
    (edit,) = proposed(replace(NEITHER, max_tokens=300), turn)
    assert edit.archive_id == archive_id(TENANT, turn.index.observations[0].block.content)
    assert edit.archive_id in edit.text and words(edit.text) <= 300 and edit.text.endswith("j line 999")
    assert edit.removes == words(text) - words(edit.text)


def test_a_ceiling_first_takes_what_says_least_and_leaves_what_fits() -> None:
    series = "\n".join(f"step {n} done" for n in range(1000))
    (edit,) = proposed(replace(NEITHER, max_tokens=300), scene(["begin\n" + series]))
    identity = archive_id(TENANT, scene(["begin\n" + series]).index.observations[0].block.content)
    assert edit.text.split("\n") == [
        "begin",
        "step 0 done",
        "[998 lines like the one above and the one below elided]",
        "step 999 done",
        f"[to read the lines elided above: holdfast archive get {identity}]",
    ]
    assert edit.archive_id == identity
    (edit,) = proposed(Shape(lossless=True, max_tokens=300), scene([BAR + LOG]))
    assert edit.text == lossless(BAR + LOG) and not edit.archive_id
    assert proposed(replace(NEITHER, max_tokens=300), scene(["word " * 299])) == ()
    assert proposed(replace(NEITHER, max_tokens=300), scene(["word " * 305])) == (), "not worth it"


def test_line_numbers_lose_their_blanks_where_a_tool_numbers_lines() -> None:
    text = "".join(f"{n:6}\tif a:  \n" for n in range(200))
    less = "".join(f"{n}\tif a:  \n" for n in range(200))

    def tokens(text: str) -> int:
        return words(text) + text.count("  ")

    turn = replace(scene([text * 2], acts={0: Act(b"", shows=True, numbers=True)}), count=lambda text: len(text) // 20)
    (edit,) = proposed(REPEATS, turn)
    assert edit.text == less * 2 and not edit.archive_id
    assert proposed(replace(REPEATS, numbers=False), turn) == ()
    assert proposed(REPEATS, replace(turn, act=lambda one: FILE)) == ()


def test_what_a_search_found_stands_below_the_names_of_files() -> None:
    text = "".join(f"src/module.py:{n}:  x  \n" for n in range(100))
    turn = scene([text], acts={0: Act(b"", shows=True, places=True)})
    (edit,) = proposed(REPEATS, turn)
    assert edit.text == "src/module.py\n" + "".join(f"{n}:  x  \n" for n in range(100))
    assert proposed(replace(REPEATS, numbers=False), turn) == ()
    assert lossless(text).startswith("src/module.py\n0:  x\n")


def test_a_pointer_that_is_not_worth_it_gives_way_to_another_shape() -> None:
    text = "\x1b[31mred\x1b[0m " * 12
    turn = scene([text, text])
    (edit,) = proposed(BOTH, turn)
    assert edit.text == lossless(text)


def test_a_text_too_long_to_write_otherwise_may_still_be_cut() -> None:
    text = ("a" * 999 + "  \n") * (LONGEST // 1000)
    turn = replace(scene(["short"]), text=lambda one: text, count=lambda text: len(text) // 1000)
    turn = replace(turn, index=Index().extended([asked(), called("a"), observed("a", 4_008)]))
    assert proposed(BOTH, turn) == ()
    (edit,) = proposed(replace(BOTH, max_tokens=100), turn)
    assert len(edit.text) < 101_000 and edit.archive_id


def test_settings_may_differ_by_observation() -> None:
    turn = scene([LOG, LOG], acts={0: FILE, 1: FILE})

    def settings_for(one: Observed) -> Shape:
        assert turn.act(one).shows
        return REPEATS

    made = BOTH.propose(turn.index.observations, turn, settings_for)
    assert [placed.message for placed in made] == [turn.index.observations[1].message]
    assert REPORT.shows is False


def test_what_stands_already_is_not_changed() -> None:
    anchor = Anchor(block_hash("x"))
    turn = scene([LOG, LOG], edits={0: Edit("mask", anchor, "[elided]", 9, "hf-a")})
    before = dict(turn.standing)
    (edit,) = proposed(BOTH, turn)
    assert edit.text == lossless(LOG) and dict(turn.standing) == before

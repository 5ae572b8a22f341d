"""Repeats are counted and can be written out again."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shape.folds import LONGEST, WORTH, folded
from tests.policies.shape.reversing import unfolded

LINES = st.sampled_from(["", "a", "b", "  at f (x.js:1)", "  at g (y.js:22)", "waiting for the server", "x" * WORTH])
BLOCKS = st.lists(st.tuples(st.lists(LINES, min_size=1, max_size=4), st.integers(1, 60)), max_size=5)


@given(BLOCKS)
def test_a_folded_text_can_be_written_out_again(blocks: list[tuple[list[str], int]]) -> None:
    text = "\n".join("\n".join(lines * times) for lines, times in blocks)
    assert unfolded(folded(text)) == text
    assert len(folded(text)) <= len(text)


@given(st.text(alphabet="ab\n"))
def test_any_text_can_be_written_out_again(text: str) -> None:
    assert unfolded(folded(text)) == text


def test_a_line_and_a_block_are_shown_once_and_counted() -> None:
    frames = "  at walk (a.js:1)\n  at step (b.js:2)\n"
    assert folded("begin\n" + "waiting\n" * 41 + "end") == "begin\nwaiting\n[the line above, 40 more times]\nend"
    assert folded("Error\n" + frames * 9 + "end") == f"Error\n{frames}[the 2 lines above, 8 more times]\nend"
    assert folded("x" * WORTH + "\n" + "x" * WORTH) == "x" * WORTH + "\n[the line above, 1 more time]"


@pytest.mark.parametrize(
    "text",
    [
        "a\nb\nc",
        "a\na\na",
        "a\n\n\n\nb",
        "\n".join(["a" * 99, *map(str, range(LONGEST)), "a" * 99]),
        "a\n" * 99 + "[the line above, 3 more times]",
    ],
)
def test_a_text_without_repeats_worth_it_stays(text: str) -> None:
    assert folded(text) == text


@pytest.mark.parametrize(
    "text", ["\n" * 100_000, "a\nb\n" * 30_000, ("a\n" * LONGEST + "b\n") * 1_000, "\n".join(map(str, range(99_999)))]
)
def test_time_is_linear(text: str) -> None:
    begin = perf_counter()
    folded(text)
    assert perf_counter() - begin < 3.0

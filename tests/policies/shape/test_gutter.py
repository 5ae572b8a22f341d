"""Line numbers lose the blanks before them; what the file says stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shape.gutter import FEWEST, narrowed

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n")), min_size=FEWEST)


@given(LINES, st.integers(0, 2_000_000), st.sampled_from(["", "Here's the result of running `cat -n` on /a.py:\n"]))
def test_every_line_of_the_file_stays_behind_its_number(lines: list[str], first: int, head: str) -> None:
    text = head + "\n".join(f"{number:6}\t{line}" for number, line in enumerate(lines, first))
    assert narrowed(text) == head + "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, first))


@given(st.text(alphabet="1 2\t\na"))
def test_nothing_but_blanks_before_numbers_goes(text: str) -> None:
    made = narrowed(text).split("\n")
    for before, after in zip(text.split("\n"), made, strict=True):
        assert before == after or (before.lstrip(" ") == after and before[:7].lstrip(" ")[0].isdigit())


@pytest.mark.parametrize(
    "text",
    [
        "     1\ta\n     3\tb\n     5\tc\n     7\td",
        "     1\ta\n     2\tb\n",
        "  1\ta\n  2\tb\n  3\tc\n  4\td",
        "     1 a\n     2 b\n     3 c\n     4 d",
        "        1\ta\n        2\tb\n        3\tc",
        "1\ta\n2\tb\n3\tc\n",
    ],
)
def test_numbers_that_are_no_line_numbers_stay_as_they_are(text: str) -> None:
    assert narrowed(text) == text


def test_a_gap_begins_another_count() -> None:
    text = "".join(f"{n:6}\tx\n" for n in (1, 2, 3, 40, 41, 42, 99))
    assert narrowed(text) == "1\tx\n2\tx\n3\tx\n40\tx\n41\tx\n42\tx\n    99\tx\n"


def test_time_is_linear() -> None:
    for text in (" " * 500_000, "1" * 9_000 + "\t", ("     1\t" * 10 + "\n") * 9_000):
        narrowed(text)

"""Names of files stand once above what was found in them, and can be put back."""

import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shape.headings import headed
from tests.policies.shape.reversing import unheaded

NAMES = st.sampled_from(["src/a.py", "b.c", "./x-1/y-2.txt", "a.py-3-b", "Makefile", "2024-01-02.log"])
FOUND = st.builds(
    lambda name, sign, number, text: f"{name}{sign}{number}{sign}{text}",
    NAMES,
    st.sampled_from([":", "-"]),
    st.integers(0, 99_999),
    st.sampled_from(["", "  x = 1  ", "def f():", "12:3:", "-4-"]),
)
LINES = st.lists(st.one_of(FOUND, st.sampled_from(["--", "", "src/a.py", "7 matches"])))


def proved(text: str) -> None:
    """A text that a heading could be mistaken in is left alone; in any other the names can be put back."""
    alone = re.search(r"^[0-9]+[:-]", text, re.MULTILINE)
    assert (headed(text) if alone else unheaded(headed(text))) == text


@given(LINES)
def test_every_name_can_be_put_back(lines: list[str]) -> None:
    proved("\n".join(lines))


@given(st.text(alphabet="a.:-1/\n "))
def test_of_any_text_every_name_can_be_put_back(text: str) -> None:
    proved(text)


def test_what_is_found_in_one_file_stands_below_its_name() -> None:
    text = (
        "src/a.py:3:import os\nsrc/a.py-4-\nsrc/a.py:9:os.exit()\n--\nsrc/b.py:1:import os\nsrc/c.py:1:x\nsrc/c.py:2:y"
    )
    assert headed(text) == "src/a.py\n3:import os\n4-\n9:os.exit()\n--\nsrc/b.py:1:import os\nsrc/c.py\n1:x\n2:y"
    text = "lib/x.c:10:5: error: no such name\nlib/x.c:12:1: note: here\n"
    assert headed(text) == "lib/x.c\n10:5: error: no such name\n12:1: note: here\n"


@pytest.mark.parametrize("text", ["time:1:a\ntime:2:b", "a.py:x\na.py:y", "a.py:1\na.py:2", "1:x\na.py:1:b\na.py:2:c"])
def test_what_names_no_file_or_could_not_be_told_apart_stays(text: str) -> None:
    assert headed(text) == text


def test_time_is_linear() -> None:
    for text in ("a." * 100_000, "a.py:1:x\n" * 30_000, "a.py:" * 50_000, "1" * 100_000):
        begin = perf_counter()
        headed(text)
        assert perf_counter() - begin < 3.0

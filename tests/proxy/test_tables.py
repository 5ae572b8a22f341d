"""Tables within a width."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.tables import render

CELL = st.text(st.characters(codec="ascii", exclude_characters="\n", categories=["L", "N"]), max_size=60)


def test_numbers_are_right_aligned_and_texts_are_not() -> None:
    assert render(("name", "count"), [("a", "1"), ("bb", "1,000"), ("c", "-")]) == (
        "name  count\n"
        "a         1\n"
        "bb    1,000\n"
        "c         -"
    )  # fmt: skip


def test_the_widest_text_gives_way() -> None:
    lines = render(("a", "b", "n"), [("x" * 30, "y" * 5, "12345")], width=25).splitlines()
    assert lines[1] == "xxxxxxxxxx…  yyyyy  12345"


def test_numbers_never_give_way() -> None:
    assert "1234567890" in render(("n", "t"), [("1234567890", "text")], width=10)


def test_the_header_alone_is_a_table() -> None:
    assert render(("a", "b"), []) == "a  b"


def test_colour_is_on_the_header_only() -> None:
    header, row = render(("a",), [("b",)], colour=True).splitlines()
    assert header == "\x1b[1ma\x1b[0m" and row == "b"


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=5))
def test_no_line_is_longer_than_the_width(rows: list[tuple[str, str, str]]) -> None:
    texts = [("text" + first, "text" + second, "text" + third) for first, second, third in rows]
    assert max(map(len, render(("a", "b", "c"), texts, width=80).splitlines())) <= 80

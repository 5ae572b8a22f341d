"""Lines that differ only in a number are shown at both ends of their series, and where all can be read."""

from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from policies.shape.series import FEWEST, thinned

ID = "hf-abc"
END = "[to read the lines elided above: holdfast archive get hf-abc]"


def test_a_series_keeps_its_first_and_last_line() -> None:
    lines = [f"step {n}/41 at 0x{n:08x}, loss {n / 7:.3f}, commit {n:03x}abc7de0" for n in range(41)]
    text = "\n".join(["begin", *lines, "end"])
    between = "[39 lines like the one above and the one below elided]"
    assert thinned(text, ID).split("\n") == ["begin", lines[0], between, lines[-1], "end", END]


def test_what_differs_in_words_or_is_short_or_blank_stays() -> None:
    for lines in (["a"] * (FEWEST - 1), ["ab", "cd"] * 9, [""] * 9):
        assert thinned("\n".join(lines), ID) == "\n".join(lines)


@given(st.lists(st.sampled_from(["a 1", "a 2", "b", ""])))
def test_every_line_that_stays_is_one_of_the_text_in_its_order(lines: list[str]) -> None:
    made = thinned("\n".join(lines), ID).split("\n")
    rest = iter(lines or [""])
    assert all(line in rest for line in made if not line.startswith("["))


def test_time_is_linear() -> None:
    for text in ("\n" * 60_000, "1" * 100_000, "a1" * 50_000, "0x" * 50_000, "12 34\n" * 20_000):
        begin = perf_counter()
        thinned(text, ID)
        assert perf_counter() - begin < 3.0

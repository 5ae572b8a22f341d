"""Lines of an original: by range, by pattern, with what surrounds them, and never in unbounded time."""

import time

import pytest

from proxy.errors import AskedError
from proxy.recall.choosing import Asked, chosen

TEXT = "".join(f"line {number}\n" for number in range(1, 31))


def numbers(asked: Asked, text: str = TEXT) -> list[int]:
    return [line.number for line in chosen(text, asked)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Asked(), list(range(1, 31))),
        (Asked("9:11"), [9, 10, 11]),
        (Asked("29:"), [29, 30]),
        (Asked(":2"), [1, 2]),
        (Asked("40:50"), []),
        (Asked("3:2"), []),
        (Asked("0:1"), [1]),
        (Asked(grep="[12]0$"), [10, 20]),
        (Asked("12:", "2"), [12, *range(20, 30)]),
        (Asked(grep="^line 3$", context=1), [2, 3, 4]),
        (Asked(grep="line (5|6)$", context=2), [3, 4, 5, 6, 7, 8]),
        (Asked(grep="nowhere", context=3), []),
    ],
)
def test_a_range_and_a_pattern_choose_lines(asked: Asked, expected: list[int]) -> None:
    assert numbers(asked) == expected


@pytest.mark.parametrize("lines", ["a:b", "5", "1-5", "-1:", "1:2:3", f"{'9' * 30}:", " "])
def test_what_is_no_range_is_said(lines: str) -> None:
    with pytest.raises(AskedError, match="is no range of lines; write A:B"):
        chosen(TEXT, Asked(lines))


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "*", "(?<n", "x" * 501])
def test_what_is_no_pattern_is_said(pattern: str) -> None:
    with pytest.raises(AskedError, match="is no regular expression|may have 500"):
        chosen(TEXT, Asked(grep=pattern))


@pytest.mark.parametrize(
    ("pattern", "line"),
    [("(a|aa)+$", "a" * 60 + "b"), ("(?:(?:a{1,1000}){1,1000}){1,1000}b", "a" * 2_000)],
)
def test_a_pattern_that_would_take_years_is_given_up(pattern: str, line: str) -> None:
    began = time.monotonic()
    with pytest.raises(AskedError, match="takes too long on line 2"):
        chosen(f"short\n{line}\nmore", Asked(grep=pattern), seconds=0.05)
    assert time.monotonic() - began < 2


def test_the_time_is_for_all_lines_together() -> None:
    began = time.monotonic()
    with pytest.raises(AskedError, match="takes too long"):
        chosen("\n".join(["a" * 22 + "b"] * 100_000), Asked(grep="(a|aa)+$"), seconds=0.05)
    assert time.monotonic() - began < 2

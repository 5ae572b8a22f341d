"""The printed comparison fits a terminal and is honest when nothing was saved."""

from msgspec.structs import replace

from proxy.demo.figures import Comparison
from proxy.demo.words import conclusion, report
from proxy.tables import WIDTH
from tests.proxy.demo.building import DIRECT, GOOD, PLANNED, comparison

LARGE = replace(
    GOOD,
    direct=replace(GOOD.direct, input_tokens=12_345_678_901, cache_read_tokens=12_345_678_901, input_usd=98_765.43),
    breaks=tuple(replace(PLANNED, turn=turn) for turn in range(100, 130)),
)


def widest(made: Comparison) -> int:
    return max(map(len, report(made).splitlines()))


def test_every_line_fits() -> None:
    assert widest(GOOD) <= WIDTH
    assert widest(LARGE) <= WIDTH


def test_breaks_are_listed_with_their_requests_and_their_cause() -> None:
    text = " ".join(report(GOOD).split())
    assert "planned breaks of the prefix: 1, 1,000 tokens computed again; at requests 2 (3 masked)" in text
    assert "unexplained breaks: 0" in text
    expired = replace(GOOD, breaks=(replace(PLANNED, cause="ttl_expired"),))
    assert "at request 2 the cause was ttl_expired" in report(expired)


# direct: 60,000 written, 40,000 read; through Holdfast: 44,000 and 20,000; 79,150 against 57,150 millionths
def test_the_conclusion_is_about_dollars_at_a_hit_rate() -> None:
    assert conclusion(GOOD).startswith("The same session with the same answers cost 28% less through Holdfast")


def test_where_nothing_was_saved_it_says_so() -> None:
    assert conclusion(comparison(*DIRECT, found=())).startswith("Holdfast saved nothing here: $0.08 direct")


def test_where_something_went_wrong_nothing_is_praised() -> None:
    assert conclusion(replace(GOOD, different_answers=1)) == "Something went wrong: see the lines above."
    assert "answers: 2 of 3 the same" in report(replace(GOOD, different_answers=1))

"""Gaps between calls: read from text, the same for everybody, no clock runs backwards."""

from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.replay.gaps import START, USUAL, Constant, Gap, Recorded, Spread, parsed, starts


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("10", Constant(10.0)),
        ("0", Constant(0.0)),
        ("1m30s", Constant(90.0)),
        ("recorded", Recorded()),
        ("p50=20s,p99=400s", Spread(20.0, 400.0)),
        ("p99=1h,p50=5", Spread(5.0, 3600.0)),
    ],
)
def test_a_gap_is_read_from_text(text: str, gap: Gap) -> None:
    assert parsed(text) == gap


@pytest.mark.parametrize("text", ["", "-1", "soon", "p50=20s", "p50=20s,p99=1s", "p50=0,p99=1", "p50=1,p99=2,p10=3"])
def test_what_is_no_gap_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="p50"):
        parsed(text)


KNOWN = st.lists(st.none() | st.floats(0, 1e9), max_size=20)
GAPS = st.sampled_from([Constant(0.0), Constant(7.0), Recorded(), Spread(20.0, 400.0)])


@settings(max_examples=50)
@given(GAPS, st.text(max_size=8), KNOWN)
def test_there_is_a_time_for_each_call_and_none_before_the_last(
    gap: Gap, session: str, known: list[float | None]
) -> None:
    times = starts(gap, session, known)
    assert len(times) == len(known) and all(a <= b for a, b in pairwise(times))


def test_a_spread_has_its_median_and_its_tail_and_is_of_the_session() -> None:
    times = starts(Spread(20.0, 400.0), "a", [None] * 4001)
    gaps = sorted(b - a for a, b in pairwise(times))
    assert median(gaps) == pytest.approx(20.0, rel=0.1) and gaps[3960] == pytest.approx(400.0, rel=0.3)
    assert times == starts(Spread(20.0, 400.0), "a", [None] * 4001) != starts(Spread(20.0, 400.0), "b", [None] * 4001)


def test_what_was_not_recorded_is_as_usual_and_a_clock_set_back_is_no_time() -> None:
    assert starts(Recorded(), "", [5.0, 8.0, None, 9.0, 1.0]) == [
        5.0,
        8.0,
        8.0 + USUAL,
        8.0 + 2 * USUAL,
        8.0 + 2 * USUAL,
    ]
    assert starts(Recorded(), "", [None, 8.0]) == [START, START + USUAL]

"""Sums and shares."""

from proxy.replay.evidence import Score
from proxy.replay.figures import Figures, totals
from proxy.replay.states import States


def figures(sent: int, received: int, **fields: object) -> Figures:
    known: dict[str, object] = {
        "read": 0,
        "written": 0,
        "output_tokens": 2,
        "input_usd": 1.0,
        "output_usd": 0.5,
        "fill": 0.1,
    }
    return Figures(input_tokens=sent, received_tokens=received, **{**known, **fields})  # type: ignore[arg-type]


def test_shares_are_of_sums_not_means_of_shares() -> None:
    found = totals([[figures(100, 100, read=50)], [figures(300, 300, read=290, written=4)]], [])
    assert found["hit_rate"] == 340 / 400
    assert (found["cache_read_tokens"], found["cache_write_tokens"], found["uncached_tokens"]) == (340, 4, 56)
    assert found["sessions"] == 2 and found["requests"] == 2


def test_cost_is_input_and_output_against_direct() -> None:
    found = totals([[figures(1, 1)]], [[figures(1, 1), figures(1, 1)]])
    assert (found["cost_usd"], found["input_cost_usd"], found["output_tokens"]) == (1.5, 1.0, 2)
    assert found["cost_ratio"] == 0.5


def test_what_is_removed_counts_once_however_often_it_is_left_out() -> None:
    series = [figures(100, 100), figures(60, 110), figures(70, 120), figures(50, 130), figures(140, 140)]
    assert totals([series], [])["removed_tokens"] == 80


def test_whose_doing_it_is_counts_once_too() -> None:
    states = [States(), States(50, 20), States(50, 30, 9), States(90, 30, 9)]
    found = totals([[figures(1, 1, states=one) for one in states]], [])
    assert (found["masked_tokens"], found["shaped_tokens"], found["noted_tokens"]) == (90, 30, 9)


def test_what_there_was_none_of_has_no_share() -> None:
    found = totals([[]], [[]])
    assert [found[key] for key in ("hit_rate", "cost_ratio", "evidence_retained", "peak_fill")] == [None] * 4
    assert found["requests"] == 0 and found["cost_usd"] == 0


def test_evidence_is_weighted_over_all_calls() -> None:
    series = [figures(1, 1, score=Score(10, 5, 4, 1)), figures(1, 1, score=Score(30, 30, 0, 0))]
    found = totals([series], [])
    assert (found["evidence_retained"], found["evidence_at_risk_retained"]) == (35 / 40, 1 / 4)


def test_violations_are_counted_by_their_word() -> None:
    series = [figures(1, 1, violations=("pairs", "roles")), figures(1, 1, violations=("pairs",), fill=0.7)]
    found = totals([series], [])
    assert found["rule_violations"] == 3 and found["violations"] == {"pairs": 2, "roles": 1}
    assert found["peak_fill"] == 0.7

"""The document's names, and the table."""

import pytest

from proxy.replay.page import page
from proxy.replay.report import document, money, share, summary, table, tokens
from proxy.replay.session import Played, play
from proxy.replay.wire import script

from .sessions import count, policy, profile, trace

TOTALS = {
    "sessions",
    "requests",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "uncached_tokens",
    "hit_rate",
    "cost_usd",
    "cost_ratio",
    "removed_tokens",
    "compactions",
    "evidence_retained",
    "evidence_at_risk_retained",
    "rule_violations",
    "peak_fill",
}


BESIDES = {
    "input_cost_usd",
    "output_tokens",
    "violations",
    "masked_tokens",
    "shaped_tokens",
    "noted_tokens",
}
"""What stands there beside the names that others rely on."""


@pytest.fixture(scope="module")
def played() -> list[Played]:
    return [play(script(trace([600] * n, id=f"s{n}"), profile()), profile(), [policy(2)], count) for n in (3, 12)]


def test_the_document_has_the_documented_names(played: list[Played]) -> None:
    found = document(played)
    assert set(found) == {"model", "unit", "policies", "baselines", "sessions"} and found["model"] == "made-up"
    assert set(found["baselines"]) == {"direct", "mask_every_turn", "optimum"} and set(found["policies"]) == {"masking"}
    for part in (found, *found["sessions"]):
        for totals in (*part["policies"].values(), *part["baselines"].values()):
            assert set(totals) == TOTALS | BESIDES
    assert [(one["id"], one["turns"]) for one in found["sessions"]] == [("s3", 4), ("s12", 13)]


def test_totals_are_the_sum_of_the_sessions(played: list[Played]) -> None:
    found = document(played)
    for name in found["baselines"]:
        parts = [one["baselines"][name] for one in found["sessions"]]
        for key in ("requests", "input_tokens", "cost_usd", "removed_tokens"):
            assert found["baselines"][name][key] == pytest.approx(sum(part[key] for part in parts))
    assert found["baselines"]["direct"]["cost_ratio"] == 1.0


def test_the_table_has_a_line_for_each_and_fits(played: list[Played]) -> None:
    lines = table(document(played)).splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["masking", "direct", "mask_every_turn", "optimum"]
    assert max(map(len, lines)) <= 100
    assert "2 sessions, 17 calls, made-up; rule violations: none" in lines


def test_what_went_wrong_is_told() -> None:
    found = document([])
    found["policies"]["bad"] = {"sessions": 1, "requests": 2, "violations": {"pairs": 3}}
    assert "bad: {'pairs': 3}" in summary(found)


def test_relative_units_are_no_dollars() -> None:
    known = profile(unit="relative")
    one = play(script(trace([60] * 3), known), known, [policy(2)], count)
    found = document([one])
    assert found["unit"] == "relative"
    assert "$" not in table(found) and "$" not in page(found, [one])


def test_nothing_played_is_a_table_too() -> None:
    assert "0 sessions, 0 calls, no model; rule violations: none" in table(document([]))


def test_figures_are_short() -> None:
    assert [tokens(n) for n in (0, 999, 1_000, 12_345, 2_500_000, 3_000_000_000)] == [
        "0",
        "999",
        "1.0k",
        "12.3k",
        "2.5M",
        "3.0G",
    ]
    assert [money(usd) for usd in (0.01234, 12.345, 1234.5)] == ["$0.0123", "$12.35", "$1,234.50"]
    assert money(12.345, "relative") == "12.35"
    assert [share(part) for part in (None, 0.5, 1.0)] == ["-", "50.0%", "100.0%"]

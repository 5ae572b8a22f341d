"""A clock is judged by what cannot be newer than now."""

import dataclasses

import pytest

from proxy.doctor.clock import ClockFacts, check_clock, offset
from proxy.doctor.facts.clock import Watch

NOW = 1_800_000_000.0  # in January 2027
FINE = ClockFacts(NOW, 0.0, "2026-11-22", NOW - 5)


def test_a_clock_later_than_everything_is_fine() -> None:
    (finding,) = check_clock(FINE)
    assert (finding.severity, finding.what) == ("ok", "2027-01-15 08:00:00 UTC")


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"newest_figure": "2027-01-20"}, "is before 2027-01-20"),
        ({"newest_record": NOW + 100.0}, "is 100 s before what was last written"),
        ({"stepped": -3.0}, "it was set by -3.0 s"),
    ],
)
def test_a_clock_that_cannot_be_right_fails(changed: dict[str, str], what: str) -> None:
    (finding,) = check_clock(dataclasses.replace(FINE, **changed))  # type: ignore[arg-type]  # each has its own type
    assert finding.severity == "failed" and what in finding.what and "timedatectl" in finding.type


def test_a_minute_is_no_difference() -> None:
    assert next(check_clock(dataclasses.replace(FINE, newest_record=NOW + 59))).severity == "ok"
    assert (offset(NOW, NOW - 59), offset(NOW, NOW + 59)) == ("", "")
    assert offset(NOW, NOW - 300) == "this clock is 300 s ahead"
    assert offset(NOW, NOW + 300) == "this clock is 300 s behind"


def test_a_clock_that_is_set_meanwhile_is_noticed() -> None:
    readings = iter([NOW, NOW - 60])
    assert Watch.start(lambda: next(readings)).look({}, "2026-11-22", None).stepped == pytest.approx(-60, abs=1)


@pytest.mark.parametrize(
    ("zone", "known"), [("", True), ("Europe/Berlin", True), ("CET-1CEST", True), (":UTC", True), ("Berlin", False)]
)
def test_a_time_zone_that_is_not_known_is_a_hint(zone: str, known: bool) -> None:
    facts = Watch.start(lambda: NOW).look({"TZ": zone}, "2026-11-22", None)
    assert facts.zone_is_known is known
    hints = [finding.type for finding in check_clock(facts) if finding.severity == "hint"]
    assert hints == ([] if known else ["unset TZ"])

"""What a report of pytest says of each test, and how two of them are compared."""

from pathlib import Path

import pytest

from tests.sdk_suites.outcomes import counted, differences, read

REPORT = """\
<testsuites><testsuite>
<testcase classname="tests.a" name="test_one[sync]"/>
<testcase classname="tests.a" name="test_one[async]"><failure message="x">text</failure></testcase>
<testcase classname="tests.a" name="test_two"><system-out>x</system-out><error message="x"/></testcase>
<testcase classname="tests.b" name="test_one[sync]"><skipped type="pytest.skip" message="x"/></testcase>
</testsuite></testsuites>
"""


def test_each_test_has_its_own_outcome(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    outcomes = read(tmp_path / "report.xml")
    assert outcomes == {
        "tests.a::test_one[sync]": "passed",
        "tests.a::test_one[async]": "failed",
        "tests.a::test_two": "failed",
        "tests.b::test_one[sync]": "skipped",
    }
    assert counted(outcomes) == {"passed": 1, "failed": 2, "skipped": 1}


def test_two_tests_of_one_name_with_two_outcomes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT.replace("[async]", "[sync]"))
    with pytest.raises(ValueError, match=r"tests\.a::test_one\[sync\]"):
        read(tmp_path / "report.xml")


def test_tests_that_change_places_are_two_differences() -> None:
    direct, through = {"a": "passed", "b": "failed"}, {"a": "failed", "b": "passed"}
    assert differences(direct, direct) == []
    assert differences(direct, through) == [
        "a: passed direct, failed through Holdfast",
        "b: failed direct, passed through Holdfast",
    ]


def test_a_test_that_was_not_run_is_a_difference() -> None:
    assert differences({"a": "passed"}, {}) == ["a: passed direct, not run through Holdfast"]
    assert differences({}, {"a": "skipped"}) == ["a: not run direct, skipped through Holdfast"]

"""The table, the closing line and the exit status of `make test-sdks`; and what is fetched for it."""

from pathlib import Path

import pytest

from tests.sdk_suites import install
from tests.sdk_suites.exchanges import Comparison
from tests.sdk_suites.run import Result, report
from tests.sdk_suites.suites import SUITES

SUITE = SUITES[0]
DIRECT = Result(SUITE, "direct", {"a": "passed", "b": "skipped"}, 1.0)


def test_equal_runs_end_well_and_are_counted_together(capsys: pytest.CaptureFixture[str]) -> None:
    through = Result(SUITE, "off", DIRECT.outcomes, 2.0, (), Comparison(7, ()))
    assert report([DIRECT, through]) == 0
    head, first, second, total = capsys.readouterr().out.splitlines()
    assert head.split() == "suite target passed failed skipped seconds differ requests altered".split()
    assert first.split() == f"openai {SUITE.version} direct 1 0 1 1.0 - - -".split()
    assert second.split() == f"openai {SUITE.version} off 1 0 1 2.0 0 7 0".split()
    assert total == "2 passed, 0 failed, 2 skipped"


SEEN = Comparison(7, ())


@pytest.mark.parametrize(
    "bad",
    [
        Result(SUITE, "off", {"a": "failed", "b": "skipped"}, 1.0, (), SEEN),
        Result(SUITE, "off", {"b": "skipped"}, 1.0, (), SEEN),
        Result(SUITE, "off", {}, 1.0, (), SEEN),
        Result(SUITE, "off", DIRECT.outcomes, 1.0, ("a: passed direct, not run through Holdfast",), SEEN),
        Result(SUITE, "off", DIRECT.outcomes, 1.0, (), Comparison(7, ("answer received: x",))),
        Result(SUITE, "off", DIRECT.outcomes, 1.0, (), Comparison(0, ())),
        Result(SUITE, "direct", {"a": "failed"}, 1.0),
    ],
)
def test_a_failure_a_difference_an_alteration_or_nothing_at_all_ends_badly(
    bad: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report([DIRECT, bad]) == 1
    assert f"openai, {bad.target}: not as it should be" in capsys.readouterr().out


def test_a_suite_that_skips_nothing_ends_well() -> None:
    assert report([Result(SUITE, "direct", {"a": "passed"}, 1.0)]) == 0


def test_every_difference_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    report([Result(SUITE, "off", DIRECT.outcomes, 1.0, ("a: x",), Comparison(7, ("answer received: y",)))])
    said = capsys.readouterr().out
    assert "openai, off: a: x\n" in said
    assert "openai, off: answer received: y\n" in said


def test_a_suite_that_cannot_be_run_is_counted_as_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([], skipped=1) == 0
    assert capsys.readouterr().out == "0 passed, 0 failed, 1 skipped\n"


def test_every_suite_is_locked_with_hashes() -> None:
    for suite in SUITES:
        lock = (install.LOCKS / f"{suite.name}.txt").read_text()
        lines = install.pinned(suite.name, lock).splitlines()
        assert lines[0].startswith(f"{suite.name}=={suite.version} ")
        assert lines[1:] and all("--hash=sha256:" in line for line in lines[1:])
    with pytest.raises(ValueError, match="`unknown` is not locked"):
        install.pinned("unknown", "unknown-other==1 \\\n    --hash=sha256:0\n")


def test_a_suite_without_its_description_is_not_run(tmp_path: Path) -> None:
    assert install.missing(SUITE, tmp_path) == f"no {SUITE.description} in shared/specs"

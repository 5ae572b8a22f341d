"""What became of each test of a run, and where two runs differ.

Rules of this room: runs are compared test by test; equal counts may hide two tests that changed places.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

Outcomes = Mapping[str, str]
"""By test: passed, failed or skipped."""

UNSUCCESSFUL = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def read(report: Path) -> Outcomes:
    """Of a JUnit report. Raises ValueError where two tests of it cannot be told apart."""
    outcomes: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcome = next((UNSUCCESSFUL[part.tag] for part in case if part.tag in UNSUCCESSFUL), "passed")
        if outcomes.setdefault(name, outcome) != outcome:
            raise ValueError(f"two tests are called `{name}`")
    return outcomes


def counted(outcomes: Outcomes) -> Counter[str]:
    return Counter(outcomes.values())


def differences(direct: Outcomes, through: Outcomes) -> list[str]:
    """Every test that became something else, ran once only, or was not run."""
    return [
        f"{name}: {direct.get(name, 'not run')} direct, {through.get(name, 'not run')} through Holdfast"
        for name in sorted(direct.keys() | through.keys())
        if direct.get(name) != through.get(name)
    ]

"""Findings as a table for people, or as a document for programs; and the exit status that they make.

Rules of this room: pure. Lines keep within 80 columns; a command that is longer is continued with a
backslash, so that it can be copied as it stands.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from proxy.doctor.finding import SEVERITIES, Finding
from proxy.tables import BOLD, GAP, PLAIN, WIDTH

DONE, FAILED, UNREADABLE = 0, 1, 2
LEAST_TEXT = 36
"""Columns for what was found, at least: names of places give way to it."""

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
"""A word of a command line, quotes and all."""


def status(findings: Sequence[Finding], readable: bool) -> int:
    """The exit status. `readable`: whether the configuration could be used."""
    if not readable:
        return UNREADABLE
    return FAILED if any(finding.severity == "failed" for finding in findings) else DONE


def table(findings: Sequence[Finding], *, home: str = "", colour: bool = False) -> str:
    """One line a finding, and below it what to type. The home is shown as `~`, but not where it would be typed."""
    findings = [_short(finding, home) for finding in findings]
    first = max(map(len, SEVERITIES))
    second = min(max(len(finding.where) for finding in findings), WIDTH - first - LEAST_TEXT - 2 * len(GAP))
    lines = [line for finding in findings for line in _lines(finding, first, second, colour)]
    return "\n".join([*lines, "", summary(findings)])


def summary(findings: Sequence[Finding]) -> str:
    """How many of each, the worst first."""
    counted = Counter(finding.severity for finding in findings)
    return ", ".join(f"{counted[severity]} {severity}" for severity in reversed(SEVERITIES) if counted[severity])


def document(findings: Sequence[Finding], readable: bool) -> dict[str, Any]:
    """The same for programs."""
    names = ("severity", "where", "what", "type", "place")
    return {
        "status": status(findings, readable),
        "findings": [{name: getattr(finding, name) for name in names} for finding in findings],
    }


def _short(finding: Finding, home: str) -> Finding:
    if len(home) < 2:
        return finding
    where, what, place = (text.replace(f"{home}/", "~/") for text in (finding.where, finding.what, finding.place))
    return replace(finding, where=where, what=what, place=place)


def _lines(finding: Finding, first: int, second: int, colour: bool) -> Iterator[str]:
    margin = first + second + 2 * len(GAP)
    where = textwrap.wrap(finding.where, second, break_on_hyphens=False)
    what = textwrap.wrap(finding.what, WIDTH - margin, break_on_hyphens=False)
    severity = finding.severity.ljust(first)
    if colour and finding.severity in ("warning", "failed"):
        severity = f"{BOLD}{severity}{PLAIN}"
    for number in range(max(len(where), len(what))):
        cells = (
            severity if number == 0 else " " * first,
            (where[number] if number < len(where) else "").ljust(second),
            what[number] if number < len(what) else "",
        )
        yield GAP.join(cells).rstrip()
    if finding.type:
        yield from _typed(finding, " " * (first + len(GAP)))


def _typed(finding: Finding, indent: str) -> Iterator[str]:
    if finding.place:
        yield f"{indent}in {finding.place} write:"
        yield f"{indent}  {finding.type}"
        return
    line = f"{indent}$"
    for word in _WORD.findall(finding.type):
        if len(line) + len(word) + 3 > WIDTH >= len(indent) + len(word) + 6:
            yield line + " \\"
            line = f"{indent}   "
        line += f" {word}"
    yield line

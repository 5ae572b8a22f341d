"""Python and the packages that Holdfast needs, as installed.

Rules of this room: pure. Floors are those that the installed distribution states; a ceiling counts as well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from proxy.doctor.finding import Finding

WHERE = "packages"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?P<bounds>[<>=!~0-9.,a-z]*)(?P<marker>\s*;.*)?")


@dataclass(frozen=True, slots=True)
class Software:
    python: tuple[int, int, int]
    python_floor: str
    """As `>=3.11`; empty where Holdfast runs from a checkout, and no floor is known."""
    requirements: Sequence[str]
    """As the metadata of the distribution has them."""
    installed: Mapping[str, str]
    """Versions by name; a package that is missing is not in it."""


def check_software(software: Software) -> Iterator[Finding]:
    version = ".".join(map(str, software.python))
    if not _within(version, software.python_floor):
        what = f"{version} is too old: Holdfast needs {software.python_floor}"
        yield Finding("failed", "python", what, "python3.12 -m venv .venv && .venv/bin/pip install holdfast")
    else:
        yield Finding("ok", "python", version)
    yield from _packages(software)


def _packages(software: Software) -> Iterator[Finding]:
    needed = [found for text in software.requirements if (found := _REQUIREMENT.fullmatch(text)) and _counts(found)]
    wrong = [found for found in needed if not _fits(found, software.installed)]
    for found in wrong:
        version = software.installed.get(found["name"])
        what = f"{found['name']} {version} is installed" if version else f"{found['name']} is not installed"
        requirement = found["name"] + found["bounds"]
        yield Finding("failed", WHERE, f"{what}, needed is {requirement}", f"pip install '{requirement}'")
    if not software.requirements:
        what = "Holdfast runs from a checkout, so what it needs is not recorded"
        yield Finding("hint", WHERE, what, "pip install -e .")
    elif not wrong:
        yield Finding("ok", WHERE, f"{len(needed)} are installed, each within its bounds")


def _counts(found: re.Match[str]) -> bool:
    """Extras are not needed by everybody."""
    return "extra ==" not in (found["marker"] or "")


def _fits(found: re.Match[str], installed: Mapping[str, str]) -> bool:
    version = installed.get(found["name"])
    if version is None:  # with a marker it may not be needed on this machine at all
        return bool(found["marker"])
    return _within(version, found["bounds"])


def _within(version: str, bounds: str) -> bool:
    """Whether a version is neither below a floor (`>=`) nor at or above a ceiling (`<`)."""
    have = _numbers(version)
    for bound in filter(None, bounds.split(",")):
        if bound.startswith(">=") and have < _numbers(bound[2:]):
            return False
        if bound.startswith("<") and not bound.startswith("<=") and have >= _numbers(bound[1:]):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """The release's numbers, without closing zeros: 1.0 is 1."""
    release = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    numbers = [int(part) for part in release.group().split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)

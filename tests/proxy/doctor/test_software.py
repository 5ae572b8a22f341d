"""What is installed is compared with what the distribution states."""

from collections.abc import Mapping

import pytest

from proxy.doctor.facts.software import look_at_software
from proxy.doctor.software import Software, check_software

REQUIREMENTS = ("starlette>=1.3", "httpx<0.29,>=0.28", "uvloop>=0.22; sys_platform != 'win32'", "x>=1; extra == 'y'")
FINE = {"starlette": "1.3.0", "httpx": "0.28.1", "uvloop": "0.22"}


def found(installed: Mapping[str, str], python: tuple[int, int, int] = (3, 11, 0)) -> list[tuple[str, str]]:
    software = Software(python, ">=3.11", REQUIREMENTS, installed)
    return [(finding.severity, finding.type) for finding in check_software(software)]


def test_what_is_within_its_bounds_is_fine() -> None:
    assert found(FINE) == [("ok", ""), ("ok", "")]


@pytest.mark.parametrize(
    ("name", "version", "fix"),
    [
        ("starlette", "1.2.9", "pip install 'starlette>=1.3'"),
        ("httpx", "0.29.0", "pip install 'httpx<0.29,>=0.28'"),
        ("httpx", "0.27", "pip install 'httpx<0.29,>=0.28'"),
        ("uvloop", "0.9", "pip install 'uvloop>=0.22'"),
    ],
)
def test_what_is_too_old_or_too_new_is_named_with_what_installs_it(name: str, version: str, fix: str) -> None:
    assert found({**FINE, name: version}) == [("ok", ""), ("failed", fix)]


def test_what_is_missing_fails_unless_this_machine_may_not_need_it() -> None:
    assert found({"httpx": "0.28", "starlette": "2"}) == [("ok", ""), ("ok", "")]
    assert found({"httpx": "0.28"}) == [("ok", ""), ("failed", "pip install 'starlette>=1.3'")]


def test_an_old_python_fails() -> None:
    assert found(FINE, (3, 10, 9))[0][0] == "failed"


def test_a_checkout_without_metadata_is_told_how_to_get_some() -> None:
    (_, finding) = check_software(Software((3, 11, 0), "", (), {}))
    assert (finding.severity, finding.type) == ("hint", "pip install -e .")


def test_this_installation_is_fine() -> None:
    assert {finding.severity for finding in check_software(look_at_software())} == {"ok"}

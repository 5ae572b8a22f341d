"""Files of authorities exist and hold some; the authority of interception is judged when it is used."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.doctor.certificates import CertificateFacts, Interception, check_certificates
from proxy.doctor.facts.certificates import Place, look_at_certificates
from proxy.doctor.finding import Finding
from tests.proxy.secure import certificate, needs_openssl

NOW = 1_800_000_000.0
VARIABLES = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")


def findings(environ: Mapping[str, str], place: Place | None = None) -> list[Finding]:
    return list(check_certificates(look_at_certificates(environ, VARIABLES, place, NOW)))


@needs_openssl
def test_a_variable_must_name_a_file_with_certificates(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    assert findings({}) == []
    (fine,) = findings({"SSL_CERT_FILE": str(cert), "SSL_CERT_DIR": str(tmp_path)})
    assert (fine.severity, fine.what) == ("ok", "SSL_CERT_FILE and 1 more name certificates")
    found = findings({"SSL_CERT_FILE": str(empty), "NODE_EXTRA_CA_CERTS": "/none.pem", "SSL_CERT_DIR": "/none"})
    assert [(finding.severity, finding.type) for finding in found] == [
        ("failed", "unset SSL_CERT_FILE"),
        ("failed", "unset NODE_EXTRA_CA_CERTS"),
        ("failed", "unset SSL_CERT_DIR"),
    ]


@needs_openssl
def test_the_authority_is_read_but_its_key_only_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "intercept"
    folder.mkdir(0o700)
    cert, key = certificate(folder)
    authority = key.rename(folder / "mitmproxy-ca.pem")
    authority.chmod(0o600)
    place = Place(cert, folder / "bundle.pem", ["SSL_CERT_FILE"])
    facts = look_at_certificates({"HTTPS_PROXY": "http://127.0.0.1:8790"}, VARIABLES, place, NOW)
    made = facts.interception
    assert made and made.used and not made.key_is_open and made.until and made.until > 1_700_000_000
    folder.chmod(0o755)
    authority.chmod(0o644)
    opened = look_at_certificates({}, VARIABLES, place, NOW).interception
    assert opened and opened.key_is_open and not opened.used
    none = look_at_certificates({}, VARIABLES, replace(place, certificate=tmp_path / "none"), NOW).interception
    assert none and none.certificate == ""


def test_an_authority_that_cannot_be_read_has_no_end(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("nothing\n")
    made = look_at_certificates({}, (), Place(broken, broken, ()), NOW).interception
    assert made and made.until is None


MADE = Interception(True, "/s/i", "/s/i/ca.pem", "/s/i/bundle.pem", until=NOW + 1, used=True, trusting=("A", "B"))


@pytest.mark.parametrize(
    ("made", "severity", "fix"),
    [
        (MADE, "ok", ""),
        (replace(MADE, used=False, trusting=()), "ok", ""),
        (replace(MADE, trusting=()), "failed", "export NODE_EXTRA_CA_CERTS=/s/i/ca.pem SSL_CERT_FILE=/s/i/bundle.pem"),
        (replace(MADE, until=NOW - 1), "failed", "mv /s/i /s/i.old; holdfast intercept"),
        (replace(MADE, key_is_open=True), "failed", "chmod -R go-rwx /s/i && mv /s/i /s/i.old; holdfast intercept"),
        (replace(MADE, installed=False, certificate="", used=True), "failed", "pip install 'holdfast[intercept]'"),
        (replace(MADE, certificate=""), "failed", "holdfast intercept"),
    ],
)
def test_an_authority_that_is_used_must_be_trusted_and_safe(made: Interception, severity: str, fix: str) -> None:
    finding, *_ = check_certificates(CertificateFacts(NOW, (), made))
    assert (finding.severity, finding.type) == (severity, fix)


def test_an_authority_that_nobody_made_or_uses_is_not_mentioned() -> None:
    unused = replace(MADE, certificate="", used=False)
    assert list(check_certificates(CertificateFacts(NOW, (), unused))) == []
    assert list(check_certificates(CertificateFacts(NOW, ()))) == []

"""Reads the files of authorities that variables name, and what `holdfast intercept` has made.

Rules of this room: certificates are public and are read; of the authority's key only the mode is looked at. The
front end itself may not be imported here: where its authority lies is told by whoever calls.
"""

import ssl
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from proxy.doctor.certificates import CertificateFacts, Interception, NamedFile
from proxy.doctor.facts.ports import leads_to_interception

FOLDERS = ("SSL_CERT_DIR",)
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the authority of `holdfast intercept` lies, and which variables have clients trust it."""

    certificate: Path
    bundle: Path
    trusting: Sequence[str]


def look_at_certificates(
    environ: Mapping[str, str], variables: Sequence[str], place: Place | None, now: float
) -> CertificateFacts:
    """`variables`: those that name a file of authorities."""
    files = [NamedFile(name, environ[name], _problem(Path(environ[name]))) for name in variables if environ.get(name)]
    files += [
        NamedFile(name, environ[name], "" if Path(environ[name].partition(":")[0]).is_dir() else "is no folder")
        for name in FOLDERS
        if environ.get(name)
    ]
    return CertificateFacts(now, files, _interception(place, environ) if place else None)


def _problem(path: Path) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificate"
    except OSError as error:
        return f"cannot be read ({(error.strerror or 'unknown reason').lower()})"
    return ""


def _interception(place: Place, environ: Mapping[str, str]) -> Interception:
    folder = place.certificate.parent
    installed = find_spec("mitmproxy") is not None
    used = any(leads_to_interception(environ.get(name, "")) for name in PROXIES)
    if not place.certificate.is_file():
        return Interception(installed, str(folder), used=used)
    return Interception(
        installed=installed,
        folder=str(folder),
        certificate=str(place.certificate),
        bundle=str(place.bundle),
        until=_until(place.certificate),
        key_is_open=any(_is_open(file) for file in folder.glob("*-ca.pem")) and _is_open(folder),
        used=used,
        trusting=tuple(place.trusting),
    )


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _until(certificate: Path) -> float | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(certificate)
    except OSError:
        return None
    ends = [ssl.cert_time_to_seconds(str(each["notAfter"])) for each in context.get_ca_certs()]
    return min(ends, default=None)

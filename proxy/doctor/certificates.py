"""Whom agents of this shell trust: files that variables name, and the authority of `holdfast intercept`.

Rules of this room: pure. An authority that nobody uses yet is no fault.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from proxy.doctor.finding import Finding

WHERE = "intercept authority"


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file of authorities that a variable names."""

    variable: str
    path: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Interception:
    """What `holdfast intercept` has made, and whether it is used here."""

    installed: bool
    """Whether mitmproxy is."""
    folder: str
    certificate: str = ""
    """Empty where none was made yet."""
    bundle: str = ""
    until: float | None = None
    key_is_open: bool = False
    """Others than its owner can read the authority's key."""
    used: bool = False
    """A proxy variable of this shell leads there."""
    trusting: Sequence[str] = ()
    """Variables whose file holds the certificate."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    now: float
    files: Sequence[NamedFile]
    interception: Interception | None = None
    """None where there is no home to look in."""


def check_certificates(facts: CertificateFacts) -> Iterator[Finding]:
    for file in facts.files:
        if file.problem:
            what = f"{file.path} {file.problem}: agents that read it trust nobody, or ignore it"
            yield Finding("failed", file.variable, what, f"unset {file.variable}")
    if fine := [file.variable for file in facts.files if not file.problem]:
        more = f" and {len(fine) - 1} more name" if len(fine) > 1 else " names"
        yield Finding("ok", "authorities", f"{fine[0]}{more} certificates")
    if facts.interception:
        yield from _interception(facts.interception, facts.now)


def _interception(made: Interception, now: float) -> Iterator[Finding]:
    folder = shlex.quote(made.folder)
    anew = f"mv {folder} {folder}.old; holdfast intercept"
    if made.used and not made.installed:
        what = "HTTPS_PROXY leads to `holdfast intercept`, which needs mitmproxy"
        yield Finding("failed", WHERE, what, "pip install 'holdfast[intercept]'")
    if not made.certificate:
        if made.used:
            yield Finding("failed", WHERE, "HTTPS_PROXY leads to it, and none was made yet", "holdfast intercept")
        return
    if made.key_is_open:
        what = "other users can read its key, and pose as any host to whoever trusts it"
        yield Finding("failed", WHERE, what, f"chmod -R go-rwx {folder} && {anew}")
    if made.until is not None and made.until < now:
        yield Finding("failed", WHERE, f"it ended on {datetime.fromtimestamp(made.until, UTC):%Y-%m-%d}", anew)
    elif made.used and not made.trusting:
        what = "HTTPS_PROXY leads through it, and no variable of this shell makes an agent trust it"
        certificate, bundle = shlex.quote(made.certificate), shlex.quote(made.bundle)
        yield Finding("failed", WHERE, what, f"export NODE_EXTRA_CA_CERTS={certificate} SSL_CERT_FILE={bundle}")
    elif not made.key_is_open:
        trusting = f", trusted by {', '.join(made.trusting)}" if made.trusting else ", trusted by nobody in this shell"
        yield Finding("ok", WHERE, f"in {made.folder}{trusting}")

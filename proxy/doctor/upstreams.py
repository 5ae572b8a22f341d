"""What each provider answered, and what it means: `--upstream`.

Rules of this room: pure. Without a key a refusal is a good answer: it shows that the way is free.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from proxy.doctor.agents import is_loopback
from proxy.doctor.clock import SET_IT, offset
from proxy.doctor.finding import Finding, Severity

Stage = Literal["dns", "tcp", "tls", "http", "answered"]

# X509_V_ERR_ of OpenSSL's x509_vfy.h
NOT_YET_VALID, EXPIRED, NO_ISSUER, WRONG_NAME = (9,), (10,), (2, 18, 19, 20, 21), (62, 64)
SOON = 7 * 86_400.0
"""Seconds before its end at which a certificate is worth a word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How far one request to an upstream came. `problem` is what stopped it at `stage`."""

    name: str
    url: str
    host: str
    port: int
    stage: Stage = "dns"
    problem: str = ""
    verify_code: int = 0
    """Of OpenSSL, where a certificate was refused."""
    issuer: str = ""
    names: tuple[str, ...] = ()
    """The host names in the certificate."""
    until: float | None = None
    """When the certificate ends."""
    system_trusts: str = ""
    """The system's file of authorities, where that vouches for a certificate that Holdfast refuses."""
    path: str = ""
    status: int = 0
    html: bool = False
    redirect: str = ""
    """Scheme and host of where a redirect leads."""
    key_variable: str = ""
    """The variable whose key was sent; empty where none was."""
    key_header: str = ""
    """The header that this provider reads a key from."""
    now: float = 0.0
    date: float | None = None
    """The answer's Date."""
    milliseconds: float = 0.0


def check_upstreams(facts: Sequence[Asked]) -> Iterator[Finding]:
    for asked in facts:
        yield _reached(asked) if asked.stage == "answered" else _stopped(asked)
        if asked.until is not None and asked.until - asked.now < SOON:
            what = f"its certificate ends on {datetime.fromtimestamp(asked.until, UTC):%Y-%m-%d}"
            yield Finding("hint", _where(asked), what, _again(asked))
    wrong = [(asked.name, text) for asked in facts if asked.date and (text := offset(asked.now, asked.date))]
    if wrong:
        name, text = wrong[0]
        yield Finding("failed", "clock", f"{text}, by the answer of {name}", SET_IT)


def _where(asked: Asked) -> str:
    return f"upstream {asked.name}"


def _stopped(asked: Asked) -> Finding:
    at = f"{asked.host}:{asked.port}"
    match asked.stage:
        case "dns":
            return _failed(asked, f"{asked.host}: {asked.problem}", f"getent hosts {asked.host}")
        case "tcp" if is_loopback(asked.host):
            return _failed(asked, f"{at}: {asked.problem}: is its server running?", f"curl -v {_target(asked)}")
        case "tcp":
            what = f"{at}: {asked.problem}: a firewall, or a network that wants a proxy"
            return _failed(asked, what, f"curl -v {_target(asked)}")
        case "tls":
            return _untrusted(asked)
        case _:
            return _failed(asked, f"{at}: {asked.problem}", f"curl -v {_target(asked)}")


def _untrusted(asked: Asked) -> Finding:
    by = f", issued by {asked.issuer}" if asked.issuer else ""
    if asked.verify_code in NO_ISSUER:
        what = f"nobody whom Holdfast trusts vouches for its certificate{by}: is TLS inspected on the way?"
        return _failed(asked, what, f"export HOLDFAST_CA_FILE={asked.system_trusts or '/path/to/your-authority.pem'}")
    if asked.verify_code in NOT_YET_VALID:
        return _failed(asked, f"its certificate{by} is not valid yet: this clock is behind", SET_IT)
    if asked.verify_code in EXPIRED:
        return _failed(asked, f"its certificate{by} has expired, or this clock is ahead", "date -u")
    if asked.verify_code in WRONG_NAME and asked.names:
        what = f"its certificate is for {', '.join(asked.names[:3])}"
        port = "" if asked.port == 443 else f":{asked.port}"
        return _failed(asked, what, _set_url(asked, f"https://{asked.names[0]}{port}"))
    if "wrong version number" in asked.problem or "record layer" in asked.problem:
        plain = f"http{asked.url.removeprefix('https')}"
        return _failed(asked, "it speaks http, its URL says https", _set_url(asked, plain))
    return _failed(asked, f"no TLS: {asked.problem}", f"openssl s_client -connect {asked.host}:{asked.port}")


def _reached(asked: Asked) -> Finding:
    sure = f"{asked.host}, {asked.milliseconds:.0f} ms{f', TLS by {asked.issuer}' if asked.issuer else ''}"
    if asked.html and asked.status < 500:
        what = f"{asked.host} answers with a web page: a login page on the way, or no API"
        return _finding("warning", asked, what, f"curl -si {_target(asked)}")
    if 200 <= asked.status < 300:
        key = f"; the key in {asked.key_variable} is accepted" if asked.key_variable else ""
        return Finding("ok", _where(asked), f"{sure}{key}")
    if 300 <= asked.status < 400 and asked.redirect:
        what = f"it redirects to {asked.redirect}, and redirects are not followed"
        return _failed(asked, what, _set_url(asked, asked.redirect))
    if asked.status in (401, 403):
        return _refused(asked, sure)
    return _otherwise(asked)


def _refused(asked: Asked, sure: str) -> Finding:
    if not asked.key_variable:
        return Finding("ok", _where(asked), f"{sure}; wants a key in {asked.key_header}")
    name = asked.key_variable
    why = "is not known to it" if asked.status == 401 else "is not allowed this: region, organisation or project"
    return _failed(asked, f"{asked.status}: the key in {name} {why}", f"read -rs {name} && export {name}")


def _otherwise(asked: Asked) -> Finding:
    again = _again(asked)
    match asked.status:
        case 404 if asked.path == "/":
            return Finding("ok", _where(asked), f"{asked.host}, {asked.milliseconds:.0f} ms")
        case 404 if asked.url.count("/") > 2 and not is_loopback(asked.host):
            what = f"404 for {asked.path}: the path in its URL seems wrong"
            return _finding("warning", asked, what, _set_url(asked, "/".join(asked.url.split("/")[:3])))
        case 404:
            return _finding("hint", asked, f"it answers, but not for {asked.path}", f"curl -si {_target(asked)}")
        case 407:
            what = "407: a proxy on the way wants a password, and Holdfast asks no proxy"
            return _failed(asked, what, "env | grep -i _proxy= | cut -d= -f1")
        case 429:
            what = "429: too many requests for this account; the way is free"
            return _finding("warning", asked, what, f"sleep 60; {again}")
        case status if status >= 500:
            return _finding("warning", asked, f"{status}: the provider has trouble of its own", again)
        case status:
            return _finding("hint", asked, f"it answers {status} for {asked.path}", f"curl -si {_target(asked)}")


def _finding(severity: Severity, asked: Asked, what: str, fix: str) -> Finding:
    return Finding(severity, _where(asked), what, fix)


def _failed(asked: Asked, what: str, fix: str) -> Finding:
    return Finding("failed", _where(asked), what, fix)


def _again(asked: Asked) -> str:
    return f"holdfast doctor --upstream {asked.name}"


def _target(asked: Asked) -> str:
    return shlex.quote("/".join(asked.url.split("/")[:3]) + asked.path)


def _set_url(asked: Asked, url: str) -> str:
    return f"export HOLDFAST_UPSTREAMS__{asked.name.upper()}__URL={shlex.quote(url)}"

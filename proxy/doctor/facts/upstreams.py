"""Asks each provider for its list of models: name, connection, TLS, answer, one after another, all providers at once.

Rules of this room: three seconds a step, nothing is retried, no redirect is followed, no proxy is asked: as
the proxy itself goes. A key is sent to the upstream of its provider's name and to no other, and only over TLS
that was verified or on this machine. Certificates count as they do for the proxy.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from proxy import mistakes
from proxy.doctor.agents import is_loopback
from proxy.doctor.keys import VARIABLE_OF
from proxy.doctor.upstreams import Asked
from proxy.upstream import Upstream, authorities

STEP = 3.0
"""Seconds for each of name, connection, TLS and answer."""

PATHS = {"anthropic": "/v1/models?limit=1", "gemini": "/v1beta/models?pageSize=1", "vertex": "/"}
"""What costs nothing and changes nothing; `/v1/models` for all others."""

HEADERS = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}
"""Where each reads its key from; `authorization` for all others."""


@dataclass(slots=True)
class Progress:
    """Filled by the thread of one upstream, read when time is up."""

    asked: Asked


def look_at_upstreams(
    upstreams: Sequence[Upstream], environ: Mapping[str, str], clock: Callable[[], float], *, step: float = STEP
) -> tuple[Asked, ...]:
    """What each answered. A thread that outlives its time is left behind: resolving a name cannot be stopped."""
    running = []
    for upstream in upstreams:
        parts = urlsplit(upstream.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        progress = Progress(Asked(upstream.name, upstream.url, parts.hostname or "", port, now=clock()))
        thread = threading.Thread(target=_ask, args=(progress, upstream, environ, clock, step), daemon=True)
        thread.start()
        running.append((thread, progress))
    end = monotonic() + 5 * step
    for thread, _ in running:
        thread.join(max(0.0, end - monotonic()))
    return tuple(_settled(progress.asked) for _, progress in running)


def _settled(asked: Asked) -> Asked:
    """A step that is still going on is out of time."""
    return asked if asked.problem or asked.stage == "answered" else replace(asked, problem="no answer in time")


def _ask(
    progress: Progress, upstream: Upstream, environ: Mapping[str, str], clock: Callable[[], float], step: float
) -> None:
    """Up to the first step that fails; each says what it is about to do before it does it."""
    asked = progress.asked
    try:
        socket.getaddrinfo(asked.host, asked.port, type=socket.SOCK_STREAM)
        asked = progress.asked = replace(asked, stage="tcp")
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((asked.host, asked.port), step))
            if upstream.url.startswith("https:"):
                asked = progress.asked = replace(asked, stage="tls")
                context = authorities(upstream.ca_file)
                connection = stack.enter_context(context.wrap_socket(connection, server_hostname=asked.host))
                asked = progress.asked = replace(asked, **_described(connection.getpeercert()))
            asked = progress.asked = replace(asked, stage="http")
            progress.asked = _answer(asked, connection, request_to(upstream, environ), clock)
    except ssl.SSLCertVerificationError as error:
        progress.asked = _refused(replace(asked, problem=error.verify_message, verify_code=error.verify_code), step)
    except ssl.SSLError as error:
        progress.asked = replace(asked, problem=(error.reason or "it broke off").lower().replace("_", " "))
    except socket.gaierror:
        progress.asked = replace(asked, problem="this name is not known here")
    except TimeoutError:
        progress.asked = replace(asked, problem="no answer in time")
    except (OSError, http.client.HTTPException, ValueError) as error:
        progress.asked = replace(asked, problem=(getattr(error, "strerror", None) or "the answer is no HTTP").lower())


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """Never shown: headers may hold a key."""

    path: str
    headers: Mapping[str, str]
    key_variable: str
    key_header: str


def request_to(upstream: Upstream, environ: Mapping[str, str]) -> Request:
    """What is asked of an upstream. Without encryption a key leaves this machine for nobody."""
    kind = upstream.name if upstream.name in PATHS else (upstream.dialect or "").partition("_")[0]
    path, base_path = PATHS.get(kind, "/v1/models"), upstream.base_path.decode()
    if base_path and mistakes.in_path(path.partition("?")[0], base_path):
        path = path[path.index("/", 1) :]  # the URL has the version already
    variable, header = VARIABLE_OF.get(upstream.name, ""), HEADERS.get(kind, "authorization")
    parts = urlsplit(upstream.url)
    key = environ.get(variable, "") if parts.scheme == "https" or is_loopback(parts.hostname or "") else ""
    if key and (mistakes.in_key(key) or not key.isascii() or mistakes.issuer(key) not in ("", upstream.name)):
        key = ""  # another check tells what is wrong with it
    headers = {"accept": "application/json", "user-agent": "holdfast-doctor"}
    if kind == "anthropic":
        headers["anthropic-version"] = "2023-06-01"
    if key:
        headers[header] = f"Bearer {key}" if header == "authorization" else key
    return Request(base_path + path, headers, variable if key else "", header)


def _answer(asked: Asked, connection: socket.socket, request: Request, clock: Callable[[], float]) -> Asked:
    began = monotonic()
    client = http.client.HTTPConnection(asked.host, asked.port)
    client.sock = connection
    client.request("GET", request.path, headers=request.headers)
    answer = client.getresponse()
    target = urlsplit(answer.headers.get("location", ""))
    return replace(
        asked,
        stage="answered",
        path=request.path.partition("?")[0],
        status=answer.status,
        html=answer.headers.get_content_type() == "text/html",
        redirect=f"{target.scheme}://{target.hostname}" if target.hostname else "",
        key_variable=request.key_variable,
        key_header=request.key_header,
        now=clock(),
        date=_date(answer.headers.get("date", "")),
        milliseconds=(monotonic() - began) * 1000,
    )


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _described(certificate: Any) -> dict[str, Any]:
    """Issuer, names and end of a certificate, as `getpeercert` has it."""
    if not certificate:
        return {}
    issuer = {key: value for group in certificate.get("issuer", ()) for key, value in group}
    return {
        "issuer": issuer.get("organizationName") or issuer.get("commonName", ""),
        "names": tuple(value for _, value in certificate.get("subjectAltName", ())),
        "until": ssl.cert_time_to_seconds(certificate["notAfter"]),
    }


def _refused(asked: Asked, step: float) -> Asked:
    """The same with what can be read of the certificate, and whether the system's own authorities vouch for it."""
    system = ssl.get_default_verify_paths().cafile or ""
    trusted = bool(system) and _peer(asked, ssl.create_default_context(), step) is not None
    return replace(asked, **_described(_read_anyway(asked, step)), system_trusts=system if trusted else "")


def _read_anyway(asked: Asked, step: float) -> Any:
    """A certificate that nobody vouches for, decoded. The standard library decodes only what it has verified, so the
    certificate vouches for itself; nothing is sent on that connection."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    encoded = _peer(asked, blind, step, encoded=True)
    if not encoded:
        return None
    itself = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    itself.check_hostname = False
    itself.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    itself.load_verify_locations(cadata=encoded)
    return _peer(asked, itself, step)


def _peer(asked: Asked, context: ssl.SSLContext, step: float, *, encoded: bool = False) -> Any:
    """The certificate of the other side; None where the handshake fails."""
    try:
        with (
            socket.create_connection((asked.host, asked.port), step) as connection,
            context.wrap_socket(connection, server_hostname=asked.host) as secured,
        ):
            return secured.getpeercert(encoded)
    except OSError:
        return None

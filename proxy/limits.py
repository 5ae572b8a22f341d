"""What a request may be before anything looks at it.

The parser is not strict about the things below (probed with raw sockets: no Host, two Hosts and
`a/?x=` are accepted), so they are refused here, before routing. Rules of this room: pure; a refusal
is a value, with a status and a message that repeats nothing secret.
It must not know routes or dialects.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.headers import Pair, values

MIB = 1024 * 1024

_HOST = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""RFC 3986 host and port: no userinfo, path, query or space."""


@dataclass(frozen=True, slots=True)
class Limits:
    headers: int = 200
    header_bytes: int = 64 * 1024
    body_bytes: int = 64 * MIB
    """Of a body that is read whole, and of what it decodes to."""
    answer_bytes: int = 16 * MIB
    """Of an answer's copy from which usage is read; a longer one is relayed and its usage unknown."""
    body_idle: float = 30.0
    """Seconds a body may pause on its way in."""
    leftover_bytes: int = MIB
    """How much of an unread body is taken in after an early reply, before the connection closes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    message: str


def refusal(method: str, raw_path: bytes, headers: Sequence[Pair], limits: Limits) -> Refusal | None:
    """Why this request is not let in, or None."""
    if len(headers) > limits.headers:
        return Refusal(431, f"more than {limits.headers} headers")
    if sum(len(name) + len(value) for name, value in headers) > limits.header_bytes:
        return Refusal(431, f"headers of more than {limits.header_bytes} bytes")
    if method == "CONNECT" or not raw_path.startswith(b"/"):
        return Refusal(400, "the request target is not a path")
    return _host_refusal(headers) or _framing_refusal(headers)


def _host_refusal(headers: Sequence[Pair]) -> Refusal | None:
    hosts = values(headers, b"host")
    if len(hosts) != 1:
        return Refusal(400, "exactly one Host header is required")
    if not _HOST.fullmatch(hosts[0]):
        return Refusal(400, "the Host header is not a host")
    return None


def _framing_refusal(headers: Sequence[Pair]) -> Refusal | None:
    lengths = values(headers, b"content-length")
    codings = values(headers, b"transfer-encoding")
    if codings and lengths:
        return Refusal(400, "both Transfer-Encoding and Content-Length")
    if len(lengths) > 1:
        return Refusal(400, "more than one Content-Length")
    if codings and (len(codings) > 1 or codings[0].strip().lower() != b"chunked"):
        return Refusal(400, "a Transfer-Encoding other than chunked")
    return None


def has_body(headers: Sequence[Pair]) -> bool:
    return bool(values(headers, b"transfer-encoding")) or stated_length(headers) > 0


def stated_length(headers: Sequence[Pair]) -> int:
    """The length stated, or 0."""
    lengths = values(headers, b"content-length")
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0

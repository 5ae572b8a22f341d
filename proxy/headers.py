"""Which headers cross the proxy.

Rules of this room: pure; headers are raw pairs in the order received, duplicates and case kept.
What belongs to one connection stays on it (RFC 9110, section 7.6.1), in both directions, and so does
whatever `Connection` nominates. It must not know routes, dialects or who is asking.
"""

import re
from collections.abc import Iterable, Sequence

Pair = tuple[bytes, bytes]

PRIVATE = b"x-holdfast-"
"""Request headers meant for Holdfast itself; none of them goes upstream."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

ANSWERED_HERE = frozenset({b"host", b"expect"})
"""`Host` names the upstream on the next connection; `Expect` was met when the body was asked for."""

FRAMING = frozenset({b"content-length", b"host"})
"""Nominating these in `Connection` would change where a message ends or goes, so it does not count."""

BODY_DIGESTS = frozenset({b"content-md5", b"digest", b"content-digest", b"repr-digest"})
"""True of the bytes as the agent sent them; wrong for an edited body."""

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")


def values(headers: Iterable[Pair], name: bytes) -> tuple[bytes, ...]:
    """Every value of one header, in order. `name` is lower case."""
    return tuple(value for key, value in headers if key.lower() == name)


def first(headers: Iterable[Pair], name: bytes) -> bytes:
    for key, value in headers:
        if key.lower() == name:
            return value
    return b""


def nominated(headers: Iterable[Pair]) -> frozenset[bytes]:
    """What the sender's `Connection` header ties to its own connection."""
    tokens = b",".join(values(headers, b"connection")).split(b",")
    return frozenset(token.strip().lower() for token in tokens) - FRAMING


def request_headers(headers: Sequence[Pair]) -> tuple[Pair, ...]:
    """A request's headers as they go upstream, without `Host`."""
    dropped = HOP_BY_HOP | ANSWERED_HERE | nominated(headers)
    return tuple(pair for pair in headers if (key := pair[0].lower()) not in dropped and not key.startswith(PRIVATE))


def response_headers(headers: Sequence[Pair], extra: Sequence[Pair] = ()) -> tuple[Pair, ...]:
    """A response's headers as they go to the agent, then our own."""
    dropped = HOP_BY_HOP | nominated(headers) | {key for key, _ in extra}
    if values(headers, b"transfer-encoding"):
        # RFC 9112, section 6.3: the chunks decide, a length beside them must not be passed on
        dropped |= {b"content-length"}
    return (*(pair for pair in headers if pair[0].lower() not in dropped), *extra)


def valid(headers: Iterable[Pair]) -> bool:
    """Whether each could be written on a connection without ending the line it is on."""
    return all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers)


def with_length(headers: Sequence[Pair], length: int) -> tuple[Pair, ...]:
    """The same headers stating `length`, in place where a length was stated."""
    stated = (b"content-length", str(length).encode())
    if not values(headers, b"content-length"):
        return (*headers, stated)
    return tuple((key, stated[1]) if key.lower() == b"content-length" else (key, value) for key, value in headers)


def for_reading(headers: Sequence[Pair]) -> tuple[Pair, ...]:
    """Headers of a request whose answer is looked into on its way: it comes in no content coding."""
    return (*(pair for pair in headers if pair[0].lower() != b"accept-encoding"), (b"accept-encoding", b"identity"))


def for_edited(headers: Sequence[Pair], length: int) -> tuple[Pair, ...]:
    """Headers of a request whose body was edited: sent decoded, with its own length."""
    dropped = BODY_DIGESTS | {b"content-encoding"}
    return with_length(tuple(pair for pair in headers if pair[0].lower() not in dropped), length)

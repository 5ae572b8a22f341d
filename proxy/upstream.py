"""Upstreams: where a request may go, and the transports that take it there.

Rules of this room: the host comes from configuration and from nowhere else; a transport is handed an
origin and a request target that are never parsed together again (one URL parser: axios
CVE-2026-120630). Redirects are not followed, cookies are not kept, the environment is not asked for
proxies, TLS is verified, nothing is retried, no header is added.
It must not know dialects, plans or what is in a body.
"""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import httpx

from proxy.headers import Pair

CONNECTIONS = 1000
"""At once to one upstream; a request beyond them waits `Timeouts.pool` seconds for one."""

KEEPALIVE = 30.0
"""Seconds that an idle connection is kept: shorter than the minute of common load balancers, so that
a request seldom meets a connection that is just being closed."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, each for one phase."""

    connect: float = 10.0
    pool: float = 10.0
    write: float = 60.0
    """A pause in a body on its way up."""
    first_byte: float = 600.0
    """From the request's start (or the end of a streamed body) to the answer's headers."""
    idle: float = 300.0
    """A pause in the answer, whichever side causes it."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One configured destination. Raises ValueError for a URL that is more than an origin and a path."""

    name: str
    url: str
    dialect: str | None = None
    profile: str | None = None
    http2: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)
    ca_file: str | None = None
    """Authorities of one's own, in PEM form, that count besides the public ones."""
    tenant: Literal["credential", "upstream"] = "credential"
    """What tells tenants apart: the credential, or nothing, where all who reach this upstream are one."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"upstream `{self.name}` needs a URL like https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"the URL of upstream `{self.name}` must not hold a credential")
        if parts.query or parts.fragment or "?" in self.url or "#" in self.url:
            raise ValueError(f"the URL of upstream `{self.name}` must not hold a query or fragment")
        if parts.port == 0:
            raise ValueError(f"the URL of upstream `{self.name}` has port 0")

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def base_path(self) -> bytes:
        """Of the URL, without a closing slash."""
        return urlsplit(self.url).path.rstrip("/").encode("ascii")


class WholeBody(httpx.AsyncByteStream):
    """A body that is in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data


class PassingBody(httpx.AsyncByteStream):
    """A body on its way through, read once."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.chunks:
            yield chunk


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it leaves. `headers` without Host; `target` is the raw path and query."""

    method: str
    target: bytes
    headers: tuple[Pair, ...]
    body: httpx.AsyncByteStream | None


class Pool:
    """One upstream's origin and its pooled connections."""

    def __init__(
        self, upstream: Upstream, transport: httpx.AsyncBaseTransport, trusted: ssl.SSLContext | None = None
    ) -> None:
        self.upstream = upstream
        self._trusted = trusted
        self._transport = transport
        self._origin = httpx.URL(upstream.origin)
        self._host = (b"host", self._origin.netloc)
        timeouts = upstream.timeouts
        self._timeout = {"connect": timeouts.connect, "pool": timeouts.pool, "write": timeouts.write, "read": None}

    @property
    def tls(self) -> ssl.SSLContext:
        """Whose certificates count for a connection outside the pool."""
        self._trusted = self._trusted or authorities(self.upstream.ca_file)
        return self._trusted

    async def send(self, outgoing: Outgoing) -> httpx.Response:
        """The answer's head; its body is still to be read, raw. Raises httpx.TransportError."""
        request = httpx.Request(
            outgoing.method,
            self._origin,
            headers=[self._host, *outgoing.headers],
            stream=outgoing.body or httpx.ByteStream(b""),
            extensions={"target": outgoing.target, "timeout": self._timeout},
        )
        return await self._transport.handle_async_request(request)

    async def close(self) -> None:
        await self._transport.aclose()


def open_transport(upstream: Upstream, trusted: ssl.SSLContext | None = None) -> httpx.AsyncBaseTransport:
    """aiohttp for HTTP/1.1 (several times the throughput: bench/relay.py); httpx's own where HTTP/2 is asked for.

    `trusted`: whose certificates count, where that is not what the upstream says."""
    verify = trusted or authorities(upstream.ca_file)
    limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEPALIVE)
    if upstream.http2:
        return httpx.AsyncHTTPTransport(verify=verify, http2=True, trust_env=False, limits=limits)
    from proxy.transport import RawTransport

    return RawTransport(verify=verify, trust_env=False, limits=limits)


def authorities(ca_file: str | None) -> ssl.SSLContext:
    """Whose certificates count: the public authorities that httpx brings, and those of a file."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def open_pools(upstreams: tuple[Upstream, ...], trusted: ssl.SSLContext | None = None) -> Mapping[str, Pool]:
    return {upstream.name: Pool(upstream, open_transport(upstream, trusted), trusted) for upstream in upstreams}

"""From a destination to an upstream: which connections are decrypted, and what a request on one is.

Rules of this room: pure. A host is a provider because configuration says so; where a request goes is never changed
here, so a URL counts by scheme, host and port, and by its path as a prefix: the longest that fits.
It must not know mitmproxy.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from proxy.dialects import Dialect
from proxy.routes import Route, Routes
from proxy.upstream import Upstream

PORTS = {"http": 80, "https": 443}


class Targets:
    def __init__(self, upstreams: Sequence[Upstream], dialects: Sequence[Dialect]) -> None:
        self._routes = Routes(upstreams, dialects)
        self._at: dict[tuple[str, str, int], list[Upstream]] = {}
        for upstream in sorted(upstreams, key=lambda each: len(each.base_path), reverse=True):
            self._at.setdefault(_origin(upstream), []).append(upstream)
        self._addresses = frozenset((host, port) for _, host, port in self._at)

    def decrypts(self, host: str, port: int) -> bool:
        """Whether a tunnel to this address is opened."""
        return (host.lower(), port) in self._addresses

    def find(self, scheme: str, host: str, port: int, target: bytes) -> Route | None:
        """The upstream of a request, with its path below that; None for what no configured URL covers."""
        path = target.partition(b"?")[0]
        for upstream in self._at.get((scheme, host.lower(), port), ()):
            if path.startswith(upstream.base_path + b"/"):
                return Route(upstream, path.removeprefix(upstream.base_path).decode("latin-1"), target)
        return None

    def dialect(self, route: Route, method: str) -> Dialect | None:
        """The dialect in which a request creates a model answer, if it does."""
        return self._routes.dialect(route, method)

    def hosts(self) -> tuple[str, ...]:
        """As a person reads them, in the order of the addresses."""
        return tuple(host if port in PORTS.values() else f"{host}:{port}" for host, port in sorted(self._addresses))


def _origin(upstream: Upstream) -> tuple[str, str, int]:
    parts = urlsplit(upstream.url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]

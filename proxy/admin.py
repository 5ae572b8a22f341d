"""The admin port: metrics, probes, and whatever is mounted behind them.

Rules of this room: a web page in the user's browser is hostile (DNS rebinding), so only listed Host
names are answered, a request with a foreign Origin is refused, and no CORS header is ever sent. With a
token, everything but the probes asks for it; without one, only loopback addresses may be bound.
It must not know what is mounted.
"""

import hmac
import ipaddress
import logging
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from proxy.downstream import Downstream
from proxy.errors import ConfigError
from proxy.headers import Pair, first
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits, refusal
from proxy.probes import Ready, always_ready, probe

log = logging.getLogger("holdfast.admin")

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
TEXT: Pair = (b"content-type", b"text/plain; charset=utf-8")

Exposition = Callable[[str], tuple[bytes, str]]
"""From an Accept header to a body and its content type."""


def check_binding(host: str, token: str) -> None:
    """Raises ConfigError where the admin port would be open to a network without a token."""
    if token or host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(f"the admin port on `{host}` needs a token", help="set one, or bind 127.0.0.1")


class AdminApp:
    def __init__(
        self,
        exposition: Exposition,
        *,
        mounted: ASGIApp | None = None,
        ready: Ready = always_ready,
        lifecycle: Lifecycle | None = None,
        hosts: Sequence[str] = (),
        token: str = "",
    ) -> None:
        self._exposition, self._mounted, self._ready = exposition, mounted, ready
        self._lifecycle = lifecycle or Lifecycle()
        self._hosts = frozenset(name.lower() for name in (*LOOPBACK_NAMES, *hosts))
        self._token = token.encode()
        self._limits = Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"`{scope['type']}` is not served")
        downstream = Downstream(scope, receive, send, self._limits, self._lifecycle.closing)
        if problem := self._problem(downstream):
            log.warning("refused with %d: %s", *problem)
            await downstream.reply(problem[0], (TEXT,), problem[1].encode() + b"\n")
        elif probed := await probe(downstream.raw_path, self._ready, self._lifecycle):
            await downstream.reply(probed[0], (TEXT,), probed[1].encode() + b"\n")
        elif not self._authorised(downstream.headers):
            challenge = (b"www-authenticate", b"Bearer")
            await downstream.reply(401, (TEXT, challenge), b"the admin token is required\n")
        elif downstream.raw_path == b"/metrics":
            await self._expose(downstream)
        elif self._mounted is not None:
            await self._mounted(scope, receive, send)
        else:
            await downstream.reply(404, (TEXT,), b"not found\n")

    def _problem(self, downstream: Downstream) -> tuple[int, str] | None:
        if refused := refusal(downstream.method, downstream.raw_path, downstream.headers, self._limits):
            return refused.status, refused.message
        host = first(downstream.headers, b"host")
        if _name(host) not in self._hosts:
            return 421, "this Host is not served here"
        origin = first(downstream.headers, b"origin")
        if origin and origin.partition(b"://")[2].lower() != host.lower():
            return 403, "requests from other origins are refused"
        return None

    def _authorised(self, headers: Sequence[Pair]) -> bool:
        if not self._token:
            return True
        return hmac.compare_digest(first(headers, b"authorization"), b"Bearer " + self._token)

    async def _expose(self, downstream: Downstream) -> None:
        body, kind = self._exposition(first(downstream.headers, b"accept").decode("latin-1"))
        await downstream.reply(200, ((b"content-type", kind.encode("latin-1")),), body)


def _name(host: bytes) -> str:
    """Without the port."""
    text = host.decode("latin-1").lower()
    return text[: text.index("]") + 1] if text.startswith("[") and "]" in text else text.partition(":")[0]

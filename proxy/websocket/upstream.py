"""The upstream's connection: the opening handshake, as the agent asked for it.

Rules of this room: the host comes from the configured upstream and TLS is as for HTTP; no redirect is followed, no
proxy of the environment is used, nothing is retried, no header is added that the handshake does not need. A refusal is
a value with all that it said. It must not know dialects.
"""

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from proxy.errors import UpstreamError
from proxy.headers import Pair
from proxy.upstream import Pool
from proxy.websocket import library
from proxy.websocket.library import CLOSE_SECONDS, DEFLATE, QUEUED, QUIET, WINDOW_BITS

ANSWER_SECONDS = 30.0
"""For the answer to a handshake; Codex itself waits 15."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What the agent asks for. `headers` without those of the handshake itself."""

    target: bytes
    headers: tuple[Pair, ...]
    subprotocols: tuple[str, ...]
    compressed: bool
    """Whether the agent offered compression: then it is offered here."""
    max_size: int
    """Bytes of one message from the upstream."""


class Refused(Exception):
    """The upstream answered, and not with a WebSocket."""

    def __init__(self, status: int, reason: bytes, headers: tuple[Pair, ...], body: bytes) -> None:
        self.status, self.reason, self.headers, self.body = status, reason, headers, body
        super().__init__(f"refused with {status}")


class _Handshake(ClientProtocol):
    """With the request's target as received."""

    target = "/"

    def connect(self) -> Request:
        return Request(self.target, super().connect().headers)


async def connect(pool: Pool, opening: Opening) -> ClientConnection:
    """An open connection. Raises Refused, or UpstreamError where there is no answer or none that makes sense."""
    name = pool.upstream.name
    try:
        connection = await _connected(pool, opening)
        try:
            async with asyncio.timeout(min(ANSWER_SECONDS, pool.upstream.timeouts.first_byte)):
                headers = [(key.decode("ascii"), value.decode("latin-1")) for key, value in opening.headers]
                await connection.handshake(headers, user_agent_header=None)
        except BaseException:
            connection.transport.abort()
            raise
    except InvalidStatus as answered:
        raise _refused(answered) from answered
    except TimeoutError as error:
        raise UpstreamError(f"upstream `{name}`: no WebSocket in time", status=504) from error
    except InvalidHandshake as error:
        raise UpstreamError(f"upstream `{name}`: not a WebSocket handshake: {type(error).__name__}") from error
    except (OSError, ValueError) as error:
        raise UpstreamError(f"upstream `{name}`: cannot connect: {_why(error)}") from error
    connection.start_keepalive()
    return connection


async def _connected(pool: Pool, opening: Opening) -> ClientConnection:
    parts = urlsplit(pool.upstream.origin)
    secure = parts.scheme == "https"
    uri = WebSocketURI(secure, parts.hostname or "", parts.port or (443 if secure else 80), "", "")
    protocol = _Handshake(
        uri,
        extensions=[_deflate()] if opening.compressed else None,
        subprotocols=[Subprotocol(name) for name in opening.subprotocols] or None,
        max_size=opening.max_size,
        logger=QUIET,
    )
    protocol.target = opening.target.decode("ascii")
    async with asyncio.timeout(pool.upstream.timeouts.connect):
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: ClientConnection(
                protocol,
                ping_interval=library.PING_SECONDS,
                ping_timeout=None,
                close_timeout=CLOSE_SECONDS,
                max_queue=QUEUED,
            ),
            uri.host,
            uri.port,
            ssl=pool.tls if secure else None,
            server_hostname=uri.host if secure else None,
        )
    return connection


def _deflate() -> ClientPerMessageDeflateFactory:
    return ClientPerMessageDeflateFactory(
        server_max_window_bits=WINDOW_BITS, client_max_window_bits=WINDOW_BITS, compress_settings=DEFLATE
    )


def _refused(error: InvalidStatus) -> Refused:
    answer = error.response
    headers = tuple((key.encode("ascii"), value.encode("latin-1")) for key, value in answer.headers.raw_items())
    return Refused(answer.status_code, answer.reason_phrase.encode("latin-1"), headers, bytes(answer.body))


def _why(error: OSError | ValueError) -> str:
    """Without addresses or headers."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or type(error).__name__}"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__

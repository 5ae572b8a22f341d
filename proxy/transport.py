"""httpx's interface over aiohttp's connections, raw in both directions.

`httpx_aiohttp.AiohttpTransport` lends its construction and its place in httpx. How it sends is
replaced, because it (0.2.0) would: re-quote the path, merge repeated headers, add Accept,
Accept-Encoding and User-Agent, state a length where there is no body, keep one tenant's cookies for the
next, and report a lost connection as a connect timeout. Rules of this room: bytes in, bytes out, an
httpx.TransportError on failure. It must not know upstreams or their configuration.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from multidict import CIMultiDict
from yarl import URL

HEAD_LIMIT = 64 * 1024
"""Bytes in one line of an answer's head; aiohttp's 8,190 is less than some policies' headers."""

ADDED_BY_DEFAULT = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


@contextlib.contextmanager
def as_httpx_errors() -> Iterator[None]:
    """aiohttp's failures by what happened; messages never repeat headers."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout("no connection in time") from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(f"cannot connect: {error.strerror or type(error.os_error).__name__}") from error
    except aiohttp.ServerTimeoutError as error:
        raise httpx.ReadTimeout("no answer in time") from error
    except aiohttp.ClientPayloadError as error:
        raise httpx.ReadError("the answer broke off") from error
    except aiohttp.ClientConnectionError as error:
        raise httpx.ReadError("the connection was lost") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise httpx.RemoteProtocolError(f"not a valid exchange: {type(error).__name__}") from error


class RawStream(httpx.AsyncByteStream):
    """An answer's body as it arrives: what is there, at once, still encoded."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with as_httpx_errors():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        # a connection with unread bytes on it is closed, one that was read to its end goes back to the pool
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class RawRequest(aiohttp.ClientRequest):
    """Without the `Content-Length: 0` that aiohttp states for a DELETE or a POST that has no body."""

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        if body is not None:
            super().update_body_from_data(body, _stacklevel)


class RawTransport(AiohttpTransport):
    """See the module."""

    def _session(self) -> aiohttp.ClientSession:
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self.limits.max_connections or 0,
                    keepalive_timeout=self.limits.keepalive_expiry,
                    ssl=self.ssl_context,
                ),
                request_class=RawRequest,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=ADDED_BY_DEFAULT,
                trust_env=False,
                max_line_size=HEAD_LIMIT,
                max_field_size=HEAD_LIMIT,
                max_headers=1000,
            )
            # aiohttp would resend GET, PUT and DELETE by itself when a kept connection turns out dead
            self.client._retry_connection = False
            # nor would it send the first of `X-A: 1` and `x-a: 2`
            self.client._prepare_headers = CIMultiDict  # type: ignore[method-assign,assignment]
        return self.client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout = request.extensions["timeout"]
        with as_httpx_errors():
            response = await self._session().request(
                request.method,
                _url(request),
                headers=_headers(request),
                data=_data(request),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=timeout["pool"] + timeout["connect"], sock_connect=timeout["connect"]
                ),
            )
        return httpx.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=RawStream(response),
            extensions={"reason_phrase": (response.reason or "").encode("utf-8", "surrogateescape")},
        )


def _url(request: httpx.Request) -> URL:
    """The origin with the target's bytes: `encoded` keeps yarl from touching them."""
    target, origin = request.extensions["target"].decode("ascii"), request.url
    return URL.build(scheme=origin.scheme, host=origin.host, port=origin.port, path=target, encoded=True)


def _headers(request: httpx.Request) -> CIMultiDict[str]:
    # aiohttp writes headers as UTF-8: decoding them so gives the same bytes back
    try:
        return CIMultiDict((name.decode(), value.decode()) for name, value in request.headers.raw)
    except UnicodeDecodeError as error:
        raise httpx.LocalProtocolError("a header is not UTF-8") from error


def _data(request: httpx.Request) -> bytes | httpx.AsyncByteStream | None:
    """The body's bytes where they are in memory: one write, with their length."""
    stream = request.stream
    if isinstance(stream, httpx.ByteStream):
        return None
    data = getattr(stream, "data", None)
    if isinstance(data, bytes):
        return data
    assert isinstance(stream, httpx.AsyncByteStream)
    return stream

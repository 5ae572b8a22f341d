"""A configured destination is an origin and a path, and the transport takes nothing from elsewhere."""

import pytest

from proxy.upstream import Outgoing, Pool, Upstream, open_transport
from tests.proxy.running import scenario
from tests.proxy.wire import json_answer, upstream


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host",
        "host:80",
        "https://",
        "https://user:secret@host",
        "https://@host",
        "https://host/?a=b",
        "https://host/#x",
        "https://host?",
        "https://host:0",
    ],
)
def test_a_url_with_more_or_less_than_an_origin_and_a_path_is_refused(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        Upstream("a", url)
    assert "secret" not in str(caught.value)


def test_a_path_of_its_own_comes_before_the_requests() -> None:
    assert Upstream("a", "https://host/base/").base_path == b"/base"
    assert Upstream("a", "https://host:8443").origin == "https://host:8443"


@pytest.mark.parametrize("http2", [False, True])
@scenario
async def test_a_transport_adds_nothing_and_asks_no_environment_for_a_proxy(http2: bool) -> None:
    # HTTP/2 is agreed on in the TLS handshake: without TLS this transport speaks HTTP/1.1
    async with upstream(json_answer()) as up:
        destination = Upstream("a", up.url, http2=http2)
        pool = Pool(destination, open_transport(destination))
        headers = ((b"X-One", b"1"), (b"x-two", b"2"), (b"X-One", b"3"))
        response = await pool.send(Outgoing("GET", b"//a/../b%2f?q=\"'", headers, None))
        assert await response.aread() == b"{}"
        await response.aclose()
        await pool.close()
        seen = up.requests[0]
        assert seen.line == b"GET //a/../b%2f?q=\"' HTTP/1.1"
        assert seen.headers == [(b"host", b"127.0.0.1:%d" % up.port), *headers]

"""The admin port answers its owner and no web page (reliability test d)."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from proxy.admin import AdminApp, check_binding
from proxy.errors import ConfigError
from proxy.lifecycle import Lifecycle
from tests.proxy.running import scenario

Sent = list[MutableMapping[str, Any]]


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def app(**named: Any) -> AdminApp:
    return AdminApp(lambda accept: (b"metric 1\n", accept or "text/plain"), mounted=mounted, **named)


async def ask(app: AdminApp, path: str = "/metrics", host: str = "localhost:8788", **headers: str) -> tuple[int, Sent]:
    pairs = [(b"host", host.encode()), *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())]
    scope = {"type": "http", "method": "GET", "raw_path": path.encode(), "query_string": b"", "headers": pairs}
    sent: Sent = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], sent


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8788", "127.0.0.1:1", "[::1]:8788", "box.lan"])
@scenario
async def test_listed_hosts_are_answered(host: str) -> None:
    status, sent = await ask(app(hosts=("box.lan",)), host=host)
    assert status == 200 and sent[1]["body"] == b"metric 1\n"


@pytest.mark.parametrize("host", ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test:8788", "10.0.0.1"])
@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/api/sessions", "/mcp", "/"])
@scenario
async def test_another_host_name_is_refused_on_every_path(host: str, path: str) -> None:
    assert (await ask(app(), path, host))[0] == 421


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost:3000", "https://localhost.evil.test"])
@pytest.mark.parametrize("path", ["/metrics", "/api/sessions", "/api/reload"])
@scenario
async def test_a_page_of_another_origin_is_refused_and_no_cors_header_is_sent(origin: str, path: str) -> None:
    status, sent = await ask(app(), path, origin=origin)
    assert status == 403
    assert not [name for name, _ in sent[0]["headers"] if name.startswith(b"access-control")]


@scenario
async def test_the_inspectors_own_origin_is_served() -> None:
    assert (await ask(app(), "/api/sessions", origin="http://localhost:8788"))[0] == 299


@scenario
async def test_a_token_guards_everything_but_the_probes() -> None:
    guarded = app(token="t0ken")
    for path in ("/metrics", "/", "/mcp"):
        assert (await ask(guarded, path))[0] == 401
        assert (await ask(guarded, path, authorization="Bearer t0ke"))[0] == 401
        assert (await ask(guarded, path, authorization="Bearer t0ken"))[0] in (200, 299)
    assert (await ask(guarded, "/healthz"))[0] == 200


@scenario
async def test_readiness_is_false_while_draining() -> None:
    lifecycle = Lifecycle()
    assert (await ask(app(lifecycle=lifecycle), "/readyz"))[0] == 200
    lifecycle.drain()
    status, sent = await ask(app(lifecycle=lifecycle), "/readyz")
    assert status == 503 and (b"connection", b"close") in sent[0]["headers"]


@scenario
async def test_without_anything_mounted_other_paths_are_not_found() -> None:
    assert (await ask(AdminApp(lambda accept: (b"", accept)), "/x"))[0] == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "box.lan"])
def test_an_open_admin_port_needs_a_token(host: str) -> None:
    check_binding(host, "token")
    with pytest.raises(ConfigError):
        check_binding(host, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_loopback_admin_port_needs_none(host: str) -> None:
    check_binding(host, "")


@scenario
async def test_a_malformed_request_is_refused_before_its_host_is_believed() -> None:
    assert (await ask(app(), host="localhost/evil"))[0] == 400
    with pytest.raises(ValueError):
        await app()({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

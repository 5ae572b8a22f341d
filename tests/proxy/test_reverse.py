"""TRANSPARENT and FAIL-OPEN, seen from both sockets."""

import asyncio
import gzip
import zlib
from collections.abc import MutableMapping
from typing import Any, cast

import brotlicffi  # type: ignore[import-untyped]
import pytest
from backports import zstd

from policies.core.usage import Usage
from proxy import exchange
from proxy.limits import Limits
from proxy.reverse import ReverseProxy
from proxy.routes import Routes
from proxy.upstream import Upstream, open_pools
from tests.proxy.running import BrokenReader, Driver, dialects, proxy, scenario
from tests.proxy.wire import Reply, agent, answering, json_answer, request, upstream

BODY = b'{"model" : "m", "n":1.0e5, "n":2, "x":"\\ud800"}'


async def ask(port: int, *sent: bytes, method: bytes = b"POST") -> Reply:
    async with agent(port) as client:
        for data in sent:
            await client.send(data)
        return await client.reply(method=method)


@scenario
async def test_a_request_that_is_not_edited_is_the_same_bytes_upstream() -> None:
    extra = (
        b"X-Api-Key: k\r\nAccept: */*\r\nx-a: 1\r\nX-B: 2\r\nx-a: 3\r\nX-A: 4\r\n"
        b"cookie: a=1\r\ncookie: b=2\r\nx-\xc3\xa9: no\r\n".replace(b"x-\xc3\xa9: no\r\n", b"x-utf: \xc3\xa9\r\n")
    )
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        sent = request(b"/v1/messages?beta=true&x=%2F+%20&&y", BODY, extra=extra)
        await ask(running.port, sent)
        seen = up.requests[0]
        assert seen.head + seen.body == sent.replace(b"host: proxy", b"host: 127.0.0.1:%d" % up.port)


@pytest.mark.parametrize(
    "target",
    [b"/v1/models?", b"/a/../b", b"/v1//x/./y", b"/%2e%2e/%2F?q=%00#", b"/v1/x?a=b?c=/d", b"/~!$&'()*+,;=:@|^`"],
)
@scenario
async def test_path_and_query_reach_the_upstream_as_received(target: bytes) -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("openai", up.url + "/base")) as running:
        await ask(running.port, request(target, method=b"GET"))
        assert up.requests[0].line == b"GET /base" + target.partition(b"#")[0] + b" HTTP/1.1"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"PURGE"])
@scenario
async def test_a_request_without_a_body_passes_with_the_length_it_states_or_none(method: bytes) -> None:
    async with (
        upstream(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) as up,
        proxy(Upstream("openai", up.url)) as running,
    ):
        for length in (b"", b"content-length: 0\r\n"):
            sent = b"%b /v1/files/f HTTP/1.1\r\nhost: proxy\r\n%b\r\n" % (method, length)
            assert (await ask(running.port, sent, method=method)).status == 200
            assert up.requests[-1].head == sent.replace(b"proxy", b"127.0.0.1:%d" % up.port)


@scenario
async def test_connection_headers_and_those_it_nominates_stay_on_their_connection() -> None:
    extra = (
        b"Connection: X-Secret, keep-alive\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n"
        b"Proxy-Authorization: Basic x\r\nx-holdfast-session: s\r\nX-Holdfast-Policy: off\r\nx-kept: 1\r\n"
    )
    answer = json_answer(extra=b"Connection: x-hop\r\nx-hop: 1\r\nKeep-Alive: timeout=9\r\nX-End: 1\r\n")
    async with upstream(answer) as up, proxy(Upstream("anthropic", up.url)) as running:
        reply = await ask(running.port, request(extra=extra))
        assert [name for name, _ in up.requests[0].headers] == [b"host", b"x-kept", b"content-length"]
        assert [name for name, _ in reply.headers][:3] == [b"content-type", b"content-length", b"X-End"]


@scenario
async def test_an_answers_head_keeps_reason_order_case_and_duplicates() -> None:
    head = (
        b"HTTP/1.1 429 Slow D\xc3\xb6wn \xff\r\nServer: x\r\nSet-Cookie: a=1; Path=/\r\nX-Thing: 1\r\n"
        b"set-cookie: b=2\r\nDate: never\r\nContent-Type: application/json\r\ncontent-length: 2\r\n"
    )
    async with upstream(answering(head + b"\r\n{}")) as up, proxy(Upstream("anthropic", up.url)) as running:
        reply = await ask(running.port, request())
        assert reply.head == head + b"x-holdfast-turn: 1\r\n\r\n"
        assert reply.body == b"{}"


@scenario
async def test_cookies_of_one_agent_never_travel_with_another() -> None:
    answer = json_answer(extra=b"set-cookie: session=canary; Path=/\r\n")
    async with upstream(answer) as up, proxy(Upstream("anthropic", up.url)) as running:
        await ask(running.port, request())
        await ask(running.port, request())
        assert b"canary" not in up.requests[1].head


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@scenario
async def test_answers_without_a_body_leave_the_connection_usable(status: bytes) -> None:
    script = answering(b"HTTP/1.1 %b\r\netag: x\r\n\r\n" % status)
    async with upstream(script) as up, proxy(Upstream("openai", up.url)) as running, agent(running.port) as client:
        for _ in range(2):
            await client.send(request(b"/v1/models", method=b"GET"))
            reply = await client.reply(method=b"GET")
            assert reply.status == int(status[:3]) and reply.values(b"etag") == [b"x"]
        assert up.connections == 1


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", b"200 OK"), (b"GET", b"304 Not Modified")])
@scenario
async def test_a_length_stated_without_a_body_is_kept(method: bytes, status: bytes) -> None:
    script = answering(b"HTTP/1.1 %b\r\ncontent-length: 1234\r\n\r\n" % status)
    async with upstream(script) as up, proxy(Upstream("openai", up.url)) as running, agent(running.port) as client:
        for _ in range(2):
            await client.send(request(b"/v1/models", method=method))
            assert (await client.reply(method=b"HEAD")).values(b"content-length") == [b"1234"]


@scenario
async def test_interim_answers_of_the_upstream_do_not_end_the_exchange() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    async with upstream(answering(interim + final)) as up, proxy(Upstream("openai", up.url)) as running:
        assert (await ask(running.port, request(b"/v1/models", method=b"GET"))).status == 200


@scenario
async def test_a_body_announced_with_expect_is_asked_for_and_relayed() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            head, body = request(body=BODY, extra=b"expect: 100-continue\r\n").split(b"\r\n\r\n")
            await client.send(head + b"\r\n\r\n")
            assert (await client.head()).status == 100
            await client.send(body)
            assert (await client.reply()).status == 200
        assert up.requests[0].body == BODY
        assert not up.requests[0].values(b"expect")


@scenario
async def test_redirects_are_relayed_and_not_followed() -> None:
    async with upstream(json_answer()) as other:
        location = b"location: %b/steal\r\n" % other.url.encode()
        script = json_answer(status=b"307 Temporary Redirect", extra=location)
        async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running:
            reply = await ask(running.port, request(extra=b"authorization: Bearer canary\r\n"))
            assert reply.status == 307 and reply.values(b"location")
            assert len(up.requests) == 1 and not other.requests


@scenario
async def test_chunked_bodies_reach_the_upstream_whole() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        chunked = b"host: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        for path in (b"/v1/messages", b"/v1/files"):
            reply = await ask(running.port, b"POST " + path + b" HTTP/1.1\r\nx-api-key: k\r\n" + chunked)
            assert reply.status == 200
        planned, passing = up.requests
        assert planned.body == passing.body == b"hello world"
        assert planned.values(b"content-length") == [b"11"] and not planned.values(b"transfer-encoding")
        assert passing.values(b"transfer-encoding") == [b"chunked"] and not passing.values(b"content-length")


@scenario
async def test_a_body_that_nothing_looks_into_keeps_its_stated_length() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("openai", up.url)) as running:
        body = b"x" * 300_000
        assert (await ask(running.port, request(b"/v1/files", body))).status == 200
        assert up.requests[0].body == body
        assert up.requests[0].values(b"content-length") == [b"300000"]


@scenario
async def test_an_edited_body_goes_out_with_its_own_length_and_no_stale_digest() -> None:
    driver = Driver(edit=lambda body: body + b" ")
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url), driver=driver) as running:
        await ask(running.port, request(body=BODY, extra=b"content-digest: sha-256=:x:\r\nx-kept: 1\r\n"))
        seen = up.requests[0]
        assert seen.body == BODY + b" "
        assert [name for name, _ in seen.headers] == [b"host", b"x-kept", b"content-length"]


ENCODED = [
    (b"gzip", gzip.compress(BODY, mtime=0)),
    (b"deflate", zlib.compress(BODY)),
    (b"br", brotlicffi.compress(BODY)),
    (b"zstd", zstd.compress(BODY)),
]


@pytest.mark.parametrize(("coding", "wire"), ENCODED)
@scenario
async def test_an_encoded_body_is_seen_decoded_and_sent_as_it_came(coding: bytes, wire: bytes) -> None:
    extra = b"content-encoding: %b\r\n" % coding
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        await ask(running.port, request(body=wire, extra=extra))
        assert running.driver.requests[0].body == BODY
        assert up.requests[0].body == wire
        assert up.requests[0].values(b"content-encoding") == [coding]


@pytest.mark.parametrize(("coding", "wire"), ENCODED)
@scenario
async def test_an_encoded_body_that_is_edited_goes_out_decoded(coding: bytes, wire: bytes) -> None:
    driver = Driver(edit=lambda body: body + b" ")
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url), driver=driver) as running:
        await ask(running.port, request(body=wire, extra=b"content-encoding: %b\r\n" % coding))
        assert up.requests[0].body == BODY + b" "
        assert not up.requests[0].values(b"content-encoding")


@pytest.mark.parametrize(
    ("coding", "wire", "reason"),
    [
        (b"gzip", b"not gzip", "undecodable_body"),
        (b"gzip", gzip.compress(BODY, mtime=0)[:-4], "undecodable_body"),
        (b"br", b"\xff" * 9, "undecodable_body"),
        (b"zstd", b"\0" * 9, "undecodable_body"),
        (b"lzma", b"x", "unknown_encoding"),
        (b"gzip, br", b"x", "unknown_encoding"),
        (b"gzip", gzip.compress(b"0" * 3_000_000, mtime=0), "decoded_too_large"),
        (b"zstd", zstd.compress(b"0" * 3_000_000), "decoded_too_large"),
    ],
)
@scenario
async def test_a_body_that_cannot_be_decoded_passes_through_and_says_why(
    coding: bytes, wire: bytes, reason: str
) -> None:
    extra = b"content-encoding: %b\r\n" % coding
    limits = Limits(body_bytes=1_000_000)
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url), limits=limits) as running:
        reply = await ask(running.port, request(body=wire, extra=extra))
        assert up.requests[0].body == wire and up.requests[0].values(b"content-encoding") == [coding]
        assert reply.values(b"x-holdfast-passthrough") == [reason.encode()]
        assert not running.driver.requests
        await running.driver.settling.wait()
        assert running.driver.passed_through_reasons == [reason]


@pytest.mark.parametrize("framing", ["stated", "chunked"])
@scenario
async def test_a_body_over_the_bound_is_refused_in_the_dialects_shape_and_the_connection_closed(framing: str) -> None:
    body = b"x" * 200_000
    sent = request(body=body)
    if framing == "chunked":
        sent = b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            len(body),
            body,
        )
    async with (
        upstream(json_answer()) as up,
        proxy(Upstream("anthropic", up.url), limits=Limits(body_bytes=100_000)) as running,
        agent(running.port) as client,
    ):
        await client.send(sent + request(b"/v1/messages/smuggled"))
        reply = await client.reply()
        assert reply.status == 413 and b'"shape":"anthropic_messages"' in reply.body
        assert reply.values(b"connection") == [b"close"] and await client.closed()
        assert not up.requests


@scenario
async def test_an_agent_still_sending_can_read_an_early_refusal() -> None:
    async with (
        upstream(json_answer()) as up,
        proxy(Upstream("anthropic", up.url), limits=Limits(body_bytes=1000)) as running,
        agent(running.port) as client,
    ):
        await client.send(b"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: 900000\r\n\r\n")
        assert (await client.reply()).status == 413
        await client.send(b"x" * 900_000)
        assert await client.closed()


@scenario
async def test_usage_is_settled_after_the_answer_whatever_its_form() -> None:
    stream = b'data: {"input_tokens":7}\n\n'
    plain = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(stream) + stream
    packed = gzip.compress(b'{"input_tokens":8}', mtime=0)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
    for answer, tokens in ((plain, 7), (head % len(packed) + packed, 8), (json_answer, None)):
        script = answering(answer) if isinstance(answer, bytes) else json_answer(b'{"no":1}')
        async with upstream(script) as up, proxy(Upstream("anthropic", up.url)) as running:
            await ask(running.port, request())
            await running.driver.settling.wait()
            assert running.driver.settled == [(Usage(input=tokens) if tokens else None, 200)]


@scenario
async def test_a_faulty_reader_leaves_the_answer_alone() -> None:
    stream = b"data: 1\n\n" * 1000
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(stream)
    async with (
        upstream(answering(head + stream)) as up,
        proxy(Upstream("anthropic", up.url), reader=BrokenReader) as running,
    ):
        reply = await ask(running.port, request())
        assert reply.body == stream and reply.whole


@scenario
async def test_a_failed_answer_is_settled_with_its_status() -> None:
    async with upstream(json_answer(status=b"529 Overloaded")) as up, proxy(Upstream("anthropic", up.url)) as running:
        assert (await ask(running.port, request())).status == 529
        await running.driver.settling.wait()
        assert running.driver.settled == [(None, 529)]
        assert running.recorder.exchanges[0].status == 529


@scenario
async def test_what_the_driver_is_given_names_tenant_session_and_agent() -> None:
    extra = b"x-api-key: secret\r\nuser-agent: claude-cli/2.1 (x)\r\nx-claude-code-session-id: s\r\n"
    async with upstream(json_answer()) as up, proxy(Upstream("main", up.url, "anthropic_messages")) as running:
        await ask(running.port, request(b"/main/v1/messages?key=k", BODY, extra=extra))
        seen = running.driver.requests[0]
        assert (seen.upstream, seen.path, seen.session, seen.agent) == ("main", "/v1/messages", "s", "claude-code")
        assert seen.credential == b"x-api-key=secret\0key=k" and seen.body == BODY


@scenario
async def test_probes_are_answered_here() -> None:
    async def not_ready() -> str:
        return "store: locked"

    async with upstream(json_answer()) as up, proxy(Upstream("openai", up.url), ready=not_ready) as running:
        assert (await ask(running.port, request(b"/healthz", method=b"GET"))).status == 200
        reply = await ask(running.port, request(b"/readyz", method=b"GET"))
        assert (reply.status, reply.body) == (503, b"store: locked\n")
        assert not up.requests


@scenario
async def test_half_a_websocket_handshake_is_refused() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("openai", up.url)) as running:
        for method, extra in ((b"GET", b""), (b"POST", b"connection: Upgrade\r\n")):
            sent = request(b"/v1/responses", method=method, extra=extra + b"upgrade: websocket\r\n")
            assert (await ask(running.port, sent)).status == 400
        assert not up.requests


@scenario
async def test_without_an_upstream_a_path_is_not_found() -> None:
    async with proxy() as running:
        assert (await ask(running.port, request())).status == 404
        assert running.recorder.refusals == [404]


@scenario
async def test_an_unobserved_proxy_is_the_same_proxy_behind_any_asgi_server() -> None:
    """Without the server's extension, headers are lower case and all else is as it was."""
    sent: list[MutableMapping[str, Any]] = []
    incoming = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if incoming:
            return incoming.pop()
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "raw_path": b"/v1/messages", "query_string": b""}
    async with upstream(json_answer()) as up:
        destination = Upstream("anthropic", up.url)
        app = ReverseProxy(
            Routes((destination,), dialects()),
            open_pools((destination,)),
            cast(exchange.Context, None),
            lambda: 0.0,
            prepare=Driver().prepare,
            settle=Driver().settle,
        )
        await app({**scope, "headers": [(b"host", b"h"), (b"content-length", b"2")]}, receive, send)
        await app({**scope, "headers": []}, receive, send)
        await app.close(1)
    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [200, 400]
    with pytest.raises(ValueError):
        await app({"type": "lifespan"}, receive, send)


@scenario
async def test_a_bodiless_request_that_is_recognised_is_prepared_too() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        assert (await ask(running.port, b"POST /v1/messages HTTP/1.1\r\nhost: h\r\n\r\n")).status == 200
        assert running.driver.requests[0].body == b"" and up.requests[0].values(b"content-length") == [b"0"]


@scenario
async def test_an_http_1_0_client_is_answered_and_hung_up_on() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
        async with agent(running.port) as client:
            await client.send(b"POST /v1/messages HTTP/1.0\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}")
            reply = await client.reply()
            assert reply.status == 200 and reply.body == b"{}" and await client.closed()
        assert up.requests[0].line == b"POST /v1/messages HTTP/1.1"


@scenario
async def test_what_may_be_behind_a_refusal_is_said_in_a_header_and_once_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = json_answer(b'{"error":"theirs"}', status=b"404 Not Found")
    async with upstream(answer) as up, proxy(Upstream("anthropic", up.url)) as running:
        for _ in range(2):
            reply = await ask(running.port, request(b"/v1/v1/messages", extra=b"x-api-key: canary\r\n"))
            hint = b"doubled_version: the client's base URL ends in /v1 and the client adds /v1; "
            assert reply.values(b"x-holdfast-hint") == [hint + b"take /v1 off the client's base URL"]
            assert (reply.status, reply.body) == (404, b'{"error":"theirs"}')
        assert up.requests[0].line == b"POST /v1/v1/messages HTTP/1.1"
        told = [record.getMessage() for record in caplog.records if "perhaps because" in record.getMessage()]
        assert len(told) == 1 and "canary" not in caplog.text


@scenario
async def test_a_key_in_the_wrong_header_travels_as_it_came_and_is_hinted_at() -> None:
    answer = json_answer(status=b"401 Unauthorized")
    async with upstream(answer) as up, proxy(Upstream("openai", up.url)) as running:
        reply = await ask(running.port, request(b"/v1/chat/completions", extra=b"x-api-key: canary\r\n"))
        (hint,) = reply.values(b"x-holdfast-hint")
        assert hint.startswith(b"key_in_wrong_header: ") and b"canary" not in reply.head
        assert up.requests[0].values(b"x-api-key") == [b"canary"]


@scenario
async def test_nothing_is_hinted_at_where_the_provider_said_yes() -> None:
    async with upstream(json_answer()) as up, proxy(Upstream("openai", up.url)) as running:
        reply = await ask(running.port, request(b"/chat/completions", extra=b"x-api-key: k\r\n"))
        assert (reply.status, reply.values(b"x-holdfast-hint")) == (200, [])


@scenario
async def test_whoever_takes_it_for_a_forward_proxy_is_told_what_to_do() -> None:
    async with proxy(Upstream("openai", "http://127.0.0.1:9")) as running:
        reply = await ask(running.port, b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com\r\n\r\n")
        assert reply.status == 400 and b"set the agent's base URL" in reply.body

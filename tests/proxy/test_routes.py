"""Nothing in a request chooses a host that is not configured (reliability test a)."""

import itertools

import pytest

from proxy.headers import Pair
from proxy.routes import OWN_PATHS, RESERVED, Routes
from proxy.upstream import Upstream
from tests.proxy.running import dialects, proxy, scenario
from tests.proxy.wire import agent, json_answer, request, upstream

CONFIGURED = (
    Upstream("local", "http://local.test/base", "openai_chat"),
    Upstream("anthropic", "https://anthropic.test", "anthropic_messages"),
    Upstream("openai", "https://openai.test", "openai_chat"),
    Upstream("gemini", "https://gemini.test", "gemini"),
    Upstream("vertex", "https://vertex.test"),
    Upstream("bedrock", "https://bedrock.test"),
)


def found(path: bytes, *headers: Pair, upstreams: tuple[Upstream, ...] = CONFIGURED) -> tuple[str, bytes]:
    route = Routes(upstreams, dialects()).find(path, None, headers)
    assert route is not None
    return route.upstream.name, route.target


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        (b"/v1/messages", (), "anthropic"),
        (b"/v1/messages/count_tokens", (), "anthropic"),
        (b"/v1/chat/completions", (), "openai"),
        (b"/v1/responses/compact", (), "openai"),
        (b"/v1beta/models/m:generateContent", (), "gemini"),
        (b"/v1/models", (), "openai"),
        (b"/v1/models", ((b"authorization", b"Bearer x"),), "openai"),
        (b"/v1/models", ((b"anthropic-version", b"2023-06-01"),), "anthropic"),
        (b"/v1/files", ((b"x-api-key", b"k"),), "anthropic"),
        (b"/v1/files", ((b"x-goog-api-key", b"k"),), "gemini"),
        (b"/", ((b"user-agent", b"Bun/1.4.0"),), "anthropic"),
        (b"/", (), "openai"),
        (b"/v1/messagesque", (), "openai"),
        (b"/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", (), "vertex"),
        (b"/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent", (), "vertex"),
        (b"/v1beta1/publishers/google/models/m:streamGenerateContent", (), "vertex"),
        (b"/v1/publishers/google/models/m:generateContent", (), "vertex"),
        (b"/v1/projects/p/roles", (), "openai"),
        (b"/model/us.anthropic.claude-opus-5-v1%3A0/converse", (), "bedrock"),
        (b"/async-invoke", ((b"authorization", b"AWS4-HMAC-SHA256 Credential=x"),), "bedrock"),
    ],
)
def test_a_path_without_an_upstreams_name_goes_to_its_provider(
    path: bytes, headers: tuple[Pair, ...], expected: str
) -> None:
    assert found(path, *headers) == (expected, path)


@pytest.mark.parametrize(
    ("path", "target"),
    [(b"/local/v1/x", b"/base/v1/x"), (b"/local", b"/base/"), (b"/local/", b"/base/"), (b"/local//x", b"/base//x")],
)
def test_a_named_upstream_gets_the_rest_of_the_path_below_its_own(path: bytes, target: bytes) -> None:
    assert found(path) == ("local", target)


def test_the_upstream_named_like_the_family_is_its_default_else_the_first_of_it() -> None:
    assert found(b"/v1/chat/completions")[0] == "openai"
    assert found(b"/v1/chat/completions", upstreams=CONFIGURED[:2])[0] == "local"
    assert found(b"/v1beta/models", upstreams=CONFIGURED[:2])[0] == "local"


@pytest.mark.parametrize("path", [b"/v1/projects/p/locations/l/x", b"/v1beta1/projects/p", b"/model/m/invoke"])
def test_what_is_meant_for_a_cloud_goes_there_or_nowhere(path: bytes) -> None:
    assert Routes(CONFIGURED[:4], dialects()).find(path, None, ()) is None
    assert Routes(CONFIGURED[:4], dialects()).find(b"/anthropic" + path, None, ()) is not None


def test_without_upstreams_there_is_no_route() -> None:
    assert Routes((), dialects()).find(b"/v1/messages", None, ()) is None


@pytest.mark.parametrize("name", [*sorted(RESERVED), "a/b", ""])
def test_an_upstream_cannot_take_a_providers_path(name: str) -> None:
    with pytest.raises(ValueError):
        Routes((Upstream(name, "http://x"),), ())


def test_a_dialect_is_recognised_below_any_prefix_but_only_of_its_family() -> None:
    routes = Routes(CONFIGURED, dialects())
    chat = routes.find(b"/local/deployments/d/chat/completions", None, ())
    messages = routes.find(b"/openai/v1/messages", None, ())
    assert chat and (dialect := routes.dialect(chat, "POST")) and dialect.name == "openai_chat"
    assert routes.dialect(chat, "GET") is None
    assert messages and routes.dialect(messages, "POST") is None
    untyped = Routes((Upstream("any", "http://x"),), dialects())
    either = untyped.find(b"/any/v1/messages", None, ())
    assert either and untyped.dialect(either, "POST")


PREFIXES = [b"", *(b"/" + upstream.name.encode() for upstream in CONFIGURED)]
PATHS = [b"/", b"/v1/models", *(path for path, _ in OWN_PATHS)]
EVIL = [
    b"//evil.test/",
    b"/@evil.test/",
    b"/%2F%2Fevil.test/",
    b"/\\evil.test/",
    b"/..%2f..//evil.test",
    b"/.evil.test:80/",
    b"/%40evil.test",
    b"/;@evil.test",
    b"/http://evil.test/",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_path_leads_off_the_configured_origins(prefix: bytes) -> None:
    for path, evil in itertools.product(PATHS, EVIL):
        for whole in (prefix + path + evil, evil + path, prefix + evil + path):
            name, target = found(whole)
            base = next(upstream for upstream in CONFIGURED if upstream.name == name).base_path
            assert target.startswith(base + b"/"), whole


HEADERS = [
    b"host: evil.test\r\n",
    b"host: 127.0.0.1:%d\r\n",
    b"x-forwarded-host: 127.0.0.1:%d\r\n",
    b"forwarded: host=127.0.0.1:%d\r\n",
    b"x-original-url: http://127.0.0.1:%d/\r\n",
    b"x-rewrite-url: /evil\r\n",
    b"x-upstream: http://127.0.0.1:%d\r\n",
    b"x-base-url: http://127.0.0.1:%d\r\n",
    b"x-holdfast-upstream: http://127.0.0.1:%d\r\n",
    b"api-base: http://127.0.0.1:%d\r\n",
    b"location: http://127.0.0.1:%d\r\n",
    b"referer: http://127.0.0.1:%d\r\n",
    b"proxy: http://127.0.0.1:%d\r\n",
]


@scenario
async def test_no_host_header_body_query_or_target_moves_a_credential_to_another_host() -> None:
    """The sweep runs over every route there is, on sockets: a fix by hand misses one (headroom: 1 of 99)."""
    async with upstream(json_answer()) as evil, upstream(json_answer()) as good:
        names = [Upstream(up.name, good.url, up.dialect) for up in CONFIGURED]
        async with proxy(*names) as running, agent(running.port) as client:
            sent = 0
            for prefix, path in itertools.product(PREFIXES, PATHS):
                for target, header in _attacks(prefix + path, evil.port):
                    await client.send(_attack(target, header, evil.port))
                    assert (await client.reply()).status == 200, (target, header)
                    sent += 1
            assert len(good.requests) == sent > 500
            assert not evil.connections
            assert {tuple(seen.values(b"host")) for seen in good.requests} == {(b"127.0.0.1:%d" % good.port,)}


def _attacks(path: bytes, port: int) -> list[tuple[bytes, bytes]]:
    headers = [header % port if b"%d" in header else header for header in HEADERS]
    targets = [
        b"http://127.0.0.1:%d" % port + path,
        b"//127.0.0.1:%d" % port + path,
        path + b"?api_base=http://127.0.0.1:%d&host=127.0.0.1" % port,
    ]
    return [(path, header) for header in headers] + [(target, b"") for target in targets]


def _attack(target: bytes, header: bytes, port: int) -> bytes:
    body = b'{"api_base":"http://127.0.0.1:%d","base_url":"http://127.0.0.1:%d"}' % (port, port)
    sent = request(target, body, extra=b"authorization: Bearer canary\r\n" + header)
    return sent.replace(b"host: proxy\r\n", b"") if header.startswith(b"host:") else sent

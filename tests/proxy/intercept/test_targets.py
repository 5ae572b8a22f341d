"""From a destination to an upstream."""

import pytest

from proxy.intercept.targets import Targets
from proxy.upstream import Upstream
from tests.proxy.running import dialects

TARGETS = Targets(
    (
        Upstream("anthropic", "https://api.anthropic.com", dialect="anthropic_messages"),
        Upstream("router", "https://router.example/api"),
        Upstream("deep", "https://router.example/api/deep"),
        Upstream("local", "http://10.0.0.1:8000"),
    ),
    dialects(),
)


@pytest.mark.parametrize(
    ("host", "port", "opened"),
    [
        ("api.anthropic.com", 443, True),
        ("API.Anthropic.com", 443, True),
        ("10.0.0.1", 8000, True),
        ("api.anthropic.com", 80, False),
        ("api.anthropic.com.evil.example", 443, False),
        ("evil-api.anthropic.com", 443, False),
        ("anthropic.com", 443, False),
        ("10.0.0.1", 443, False),
    ],
)
def test_only_the_host_and_port_of_an_upstream_are_decrypted(host: str, port: int, opened: bool) -> None:
    assert TARGETS.decrypts(host, port) is opened


@pytest.mark.parametrize(
    ("scheme", "host", "port", "target", "found"),
    [
        ("https", "api.anthropic.com", 443, b"/v1/messages?beta=true", ("anthropic", "/v1/messages")),
        ("https", "router.example", 443, b"/api/v1/messages", ("router", "/v1/messages")),
        ("https", "router.example", 443, b"/api/deep/v1/messages", ("deep", "/v1/messages")),
        ("https", "router.example", 443, b"/apia/v1/messages", None),
        ("https", "router.example", 443, b"/", None),
        ("http", "10.0.0.1", 8000, b"/v1/messages", ("local", "/v1/messages")),
        ("https", "10.0.0.1", 8000, b"/v1/messages", None),
        ("http", "api.anthropic.com", 443, b"/v1/messages", None),
    ],
)
def test_a_request_belongs_to_the_upstream_whose_url_covers_it(
    scheme: str, host: str, port: int, target: bytes, found: tuple[str, str] | None
) -> None:
    route = TARGETS.find(scheme, host, port, target)
    assert (route and (route.upstream.name, route.path)) == found


def test_a_model_call_is_one_by_method_path_and_the_upstreams_dialect() -> None:
    route = TARGETS.find("https", "api.anthropic.com", 443, b"/v1/messages")
    other = TARGETS.find("https", "api.anthropic.com", 443, b"/v1/chat/completions")
    assert route and other
    assert TARGETS.dialect(route, "POST") is not None
    assert TARGETS.dialect(route, "GET") is None
    assert TARGETS.dialect(other, "POST") is None


def test_the_hosts_are_named_as_a_person_reads_them() -> None:
    assert TARGETS.hosts() == ("10.0.0.1:8000", "api.anthropic.com", "router.example")

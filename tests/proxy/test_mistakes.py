"""The usual mistakes are told by what a refused request looked like, and nothing is said of any other."""

import pytest

from proxy.headers import Pair
from proxy.mistakes import behind, in_credential, in_key, in_name, in_path, issuer
from proxy.routes import Route
from proxy.upstream import Upstream

NAMES = ("anthropic", "openai", "gemini", "openrouter", "local")


@pytest.mark.parametrize(
    ("path", "base_path", "word", "help"),
    [
        ("/v1/v1/messages", "", "doubled_version", "take /v1 off the client's base URL"),
        ("/v1/v1/chat/completions", "", "doubled_version", "take /v1 off the client's base URL"),
        ("/v1beta/v1beta/models/m:generateContent", "", "doubled_version", "take /v1beta off the client's base URL"),
        ("/v1/v1beta/models/m:generateContent", "", "doubled_version", "take /v1 off the client's base URL"),
        ("/v1/messages", "/v1", "doubled_version", "take /v1 off the `url` of the upstream"),
        ("/chat/completions", "", "missing_version", "end the client's base URL in /v1"),
        ("/responses", "", "missing_version", "end the client's base URL in /v1"),
        ("/responses/compact", "", "missing_version", "end the client's base URL in /v1"),
        ("/messages", "", "missing_version", "end the client's base URL in /v1"),
        ("/messages/count_tokens", "/api", "missing_version", "end the client's base URL in /v1"),
        ("/models/m:generateContent", "", "missing_version", "end the client's base URL in /v1beta"),
    ],
)
def test_a_version_that_stands_twice_or_not_at_all_is_named(path: str, base_path: str, word: str, help: str) -> None:
    mistake = in_path(path, base_path)
    assert mistake and (mistake.word, mistake.help) == (word, help)


@pytest.mark.parametrize(
    ("path", "base_path"),
    [
        ("/v1/messages", ""),
        ("/v1/messages", "/api"),
        ("/v1beta/models/m:generateContent", ""),
        ("/v1beta/openai/chat/completions", ""),
        ("/chat/completions", "/v1"),
        ("/openai/deployments/mine/chat/completions", ""),
        ("/openai/v1/responses", ""),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", ""),
        ("/v1/files/v1", ""),
        ("/", ""),
        ("/model/m/invoke", ""),
    ],
)
def test_a_path_with_one_version_or_of_another_kind_is_no_mistake(path: str, base_path: str) -> None:
    assert in_path(path, base_path) is None


def test_a_path_that_seems_to_name_an_upstream_gets_the_nearest_name() -> None:
    mistake = in_name("/opnai/v1/chat/completions", NAMES)
    assert mistake and (mistake.word, mistake.help) == ("unknown_upstream", "did you mean /openai?")
    other = in_name("/zzz/v1/messages", NAMES)
    assert other and "`holdfast serve`" in other.help
    for path in ("/openai/v1/responses", "/api/v1/messages", "/v1/messages", "/upload/v1beta/models", "/x/files"):
        assert in_name(path, NAMES) is None


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("sk-ant-api03-x", "anthropic"),
        ("sk-ant-oat01-x", "anthropic"),
        ("sk-proj-x", "openai"),
        ("sk-or-v1-x", "openrouter"),
        ("AIzax", "gemini"),
        ("gsk_x", "groq"),
        ("xai-x", "xai"),
        ("sk-x", ""),
        ("", ""),
    ],
)
def test_a_key_tells_its_provider_by_how_it_begins(key: str, owner: str) -> None:
    assert issuer(key) == owner


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("Bearer sk-x", "key_with_bearer"),
        (" sk-x", "key_with_space"),
        ("sk-x\n", "key_with_space"),
        ("sk- x", "key_with_space"),
        ('"sk-x"', "key_in_quotes"),
        ("'sk-x'", "key_in_quotes"),
    ],
)
def test_what_was_copied_with_a_key_is_named(key: str, word: str) -> None:
    mistake = in_key(key)
    assert mistake and mistake.word == word and "sk-" not in str(mistake)
    assert in_key("sk-x") is None


def word(family: str, upstream: str, path: str, *headers: Pair) -> str:
    mistake = in_credential(headers, family, upstream, path)
    return mistake.word if mistake else ""


def bearer(key: bytes) -> Pair:
    return b"authorization", b"Bearer " + key


WRONG = "key_in_wrong_header"
MESSAGES, CHAT, GENERATE = "/v1/messages", "/v1/chat/completions", "/v1beta/models/m:generateContent"


@pytest.mark.parametrize(
    ("family", "path", "header", "expected"),
    [
        ("anthropic", MESSAGES, bearer(b"sk-ant-api03-x"), ""),
        ("anthropic", MESSAGES, bearer(b"sk-ant-oat01-x"), ""),
        ("anthropic", CHAT, bearer(b"sk-ant-api03-x"), ""),
        ("anthropic", MESSAGES, (b"x-api-key", b"sk-ant-oat01-x"), WRONG),
        ("anthropic", MESSAGES, (b"x-api-key", b"sk-ant-api03-x"), ""),
        ("openai", CHAT, (b"x-api-key", b"sk-x"), WRONG),
        ("openai", CHAT, (b"x-goog-api-key", b"sk-x"), WRONG),
        ("openai", CHAT, bearer(b"sk-x"), ""),
        ("openai", MESSAGES, (b"x-api-key", b"sk-x"), ""),
        ("openai", CHAT, (b"authorization", b"sk-x"), "key_without_bearer"),
        ("openai", CHAT, (b"authorization", b"Basic eDp5"), ""),
        ("openai", CHAT, bearer(b"Bearer sk-x"), "key_with_bearer"),
        ("gemini", GENERATE, (b"x-api-key", b"AIzax"), WRONG),
        ("gemini", GENERATE, bearer(b"AIzax"), WRONG),
        ("gemini", GENERATE, bearer(b"ya29.x"), ""),
        ("gemini", GENERATE, (b"x-goog-api-key", b"AIzax"), ""),
        ("gemini", "/v1beta/openai/chat/completions", bearer(b"AIzax"), ""),
        ("gemini", "/v1beta/openai/chat/completions", (b"x-goog-api-key", b"AIzax"), WRONG),
        ("gemini", GENERATE, (b"accept", b"*/*"), ""),
    ],
)
def test_each_provider_takes_its_key_in_its_own_header(family: str, path: str, header: Pair, expected: str) -> None:
    assert word(family, "local", path, header) == expected


def test_a_key_of_another_provider_is_named_only_where_both_are_certain() -> None:
    key = bearer(b"sk-ant-api03-x")
    assert word("openai", "openai", CHAT, key) == "key_of_another"
    assert word("anthropic", "anthropic", MESSAGES, (b"x-api-key", b"AIzax")) == "key_of_another"
    assert word("openai", "local", CHAT, key) == ""
    assert word("openai", "openai", CHAT, bearer(b"sk-unknown")) == ""


def route(target: bytes, url: str = "https://h") -> Route:
    upstream = Upstream("openai", url)
    return Route(upstream, target.decode(), upstream.base_path + target)


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_nothing_is_said_of_a_request_that_was_not_refused_for_it(status: int) -> None:
    assert behind(status, route(b"/v1/v1/messages"), [(b"x-api-key", b"sk-ant-x")], NAMES) is None


def test_a_path_is_judged_where_it_was_not_found_and_a_key_where_it_was_refused() -> None:
    headers = [(b"x-api-key", b"k")]
    not_found = behind(404, route(b"/v1/chat/completions?a=/v1/v1", "https://h/v1"), headers, NAMES)
    assert not_found and not_found.help == "take /v1 off the `url` of the upstream"
    named = behind(405, route(b"/opnai/v1/chat/completions"), headers, NAMES)
    assert named and named.word == "unknown_upstream"
    refused = behind(401, route(b"/v1/v1/messages"), headers, NAMES)
    assert refused is None  # a Messages path beside OpenAI's may take either header
    denied = behind(403, route(b"/v1/chat/completions"), headers, NAMES)
    assert denied and denied.word == WRONG

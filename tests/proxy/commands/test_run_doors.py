"""Every request of a run goes where it would have gone: the defaults, a user's own URLs, those set by flag."""

import pytest

from proxy.commands.clients import VARIABLES, Opening
from proxy.commands.run_doors import FIRST_PARTY, Door, by_variable, doors, environment, forwarded, notes, overrides
from proxy.config import Request, Settings, load_settings

BASE = "http://127.0.0.1:4242"


def found(environ: dict[str, str], *fixed: str) -> tuple[Door, ...]:
    return doors(by_variable(environ), environ, fixed)


def child(environ: dict[str, str], *fixed: str, anthropic: str = FIRST_PARTY) -> dict[str, str]:
    return environment(environ, found(environ, *fixed), BASE, anthropic)


def settings(environ: dict[str, str]) -> Settings:
    return load_settings(Request(None, {"HOME": "/h"}, overrides(found(environ))))


def test_without_a_word_of_the_user_every_variable_leads_to_its_provider() -> None:
    variables = child({})
    assert variables["ANTHROPIC_BASE_URL"] == f"{BASE}/anthropic"
    assert variables["OPENAI_BASE_URL"] == variables["OPENAI_API_BASE"] == f"{BASE}/openai/v1"
    assert variables["GOOGLE_GEMINI_BASE_URL"] == f"{BASE}/gemini"
    assert variables["OPENROUTER_API_BASE"] == f"{BASE}/openrouter/v1"
    assert {variable.name for variable in VARIABLES} <= set(variables)
    assert (overrides(found({})), notes(found({}))) == ((), ())


@pytest.mark.parametrize(
    ("url", "upstream", "address"),
    [
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api", f"{BASE}/openai/v1"),
        ("https://gateway.example/openai/", "https://gateway.example/openai", f"{BASE}/openai"),
        (" http://127.0.0.1:8000/v1 ", "http://127.0.0.1:8000", f"{BASE}/openai/v1"),
    ],
)
def test_a_url_of_the_users_own_is_the_upstream_and_is_said(url: str, upstream: str, address: str) -> None:
    environ = {"OPENAI_BASE_URL": url}
    assert child(environ)["OPENAI_BASE_URL"] == address
    assert {each.name: each.url for each in settings(environ).upstreams}["openai"] == upstream
    assert notes(found(environ)) == (f"`OPENAI_BASE_URL` is yours: upstream `openai` is {upstream}",)


def test_a_sibling_that_nobody_set_is_left_alone_where_the_name_is_taken() -> None:
    variables = child({"OPENAI_API_BASE": "https://openrouter.ai/api/v1"})
    assert variables["OPENAI_API_BASE"] == f"{BASE}/openai/v1"
    assert "OPENAI_BASE_URL" not in variables


def test_two_urls_of_one_family_are_two_upstreams_with_its_dialect() -> None:
    environ = {"ANTHROPIC_BASE_URL": "https://one.example", "ANTHROPIC_API_BASE": "https://two.example"}
    variables = child(environ)
    assert variables["ANTHROPIC_BASE_URL"] == f"{BASE}/anthropic"
    assert variables["ANTHROPIC_API_BASE"] == f"{BASE}/anthropic-2"
    upstreams = {each.name: (each.url, each.dialect) for each in settings(environ).upstreams}
    assert upstreams["anthropic"] == ("https://one.example", "anthropic_messages")
    assert upstreams["anthropic-2"] == ("https://two.example", "anthropic_messages")


def test_the_same_url_twice_is_one_upstream() -> None:
    url = "https://openrouter.ai/api/v1"
    assert {door.upstream for door in found({"OPENAI_BASE_URL": url, "OPENAI_API_BASE": url})} >= {"openai"}
    assert not any(door.upstream == "openai-2" for door in found({"OPENAI_BASE_URL": url, "OPENAI_API_BASE": url}))


def test_a_flag_wins_over_a_variable() -> None:
    environ = {"ANTHROPIC_BASE_URL": "https://one.example"}
    assert child(environ, "anthropic")["ANTHROPIC_BASE_URL"] == f"{BASE}/anthropic"
    assert overrides(found(environ, "anthropic")) == ()


def test_a_name_that_no_upstream_can_have_is_left_alone() -> None:
    assert doors((Opening("provider.v1", "v1"), Opening("provider.My Own", "my own")), {}, ()) == ()


def test_tool_search_stays_on_where_anthropic_is_behind_us_and_the_user_said_nothing() -> None:
    assert child({})["ENABLE_TOOL_SEARCH"] == "true"
    assert child({"ENABLE_TOOL_SEARCH": "false"})["ENABLE_TOOL_SEARCH"] == "false"
    assert "ENABLE_TOOL_SEARCH" not in child({}, anthropic="https://gateway.example")


@pytest.mark.parametrize("proxy", ["https_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_forward_proxy_of_the_users_is_not_asked_for_loopback(proxy: str) -> None:
    variables = child({proxy: "http://proxy.example:3128", "NO_PROXY": "corp.example,localhost"})
    assert variables["NO_PROXY"] == variables["no_proxy"] == "corp.example,localhost,127.0.0.1,::1"
    assert variables[proxy] == "http://proxy.example:3128"


def test_without_a_forward_proxy_its_exceptions_are_not_touched() -> None:
    assert "NO_PROXY" not in child({}) and "no_proxy" not in child({})
    assert child({"https_proxy": "http://p", "no_proxy": "*"})["no_proxy"] == "*"


def test_behind_our_forward_proxy_the_users_exceptions_stay() -> None:
    variables = forwarded({"NO_PROXY": "corp.example", "PATH": "/bin"}, {"HTTPS_PROXY": BASE, "NO_PROXY": "localhost"})
    assert variables["NO_PROXY"] == variables["no_proxy"] == "corp.example,127.0.0.1,localhost,::1"
    assert (variables["HTTPS_PROXY"], variables["PATH"]) == (BASE, "/bin")
    assert "ANTHROPIC_BASE_URL" not in variables


def test_a_password_in_a_url_is_not_said() -> None:
    assert "hunter2" not in str(notes(found({"OPENAI_BASE_URL": "https://me:hunter2@gateway.example/v1"})))

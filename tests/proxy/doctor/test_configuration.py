"""What is wrong with a configuration is found where it was written, and never ends the examination."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from policies.routes import Match, Route
from proxy.config import Request
from proxy.doctor.configuration import ConfigurationFacts, check_configuration, is_private
from proxy.doctor.facts.configuration import Read, look_at_configuration
from proxy.doctor.finding import Finding
from proxy.errors import ConfigError

KEY = "sk-ant-api03-canarycanarycanary"


def read(text: str | None, folder: Path, environ: Mapping[str, str] | None = None) -> Read:
    file = folder / "holdfast.yaml"
    if text is not None:
        file.write_text(text)
        file.chmod(0o600)
    return look_at_configuration(Request(file if text is not None else None, {"HOME": str(folder), **(environ or {})}))


def wrong(text: str | None, folder: Path, environ: Mapping[str, str] | None = None) -> list[tuple[str, ...]]:
    """Severity, place, and what is to be typed, of all that is not ok."""
    prefix = f"{folder}/"
    return [
        (finding.severity, *(part.replace(prefix, "") for part in (finding.where, finding.place, finding.type)))
        for finding in check_configuration(read(text, folder, environ).facts)
        if finding.severity != "ok"
    ]


def test_what_is_built_in_is_fine(tmp_path: Path) -> None:
    assert wrong(None, tmp_path) == []
    found = read(None, tmp_path)
    assert found.readable and found.facts.policies == ("default",)


def test_every_error_of_a_file_is_a_finding_with_its_line_and_the_rest_goes_by_what_is_built_in(tmp_path: Path) -> None:
    text = "prot: 1\nadmin_port: no\n"
    found = read(text, tmp_path)
    assert not found.readable and found.settings.port == 8787
    findings = [finding for finding in check_configuration(found.facts)]
    assert findings[0].what == "unknown key `prot`; did you mean `port`?"
    assert wrong(text, tmp_path) == [
        ("failed", "holdfast.yaml:1", "", "${EDITOR:-vi} +1 holdfast.yaml"),
        ("failed", "holdfast.yaml:2", "", "${EDITOR:-vi} +2 holdfast.yaml"),
    ]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOLDFAST_PROT": "1"}, ("failed", "HOLDFAST_PROT", "", "unset HOLDFAST_PROT")),
        (
            {"HOLDFAST_TENANT_KEY": "x"},
            ("failed", "HOLDFAST_TENANT_KEY", "", 'export HOLDFAST_TENANT_KEY="$(openssl rand -hex 32)"'),
        ),
        ({"HOLDFAST_ADMIN_HOST": "0.0.0.0"}, ("failed", "HOLDFAST_ADMIN_HOST", "", "unset HOLDFAST_ADMIN_HOST")),
        ({"HOLDFAST_PORT": "x"}, ("failed", "HOLDFAST_PORT", "", "unset HOLDFAST_PORT")),
    ],
)
def test_a_variable_that_is_wrong_is_unset(environ: dict[str, str], expected: tuple[str, ...], tmp_path: Path) -> None:
    assert wrong(None, tmp_path, environ) == [expected]


def test_an_error_without_a_place_is_a_finding_too() -> None:
    (finding, *_) = check_configuration(ConfigurationFacts("", errors=[ConfigError("odd")]))
    assert (finding.severity, finding.where, finding.type.partition(" ")[0]) == ("failed", "configuration", "env")


def test_a_file_that_is_missing_or_no_yaml_is_a_finding(tmp_path: Path) -> None:
    missing = look_at_configuration(Request(tmp_path / "none.yaml", {"HOME": str(tmp_path)}))
    (finding, *_) = check_configuration(missing.facts)
    assert finding.severity == "failed" and "no such file" in finding.what
    assert wrong("a: [", tmp_path)[0][:2] == ("failed", "holdfast.yaml:1")


def test_without_a_home_the_examination_goes_on() -> None:
    found = look_at_configuration(Request(environ={}))
    assert not found.readable and found.settings.store == "memory:"
    (finding, *_) = check_configuration(found.facts)
    assert finding.severity == "failed" and "HOME" in finding.what


def test_a_url_that_ends_in_a_version_is_rewritten_where_it_stands(tmp_path: Path) -> None:
    text = "upstreams:\n  openai: {url: https://api.openai.com/v1}\n  local: {url: 'http://127.0.0.1:8000/v1/'}\n"
    assert wrong(text, tmp_path) == [
        ("failed", "upstream openai", "holdfast.yaml:2", "url: https://api.openai.com"),
        ("warning", "upstream local", "holdfast.yaml:3", "url: http://127.0.0.1:8000"),
    ]
    variable = "HOLDFAST_UPSTREAMS__OPENAI__URL"
    assert wrong(None, tmp_path, {variable: "https://h/openai/v1"}) == [
        ("failed", "upstream openai", "", f"export {variable}=https://h/openai")
    ]


def test_http_is_fine_at_home_only(tmp_path: Path) -> None:
    text = "upstreams:\n  far: {url: http://llm.example.com}\n  near: {url: http://vllm:8000}\n"
    assert wrong(text, tmp_path) == [("warning", "upstream far", "holdfast.yaml:2", "url: https://llm.example.com")]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("::1", True), ("engine", True), ("a.internal", True)]
    + [("8.8.8.8", False), ("api.example.com", False)],
)
def test_a_host_is_private_by_its_address_or_its_name(host: str, expected: bool) -> None:
    assert is_private(host) is expected


def test_a_name_that_takes_the_paths_of_others_is_told(tmp_path: Path) -> None:
    text = "upstreams:\n  chat: {url: https://h}\n"
    assert wrong(text, tmp_path) == [
        ("warning", "upstream chat", "holdfast.yaml:2", "my-chat:"),
    ]


def never_used(*routes: Route) -> list[str]:
    facts = look_at_configuration(Request(environ={"HOME": "/h"})).facts
    placed = [(route, f"f:{number}") for number, route in enumerate(routes, start=1)]
    found = check_configuration(ConfigurationFacts("f", upstreams=facts.upstreams, routes=placed))
    return [finding.where for finding in found if finding.severity == "warning"]


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        (Match(model="claude-*"), Match(model="claude-sonnet-*"), True),
        (Match(model="claude-*"), Match(model="CLAUDE-x", agent="codex"), True),
        (Match(model="*-mini"), Match(model="gpt-mini"), True),
        (Match(model="claude-*", agent="codex"), Match(model="claude-x"), False),
        (Match(model="claude-sonnet-*"), Match(model="claude-*"), False),
        (Match(model="claude-?"), Match(model="claude-1"), False),
        (Match(model="*ab*"), Match(model="[ab]"), False),
        (Match(model="gpt-*"), Match(model="claude-*"), False),
    ],
)
def test_a_route_behind_a_wider_one_is_told_only_where_it_is_certain(
    first: Match, second: Match, shadowed: bool
) -> None:
    assert never_used(Route("observe", first), Route("default", second)) == (["f:2"] if shadowed else [])


def test_a_route_to_no_upstream_or_no_path_is_told() -> None:
    assert never_used(Route("observe", Match(upstream="opnai"))) == ["f:1"]
    for pattern in ("open*", "open?i", "OpenAI", "[o]penai"):
        assert never_used(Route("observe", Match(upstream=pattern))) == []
    assert never_used(Route("observe", Match(path="v1/messages"))) == ["f:1"]
    assert never_used(Route("observe", Match(path="/v1/messages"))) == []


def test_the_place_of_a_route_is_its_line_or_its_variable(tmp_path: Path) -> None:
    text = "routes:\n  - {match: {upstream: none}, policy: observe}\n"
    assert wrong(text, tmp_path) == [("warning", "holdfast.yaml:2", "", "${EDITOR:-vi} +2 holdfast.yaml")]
    environ = {"HOLDFAST_ROUTES": '[{"match": {"upstream": "none"}, "policy": "observe"}]'}
    assert wrong(None, tmp_path, environ) == [("warning", "HOLDFAST_ROUTES", "", "unset HOLDFAST_ROUTES")]


def test_settings_without_effect_are_told_once(tmp_path: Path) -> None:
    text = "policies:\n  mine: {compact: {}}\n"
    ((severity, where, _, fix),) = wrong(text, tmp_path)
    assert (severity, where, fix) == ("hint", "holdfast.yaml:2", "${EDITOR:-vi} +2 holdfast.yaml")


def test_files_that_others_can_read_or_write_are_closed(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 20)
    token.chmod(0o644)
    file = tmp_path / "holdfast.yaml"
    text = "admin_token_file: token\nstore: sqlite:///state.db\n"
    (tmp_path / "state.db").touch(0o640)
    assert wrong(text, tmp_path) == [
        ("warning", "token", "", "chmod go-rwx token"),
        ("warning", "state.db", "", "chmod go-rwx state.db"),
    ]
    for path in (token, tmp_path / "state.db"):
        path.chmod(0o600)
    os.chmod(file, 0o666)
    found = look_at_configuration(Request(file, {"HOME": str(tmp_path)}))
    (finding,) = [each for each in check_configuration(found.facts) if each.severity != "ok"]
    assert finding.type == f"chmod go-w {file}"


def test_the_archives_key_and_its_mirror_are_closed_too(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 20)
    (tmp_path / "key").chmod(0o640)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror").chmod(0o755)
    assert wrong("archive: {key_file: key, mirror: mirror}\n", tmp_path) == [
        ("warning", "key", "", "chmod go-rwx key"),
        ("warning", "mirror", "", "chmod go-rwx mirror"),
    ]


def test_a_key_in_a_file_is_told_by_its_line_and_not_shown(tmp_path: Path) -> None:
    findings: list[Finding] = []
    for text in (f"port: 1\n# {KEY}\n", f"# {KEY}\nprot: 1\n"):
        findings += check_configuration(read(text, tmp_path).facts)
    assert [finding.where.rpartition("/")[2] for finding in findings if "looks like" in finding.what][:1] == [
        "holdfast.yaml:2"
    ]
    assert "canary" not in str(findings)

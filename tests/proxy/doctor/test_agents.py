"""Base URLs in variables and files: each is judged by the request that its client would make."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.config import Request, load_settings
from proxy.doctor.agents import AgentFacts, check_agents, provider_of
from proxy.doctor.facts.agents import look_at_agents
from proxy.doctor.finding import Finding
from tests.proxy.doctor.test_ports import free_port, web_server

PORT = 8787


def facts(environ: Mapping[str, str], folder: Path, port: int = PORT) -> AgentFacts:
    upstream = {"HOLDFAST_UPSTREAMS__LOCAL__URL": "http://h/v1", "HOLDFAST_UPSTREAMS__ENGINE__URL": "http://h"}
    settings = load_settings(Request(environ={"HOME": str(folder), "HOLDFAST_PORT": str(port), **upstream}))
    return look_at_agents(settings, {"HOME": str(folder), **environ}, folder / "work")


def findings(environ: Mapping[str, str], folder: Path, port: int = PORT) -> list[Finding]:
    return list(check_agents(facts(environ, folder, port)))


def one(variable: str, url: str, folder: Path, port: int = PORT) -> tuple[str, str]:
    """Severity and what is to be typed."""
    (finding,) = findings({variable: url}, folder, port)
    return finding.severity, finding.type


NOT_RUNNING = ("warning", "holdfast serve")


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("ANTHROPIC_BASE_URL", ""),
        ("ANTHROPIC_BASE_URL", "/"),
        ("ANTHROPIC_BASE_URL", "/anthropic"),
        ("OPENAI_BASE_URL", "/v1"),
        ("OPENAI_BASE_URL", "/v1/"),
        ("OPENAI_API_BASE", "/openai/v1"),
        ("OPENAI_BASE_URL", "/deepseek"),
        ("OPENAI_BASE_URL", "/local"),
        ("OPENAI_BASE_URL", "/gemini/v1beta/openai"),
        ("GOOGLE_GEMINI_BASE_URL", ""),
        ("OPENROUTER_API_BASE", "/openrouter/v1"),
        ("DEEPSEEK_API_BASE", "/deepseek/beta"),
        ("ANTHROPIC_API_BASE", ""),
    ],
)
def test_a_base_url_with_the_right_ending_only_wants_a_running_holdfast(
    variable: str, path: str, tmp_path: Path
) -> None:
    port = free_port()
    assert one(variable, f"http://127.0.0.1:{port}{path}", tmp_path, port) == NOT_RUNNING


@pytest.mark.parametrize(
    ("variable", "path", "severity", "right"),
    [
        ("ANTHROPIC_BASE_URL", "/v1", "failed", ""),
        ("ANTHROPIC_BASE_URL", "/anthropic/v1", "failed", "/anthropic"),
        ("OPENAI_BASE_URL", "", "failed", "/v1"),
        ("OPENAI_BASE_URL", "/openai", "failed", "/openai/v1"),
        ("OPENAI_BASE_URL", "/engine", "warning", "/engine/v1"),
        ("OPENAI_BASE_URL", "/local/v1", "failed", "/local/v1"),
        ("OPENAI_API_BASE", "", "failed", "/v1"),
        ("OPENAI_BASE_URL", "/opnai/v1", "failed", "/v1"),
        ("OPENROUTER_API_BASE", "/v1", "failed", "/openrouter/v1"),
        ("OPENROUTER_API_BASE", "/openrouter", "warning", "/openrouter/v1"),
        ("ANTHROPIC_API_BASE", "/v1", "failed", ""),
        ("GOOGLE_GEMINI_BASE_URL", "/v1beta", "failed", ""),
        ("GOOGLE_GEMINI_BASE_URL", "/gemini/v1beta", "failed", "/gemini"),
    ],
)
def test_a_base_url_with_a_wrong_ending_is_typed_anew(
    variable: str, path: str, severity: str, right: str, tmp_path: Path
) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    assert one(variable, base + path, tmp_path, port) == (severity, f"export {variable}={base}{right}")


def test_https_to_holdfast_and_what_is_no_url_fail(tmp_path: Path) -> None:
    port = free_port()
    right = ("failed", f"export OPENAI_BASE_URL=http://127.0.0.1:{port}/v1")
    for url in (f"https://127.0.0.1:{port}/v1", "127.0.0.1/v1", "http://[", "ftp://127.0.0.1/v1"):
        assert one("OPENAI_BASE_URL", url, tmp_path, port) == right


def test_a_base_url_that_leads_elsewhere_is_told_by_its_host_alone(tmp_path: Path) -> None:
    port, dead = free_port(), free_port()
    right = f"export OPENAI_BASE_URL=http://127.0.0.1:{port}/v1"
    url = "https://user:canary@gateway.example.com/canary/v1?key=canary"
    (finding,) = findings({"OPENAI_BASE_URL": url}, tmp_path, port)
    assert (finding.severity, finding.type) == ("hint", right)
    assert "gateway.example.com" in finding.what and "canary" not in str(finding)
    assert one("OPENAI_BASE_URL", f"http://127.0.0.1:{dead}/v1", tmp_path, port) == ("failed", right)
    with web_server() as other:
        assert one("OPENAI_BASE_URL", f"http://127.0.0.1:{other}/v1", tmp_path, port) == ("hint", right)


def test_without_any_base_url_the_first_step_is_told(tmp_path: Path) -> None:
    (hint,) = findings({}, tmp_path)
    assert (hint.severity, hint.type) == ("hint", f"export ANTHROPIC_BASE_URL=http://127.0.0.1:{PORT}")


def test_two_variables_for_one_thing_must_agree(tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{free_port()}"
    same = {"OPENAI_BASE_URL": f"{base}/v1", "OPENAI_API_BASE": f"{base}/v1/"}
    agreeing = [finding.type for finding in findings(same, tmp_path)]
    differing = [finding.type for finding in findings({**same, "OPENAI_API_BASE": f"{base}/openai/v1"}, tmp_path)]
    fix = 'export OPENAI_API_BASE="$OPENAI_BASE_URL"'
    assert fix not in agreeing and fix in differing


@pytest.mark.parametrize(
    ("no_proxy", "fix"),
    [
        ("", "export NO_PROXY=127.0.0.1"),
        ("example.com", 'export NO_PROXY=127.0.0.1,"$NO_PROXY"'),
        ("example.com, 127.0.0.1", ""),
        ("127.0.0.0/8", ""),
        ("127.0.0.1:8787", ""),
        ("*", ""),
    ],
)
def test_a_proxy_must_not_stand_before_holdfast(no_proxy: str, fix: str, tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": "http://user:canary@proxy:3128", "NO_PROXY": no_proxy}
    found = [finding for finding in findings(environ, tmp_path) if finding.where == "HTTPS_PROXY"]
    assert [finding.type for finding in found if finding.severity == "failed"] == ([fix] if fix else [])
    assert [finding.type for finding in found if finding.severity == "hint"] == ["holdfast doctor --upstream"]
    assert "canary" not in str(found)


def test_the_way_to_interception_is_no_foreign_proxy(tmp_path: Path) -> None:
    environ = {"https_proxy": "http://127.0.0.1:8790"}
    assert [finding.where for finding in findings(environ, tmp_path)] == ["agents"]


FILES = {
    ".codex/config.toml": 'openai_base_url = "{url}"\n',
    ".config/opencode/opencode.jsonc": '{{"provider": {{"x": {{"options": {{"baseURL": "{url}"}},}},}}, // note\n}}',
    "work/opencode.json": '{{"provider": {{"x": {{"options": {{"baseURL": "{url}", "apiKey": "canary"}}}}}}}}',
    ".qwen/settings.json": '{{"security": {{"auth": {{"baseUrl": "{url}", "apiKey": "canary"}}}}}}',
    ".aider.conf.yml": "openai-api-base: {url}\nopenai-api-key: canary\n",
    "work/.env": 'OPENAI_API_KEY=canary\nexport OPENAI_API_BASE="{url}"\n',
}


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_agents_are_read_like_variables(name: str, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "work").mkdir()
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FILES[name].format(url=f"http://127.0.0.1:{port}"))
    (finding,) = findings({}, tmp_path, port)
    assert (finding.severity, finding.place) == ("failed", str(file))
    assert f"http://127.0.0.1:{port}/v1" in finding.type and "canary" not in str(finding)
    file.write_text(FILES[name].format(url=f"http://127.0.0.1:{port}/v1"))
    (right,) = findings({}, tmp_path, port)
    assert (right.severity, right.type) == NOT_RUNNING


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        (".claude/settings.json", '{"env": {"ANTHROPIC_BASE_URL": "<>/v1"}}', '"<>"'),
        ("work/.claude/settings.local.json", '{"env": {"ANTHROPIC_BASE_URL": "<>/v1"}}', '"<>"'),
        (".gemini/.env", "GOOGLE_GEMINI_BASE_URL=<>/v1beta", "=<>"),
        ("work/opencode.json", '{"provider": {"anthropic": {"options": {"baseURL": "<>"}}}}', '"<>/v1"'),
        (
            "work/opencode.json",
            '{"provider": {"x": {"npm": "@ai-sdk/google", "options": {"baseURL": "<>"}}}}',
            "/v1beta",
        ),
        (
            ".codex/config.toml",
            'model_provider = "mine"\nopenai_base_url = "none"\n[model_providers.mine]\nbase_url = "<>"\n',
            'base_url = "<>/v1"',
        ),
    ],
)
def test_each_kind_of_client_has_an_ending_of_its_own(name: str, text: str, right: str, tmp_path: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text(text.replace("<>", base))
    (finding,) = findings({}, tmp_path, port)
    assert finding.severity == "failed" and finding.type.strip('"').endswith(right.replace("<>", base).strip('"'))


def test_a_codex_without_a_base_url_is_told_the_line_to_write(tmp_path: Path) -> None:
    file = tmp_path / "codex" / "config.toml"
    file.parent.mkdir()
    file.write_text('model = "gpt-5.1-codex"\n')
    (hint,) = findings({"CODEX_HOME": str(file.parent)}, tmp_path)
    assert (hint.severity, hint.place) == ("hint", str(file))
    assert hint.type == f'openai_base_url = "http://127.0.0.1:{PORT}/v1"'


def test_a_file_that_cannot_be_read_is_told_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    for name in ("opencode.json", "opencode.jsonc"):
        (tmp_path / "work" / name).write_text('{"canary": ')
    (tmp_path / ".aider.conf.yml").write_text("canary: [")
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_bytes(b"\xff canary")
    found = [finding for finding in findings({}, tmp_path) if finding.where != "agents"]
    assert [finding.severity for finding in found] == ["warning"] * 4
    assert "canary" not in str(found)


def test_what_is_filled_in_at_the_start_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    text = '{"provider": {"x": {"options": {"baseURL": "{env:MY_URL}"}}, "y": 3}}'
    (tmp_path / "work" / "opencode.json").write_text(text)
    assert [finding.where for finding in findings({}, tmp_path)] == ["agents"]


def test_a_base_url_names_a_provider_by_its_upstream_or_its_host(tmp_path: Path) -> None:
    def named(url: str) -> str:
        found = facts({"OPENAI_BASE_URL": url}, tmp_path)
        return provider_of(found.base_urls[0], found)

    assert named(f"http://127.0.0.1:{PORT}/openrouter/v1") == "openrouter"
    assert named("https://openrouter.ai/api/v1") == "openrouter"
    assert named(f"http://127.0.0.1:{PORT}/v1") == ""
    assert named("https://example.com/v1") == ""


def test_a_port_is_asked_only_on_this_machine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        here = facts({"OPENAI_BASE_URL": f"http://localhost:{port}/v1"}, tmp_path)
    assert here.states == {("localhost", port): "other"}
    assert facts({"OPENAI_BASE_URL": "http://192.0.2.1:1/v1"}, tmp_path).states == {}

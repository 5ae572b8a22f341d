"""Keys are judged by how they look, shown never, and repaired by commands that do not show them either."""

import shutil
import subprocess
from collections.abc import Mapping

import pytest

from proxy.doctor.finding import Finding
from proxy.doctor.keys import check_keys, facts_of


def findings(environ: Mapping[str, str], elsewhere: Mapping[str, str] | None = None) -> list[Finding]:
    return list(check_keys(facts_of(environ), elsewhere or {}))


def wrong(environ: Mapping[str, str], elsewhere: Mapping[str, str] | None = None) -> list[Finding]:
    return [finding for finding in findings(environ, elsewhere) if finding.severity != "ok"]


def after(command: str, environ: Mapping[str, str], variable: str) -> str:
    """What a variable holds once the command was typed."""
    script = f'{command}; printf %s "${variable}"'
    path = "/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-c", script], env={**environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("ANTHROPIC_API_KEY", "sk-ant-api03-canary"),
        ("ANTHROPIC_AUTH_TOKEN", "sk-ant-oat01-canary"),
        ("ANTHROPIC_AUTH_TOKEN", "sk-ant-api03-canary"),
        ("OPENAI_API_KEY", "sk-proj-canary"),
        ("OPENAI_API_KEY", "sk-canary"),
        ("GEMINI_API_KEY", "AIzacanary"),
        ("DEEPSEEK_API_KEY", "sk-canary"),
    ],
)
def test_a_key_in_its_own_variable_is_fine(variable: str, key: str) -> None:
    (finding,) = findings({variable: key})
    assert finding.severity == "ok" and "canary" not in str(finding)


@pytest.mark.skipif(shutil.which("sh") is None, reason="types the commands into a shell")
@pytest.mark.parametrize(
    ("variable", "key", "moved"),
    [
        ("OPENAI_API_KEY", "sk-ant-api03-canary", "ANTHROPIC_API_KEY"),
        ("ANTHROPIC_API_KEY", "AIzacanary", "GEMINI_API_KEY"),
        ("ANTHROPIC_API_KEY", "sk-ant-oat01-canary", "ANTHROPIC_AUTH_TOKEN"),
        ("OPENAI_API_KEY", "sk-or-v1-canary", "OPENROUTER_API_KEY"),
    ],
)
def test_a_key_in_the_wrong_variable_is_moved_to_the_right_one(variable: str, key: str, moved: str) -> None:
    (finding,) = wrong({variable: key})
    assert finding.severity == "failed" and "canary" not in str(finding)
    assert after(finding.type, {variable: key}, moved) == key
    assert after(finding.type, {variable: key}, variable) == ""


def test_a_key_is_not_moved_over_another() -> None:
    environ = {"OPENAI_API_KEY": "sk-ant-api03-a", "ANTHROPIC_API_KEY": "sk-ant-api03-b"}
    assert [finding.type for finding in wrong(environ)] == ["unset OPENAI_API_KEY"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="types the commands into a shell")
@pytest.mark.parametrize("key", [" sk-canary", "sk-canary\n", '"sk-canary"', "'sk-canary'", "Bearer sk-canary"])
def test_what_was_copied_along_is_taken_off_by_the_command(key: str) -> None:
    (finding,) = wrong({"OPENAI_API_KEY": key})
    assert "canary" not in str(finding)
    assert after(finding.type, {"OPENAI_API_KEY": key}, "OPENAI_API_KEY") == "sk-canary"


def test_a_key_of_another_provider_is_right_where_the_base_url_leads_there() -> None:
    environ = {"OPENAI_API_KEY": "sk-or-v1-canary"}
    assert wrong(environ, {"OPENAI_BASE_URL": "openrouter"}) == []
    assert len(wrong(environ, {"OPENAI_BASE_URL": "openai"})) == 1


def test_two_credentials_of_one_provider_are_one_too_many() -> None:
    (finding,) = wrong({"ANTHROPIC_API_KEY": "sk-ant-api03-x", "ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-x"})
    assert (finding.severity, finding.type) == ("warning", "unset ANTHROPIC_AUTH_TOKEN")

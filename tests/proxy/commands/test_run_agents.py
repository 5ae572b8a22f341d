"""Agents that read no variable are asked and told in their own words. Real small programs stand in for them."""

import json
import os
from pathlib import Path

import pytest

from proxy.commands.run_agents import CHATGPT, CODEX, CONTENT, Asked, ask, name_of, tell
from proxy.commands.run_doors import doors

BASE = "http://127.0.0.1:4242"
SIGNED_OUT = "echo Not logged in; exit 1"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}  # noqa: TID251  the programs need a shell


def program(folder: Path, name: str, script: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def configure(folder: Path, text: str) -> None:
    (folder / ".codex").mkdir()
    (folder / ".codex" / "config.toml").write_text(text)


def told(name: str, argv: list[str], asked: Asked, environ: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    found = tell([name, *argv], environ, doors(asked.openings, asked.own, ()), BASE)
    return list(found.argv), dict(found.environ)


@pytest.mark.parametrize(
    ("word", "name"),
    [("codex", "codex"), ("/opt/bin/codex", "codex"), ("./codex.js", "codex"), ("opencode.exe", "opencode")],
)
def test_an_agent_is_known_by_its_file(word: str, name: str) -> None:
    assert name_of([word, "--help"]) == name


def test_an_agent_that_reads_variables_is_not_asked(tmp_path: Path, environ: dict[str, str]) -> None:
    asked = ask(program(tmp_path, "claude", "touch asked"), ["claude"], environ)
    assert asked == Asked() and not (tmp_path / "asked").exists()
    assert told("claude", ["-p", "x"], asked, environ) == (["claude", "-p", "x"], environ)


def test_codex_gets_its_base_url_before_everything_else(tmp_path: Path, environ: dict[str, str]) -> None:
    asked = ask(program(tmp_path, "codex", SIGNED_OUT), ["codex", "exec", "hi"], environ)
    argv, variables = told("codex", ["exec", "hi"], asked, environ)
    assert argv == ["codex", "-c", f'{CODEX}="{BASE}/openai/v1"', "exec", "hi"]
    assert variables == environ


def test_codex_signed_in_with_chatgpt_keeps_its_account(tmp_path: Path, environ: dict[str, str]) -> None:
    signed_in = program(tmp_path, "codex", "echo Logged in using ChatGPT >&2")
    asked = ask(signed_in, ["codex"], environ)
    assert asked.own == {CODEX: CHATGPT}
    assert told("codex", [], asked, environ)[0] == ["codex", "-c", f'{CODEX}="{BASE}/openai"']
    assert ask(signed_in, ["codex"], {**environ, "CODEX_API_KEY": "sk-x"}).own == {CODEX: ""}


def test_codex_with_a_url_on_its_command_line_has_ours_in_its_place(tmp_path: Path, environ: dict[str, str]) -> None:
    argv = ["exec", "-c", 'openai_base_url = "https://gateway.example/v1"', "-c", "model=x", "hi"]
    asked = ask(program(tmp_path, "codex", SIGNED_OUT), ["codex", *argv], environ)
    assert asked.own == {CODEX: "https://gateway.example/v1"}
    words = told("codex", argv, asked, environ)[0]
    assert words == ["codex", "exec", "-c", f'{CODEX}="{BASE}/openai/v1"', "-c", "model=x", "hi"]


def test_codex_with_a_provider_of_its_own_keeps_it(tmp_path: Path, environ: dict[str, str]) -> None:
    configure(tmp_path, 'model_provider = "Local"\n[model_providers.Local]\nbase_url = "http://127.0.0.1:8000/v1"\n')
    asked = ask(program(tmp_path, "codex", SIGNED_OUT), ["codex"], environ)
    assert asked.own == {"model_providers.Local.base_url": "http://127.0.0.1:8000/v1"}
    assert told("codex", [], asked, environ)[0] == ["codex", "-c", f'model_providers.Local.base_url="{BASE}/local"']
    assert ask("codex", ["codex", "-c", "model_provider=other"], environ) == Asked()


def test_codex_with_a_url_in_its_file_keeps_it(tmp_path: Path, environ: dict[str, str]) -> None:
    configure(tmp_path, 'openai_base_url = "https://gateway.example/v1"\n')
    assert ask("codex", ["codex"], environ).own == {CODEX: "https://gateway.example/v1"}


def test_a_file_of_codex_that_cannot_be_read_is_its_own_affair(tmp_path: Path, environ: dict[str, str]) -> None:
    configure(tmp_path, "not toml at all")
    assert ask(program(tmp_path, "codex", SIGNED_OUT), ["codex"], environ).own == {CODEX: ""}


def test_opencode_is_told_of_every_provider_and_keeps_its_own(tmp_path: Path, environ: dict[str, str]) -> None:
    config = {
        "provider": {
            "anthropic": {"options": {"apiKey": "sk-secret", "baseURL": "https://gateway.example/anthropic/v1"}},
            "Mine": {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": "http://127.0.0.1:8000/v1"}},
            "plain": {},
        }
    }
    script = f"test \"$*\" = 'debug config' && echo '{json.dumps(config)}'; echo noise >&2"
    asked = ask(program(tmp_path, "opencode", script), ["opencode", "run", "hi"], environ)
    assert asked.own == {
        "provider.anthropic": "https://gateway.example/anthropic/v1",
        "provider.Mine": "http://127.0.0.1:8000/v1",
    }
    before = {**environ, CONTENT: '{"model": "x", "provider": {"openai": {"options": {"timeout": 5}}}}'}
    argv, variables = told("opencode", ["run", "hi"], asked, before)
    assert argv == ["opencode", "run", "hi"]
    content = json.loads(variables[CONTENT])
    assert content["model"] == "x"
    assert content["provider"]["openai"]["options"] == {"timeout": 5, "baseURL": f"{BASE}/openai/v1"}
    assert content["provider"]["anthropic"]["options"] == {"baseURL": f"{BASE}/anthropic/v1"}
    assert content["provider"]["Mine"]["options"] == {"baseURL": f"{BASE}/mine"}
    assert content["provider"]["google"]["options"] == {"baseURL": f"{BASE}/gemini/v1beta"}
    assert "plain" not in content["provider"]


@pytest.mark.parametrize("script", ["exit 1", "echo not json", "echo '[]'", "echo '{\"provider\": 5}'"])
def test_an_opencode_that_gives_no_answer_is_left_alone_and_that_is_said(
    script: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    asked = ask(program(tmp_path, "opencode", script), ["opencode"], environ)
    assert asked.openings == () and "cannot be read" in asked.notes[0]
    assert told("opencode", [], asked, environ) == (["opencode"], environ)


def test_a_program_that_cannot_be_asked_is_no_fault(environ: dict[str, str]) -> None:
    assert ask("/no/such/codex", ["codex"], environ).own == {CODEX: ""}


def test_content_that_is_not_plain_json_stays_as_it_is(tmp_path: Path, environ: dict[str, str]) -> None:
    commented = {**environ, CONTENT: '{"model": "x"} // mine'}
    asked = ask(program(tmp_path, "opencode", "echo {}"), ["opencode"], commented)
    assert asked.notes and told("opencode", [], asked, commented)[1] == commented

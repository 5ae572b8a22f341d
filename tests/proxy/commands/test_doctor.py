"""`holdfast doctor` as a user runs it: what it prints, how it ends, what it leaves behind, and what it never shows."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from tests.proxy.commands.test_serve import serving
from tests.proxy.doctor.test_ports import free_port
from tests.proxy.running import scenario
from tests.proxy.secure import certificate, needs_openssl, tls_upstream

ROOT = Path(__file__).parents[3]
CANARY = "canary7f3a"
KEY = f"sk-ant-api03-{CANARY}{CANARY}{CANARY}"


def ports() -> dict[str, str]:
    """So that a Holdfast of whoever runs the tests is not met."""
    return {"HOLDFAST_PORT": str(free_port()), "HOLDFAST_ADMIN_PORT": str(free_port())}


def doctor(
    capsys: pytest.CaptureFixture[str], home: Path, environ: Mapping[str, str] | None = None, *argv: str
) -> tuple[int, str]:
    """Exit status and all that was printed."""
    status = main(["doctor", *argv], {"HOME": str(home), **ports(), **(environ or {})})
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def document(
    capsys: pytest.CaptureFixture[str], home: Path, environ: Mapping[str, str] | None = None, *argv: str
) -> dict[str, Any]:
    status, text = doctor(capsys, home, environ, "--format", "json", *argv)
    found: dict[str, Any] = json.loads(text)
    assert found["status"] == status
    return found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without any agent's file."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_an_untouched_machine_is_fine_and_stays_untouched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = doctor(capsys, tmp_path)
    assert status == 0 and "failed" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert [path.name for path in tmp_path.rglob("*")] == ["work"]


def test_a_mistake_is_told_with_what_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = str(free_port())
    environ = {"HOLDFAST_PORT": port, "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}/v1"}
    status, text = doctor(capsys, tmp_path, environ)
    assert status == 1
    assert f"         $ export ANTHROPIC_BASE_URL=http://127.0.0.1:{port}\n" in text


def test_an_agent_that_is_led_through_a_running_holdfast_is_fine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path) as (_, line):
        base = line.split()[2]
        environ = {"ANTHROPIC_BASE_URL": base, "OPENAI_BASE_URL": f"{base}/openrouter/v1"}
        findings = document(capsys, tmp_path, environ)["findings"]
    said = {finding["where"]: finding["what"] for finding in findings if finding["severity"] == "ok"}
    assert said["ANTHROPIC_BASE_URL"] == "leads through Holdfast"
    assert said["OPENAI_BASE_URL"] == "leads through Holdfast, to upstream openrouter"


def test_a_configuration_that_cannot_be_read_is_a_finding_and_the_rest_is_examined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("port: 1\nprot: 2\n")
    found = document(capsys, tmp_path, None, "--config", str(file))
    assert found["status"] == 2
    first = next(finding for finding in found["findings"] if finding["severity"] == "failed")
    assert first["where"] == f"{file}:2" and "did you mean `port`" in first["what"]
    assert {"python", "store", "traffic port", "clock"} <= {finding["where"] for finding in found["findings"]}


def test_an_upstream_that_there_is_none_of_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = doctor(capsys, tmp_path, None, "--upstream", "opnai")
    assert (status, text) == (2, "no upstream is called `opnai`; did you mean `openai`?\n")


def test_an_upstream_is_asked_on_demand_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"HOLDFAST_UPSTREAMS__LOCAL__URL": f"http://127.0.0.1:{free_port()}"}
    asked = document(capsys, tmp_path, environ, "--upstream", "local")
    assert "upstream local" in {finding["where"] for finding in asked["findings"]}
    plain = document(capsys, tmp_path, environ)
    assert not any(finding["where"].startswith("upstream") for finding in plain["findings"])


@needs_openssl
@scenario
async def test_the_authority_of_a_company_is_found_among_those_of_the_system_and_then_trusted(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)

    def asked(**environ: str) -> str:
        command = [sys.executable, "-m", "proxy.cli", "doctor", "--upstream", "local"]
        variables = {"HOME": str(tmp_path), "HOLDFAST_UPSTREAMS__LOCAL__URL": url, **ports(), **environ}
        done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout

    async with tls_upstream(cert, key) as url:
        # OpenSSL takes what this variable names for the system's authorities
        found = await asyncio.to_thread(asked, SSL_CERT_FILE=str(cert))
        assert f"$ export HOLDFAST_CA_FILE={cert}\n" in found
        fixed = await asyncio.to_thread(asked, HOLDFAST_CA_FILE=str(cert))
        assert "ok       upstream local" in fixed and "TLS by upstream" in fixed


def full_of_secrets(home: Path, work: Path) -> dict[str, str]:
    """Every file and variable that doctor reads, with a secret in it and mostly with a mistake."""
    files = {
        home / "holdfast.yaml": f"# {KEY}\nadmin_token_file: token\ntenant_key_file: tenant\nstore_file: url\n",
        home / "token": CANARY * 3,
        home / "tenant": CANARY * 3,
        home / "url": f"redis://user:{CANARY}@host/0",
        home / ".codex/config.toml": f'openai_base_url = "http://u:{CANARY}@127.0.0.1:9/{CANARY}"\nkey = "{KEY}"\n',
        home
        / ".qwen/settings.json": f'{{"security": {{"auth": {{"baseUrl": "https://h/{CANARY}", "apiKey": "{KEY}"}}}}}}',
        home / ".claude/settings.json": f'{{"env": {{"ANTHROPIC_BASE_URL": "https://{CANARY}:x@h/", "K": "{KEY}"}}}}',
        home / ".gemini/.env": f"GEMINI_API_KEY={KEY}\nGOOGLE_GEMINI_BASE_URL=http://h?key={CANARY}\n",
        home / ".aider.conf.yml": f"openai-api-key: {KEY}\nopenai-api-base: '{CANARY}'\n",
        work / "opencode.json": f'{{"provider": {{"x": {{"options": {{"apiKey": "{KEY}", "baseURL": "{KEY}"}}}}}}}}',
        work / "opencode.jsonc": f'{{"{KEY}": ',
        work / ".env": f"OPENAI_API_KEY={KEY}\nOPENAI_BASE_URL=http://{CANARY}:{CANARY}@127.0.0.1:9/v1\n",
    }
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    keys = ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "CODEX_API_KEY", "GROQ_API_KEY", "XAI_API_KEY")
    return {
        **dict.fromkeys(keys, KEY),
        "ANTHROPIC_API_KEY": f' "{KEY}" ',
        "ANTHROPIC_AUTH_TOKEN": f"Bearer {KEY}",
        "OPENAI_BASE_URL": f"https://user:{CANARY}@h/{CANARY}/v1?key={CANARY}",
        "OPENAI_API_BASE": f"{CANARY}",
        "GOOGLE_GEMINI_BASE_URL": f"https://{KEY}/",
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:8787/{CANARY}/v1",
        "HTTPS_PROXY": f"http://user:{CANARY}@proxy:1",
        "NO_PROXY": CANARY,
        "HOLDFAST_ADMIN_TOKEN": CANARY * 3,
        "HOLDFAST_CONFIG": str(home / "holdfast.yaml"),
    }


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("broken", [False, True])
def test_no_secret_of_any_variable_or_file_is_shown(
    form: str, broken: bool, tmp_path: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = full_of_secrets(tmp_path, elsewhere)
    if broken:
        environ["HOLDFAST_STORE"] = f"sqlit://user:{CANARY}@h"
        environ["HOLDFAST_UPSTREAMS__OPENAI__URL"] = KEY
        environ["HOLDFAST_TENANT_KEY"] = CANARY
    status, text = doctor(capsys, tmp_path, environ, "--format", form)
    assert status == (2 if broken else 1)
    assert CANARY not in text


@pytest.mark.skipif(shutil.which("sh") is None, reason="has a shell read the commands")
def test_everything_to_type_is_shell_or_names_its_file(
    tmp_path: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = full_of_secrets(tmp_path, elsewhere)
    findings = document(capsys, tmp_path, environ)["findings"]
    told = [finding for finding in findings if finding["severity"] != "ok"]
    assert len(told) > 15 and all(finding["type"] for finding in told)
    for finding in told:
        if not finding["place"]:
            subprocess.run(["sh", "-n", "-c", finding["type"]], check=True, capture_output=True)

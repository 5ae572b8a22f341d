"""The command: what is allowed, what is said, how it fails."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.intercept.reach import is_loopback
from tests.end_to_end.running import ROOT, environment
from tests.proxy.intercept.children import intercept
from tests.proxy.intercept.running import Trust

COMMAND = [sys.executable, "-m", "proxy.cli", "intercept", "--store", "memory:", "--admin-port", "0"]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['mitmproxy'] = None; from proxy.cli import main; sys.exit(main(['intercept']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(tmp_path, {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "pip install 'holdfast[intercept]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_one_clear_line(trust: Trust, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port)],
            cwd=ROOT,
            env=environment(tmp_path, {}),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == f"holdfast: cannot listen on 127.0.0.1:{port}: address already in use\n"


@pytest.mark.parametrize("host", ["bad host", "user@host", "host/path?x"])
def test_a_host_that_is_none_is_refused(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["intercept", "--allow", host], {"HOME": str(tmp_path)}) == 2
    assert "--allow" in capsys.readouterr().err


@pytest.mark.slow
def test_it_says_what_it_decrypts_and_what_to_set_and_ends_well(trust: Trust, tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--allow", "llm.example.com", "--allow", "LLM.example.com:8443"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout and process.stderr
            said = [process.stdout.readline() for _ in range(5)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            errors = process.stderr.read()
        finally:
            process.kill()
    assert said[0].startswith("holdfast intercepts at http://127.0.0.1:")
    assert {"api.anthropic.com,", "api.openai.com,", "llm.example.com,", "llm.example.com:8443,"} <= set(
        said[1].split()
    )
    assert "chatgpt.com" not in said[1]
    assert "Traceback" not in errors
    assert ("known weaknesses" in errors) is (sys.version_info < (3, 12))


@pytest.mark.slow
def test_a_second_one_beside_the_first_has_the_same_authority(trust: Trust, tmp_path: Path) -> None:
    with intercept(tmp_path, trust, {}) as first, intercept(tmp_path, trust, {}) as second:
        assert first.url != second.url
        assert first.authority == second.authority


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("", False), ("a.example", False)],
)
def test_what_is_loopback_is_told_by_name_or_number(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback

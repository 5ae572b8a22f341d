"""`holdfast serve` as a process: what it prints, how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from policies.routes import Match, Route, Routes
from proxy.commands.clients import how_to_connect, policies, reachable
from proxy.config import Request, load_settings
from proxy.server import Address


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running proxy, and the first line that it printed."""
    command = [
        sys.executable,
        "-m",
        "proxy.cli",
        "serve",
        "--port",
        "0",
        "--admin-port",
        "0",
        "--store",
        "memory:",
        *flags,
    ]
    environ = {**os.environ, "HOME": str(folder)}  # noqa: TID251  the child needs PATH and the like
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    try:
        assert process.stdout
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def text_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read()).decode()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_says_where_it_serves_answers_and_ends_well(workers: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with serving(tmp_path, "--workers", workers) as (process, line):
        assert time.monotonic() - began < 10
        found = re.fullmatch(r"holdfast serves (http://127\.0\.0\.1:\d+) \(admin (http://127\.0\.0\.1:\d+)\)\n", line)
        assert found
        assert text_of(f"{found[1]}/healthz") == "ok\n"
        assert text_of(f"{found[2]}/metrics").startswith("# HELP")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_worker_that_dies_ends_them_all(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as (process, _):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("no list of child processes here")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        process.communicate(timeout=20)
        assert process.returncode == 1


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with serving(tmp_path, "--port", port) as (process, line):
            _, errors = process.communicate(timeout=20)
    assert (line, process.returncode) == ("", 1)
    assert errors == f"holdfast: cannot listen on 127.0.0.1:{port}: address already in use\n"


def test_every_kind_of_client_is_told_its_variable() -> None:
    settings = load_settings(Request(environ={"HOME": "/h", "HOLDFAST_UPSTREAMS__LOCAL__URL": "http://h"}))
    text = how_to_connect(settings, Address("0.0.0.0", 8787), Address("127.0.0.1", 8788))
    for expected in (
        "ANTHROPIC_BASE_URL=http://127.0.0.1:8787\n",
        "OPENAI_BASE_URL=http://127.0.0.1:8787/v1\n",
        "GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8787\n",
        "http://127.0.0.1:8787/local/v1",
        "policy: default\n",
    ):
        assert expected in text


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1")])
def test_a_wildcard_is_no_address_to_connect_to(host: str, shown: str) -> None:
    assert reachable(Address(host, 1)).host == shown


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((), "default"),
        ((Route("observe"),), "observe"),
        ((Route("aggressive", Match(model="x")),), "aggressive, then default"),
        ((Route("aggressive", Match(model="x")), Route("observe")), "aggressive, then observe"),
    ],
)
def test_the_policies_in_use_are_named_in_order(entries: tuple[Route, ...], expected: str) -> None:
    settings = load_settings(Request(environ={"HOME": "/h"}))
    assert policies(msgspec.structs.replace(settings, routes=Routes(entries, {}))) == expected

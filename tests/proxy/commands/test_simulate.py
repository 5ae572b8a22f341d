"""`holdfast simulate`, and `holdfast serve` in front of it: no key, no network."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.commands import simulate
from proxy.errors import ConfigError
from tests.proxy.commands.test_serve import serving


@contextmanager
def simulating() -> Iterator[str]:
    """The URL of a simulated provider."""
    command = [sys.executable, "-m", "proxy.cli", "simulate"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        yield found.group()
    finally:
        process.kill()
        process.communicate()


def ask(url: str) -> tuple[dict[str, object], dict[str, str]]:
    """An answer of the Anthropic API, and the headers that Holdfast added."""
    body = {"model": "claude-sonnet-4-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"content-type": "application/json", "x-api-key": "sk-fake", "anthropic-version": "2023-06-01"}
    request = urllib.request.Request(f"{url}/v1/messages", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        added = {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith("x-holdfast")}
        return json.load(answer), added


def test_an_agent_gets_the_same_answer_through_the_proxy(tmp_path: Path) -> None:
    with simulating() as provider, serving(tmp_path, "--upstream", f"anthropic={provider}") as (_, line):
        base = line.split()[2]
        direct, none = ask(provider)
        through, added = ask(base)
    assert through["content"] == direct["content"] and through["role"] == "assistant"
    assert none == {} and added["x-holdfast-turn"] == "1"


def test_a_bad_file_does_not_stop_a_running_proxy(tmp_path: Path) -> None:
    config = tmp_path / "holdfast.yaml"
    config.write_text("routes: [{policy: default}]\n")
    flags = ("--config", str(config))
    with simulating() as provider, serving(tmp_path, "--upstream", f"anthropic={provider}", *flags) as (_, line):
        base = line.split()[2]
        assert "x-holdfast-turn" in ask(base)[1]
        config.write_text("routes: [{polciy: default}]\n")
        assert "x-holdfast-turn" in ask(base)[1]


def test_a_model_that_nobody_describes_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="no profile describes the model `nonsense`"):
        simulate.run("127.0.0.1", 0, "nonsense")

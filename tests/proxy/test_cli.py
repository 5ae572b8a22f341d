"""The command line: what there is, exit statuses, one line for each error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy import cli
from proxy.cli import COMMANDS, main
from proxy.commands.terminal import wants_colour
from proxy.errors import StoreError


def run(*argv: str, environ: dict[str, str] | None = None) -> int:
    """The exit status; argparse's own way out included."""
    try:
        return main(argv, environ or {})
    except SystemExit as leaving:
        assert isinstance(leaving.code, int)
        return leaving.code


def program(*argv: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "proxy.cli", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},  # noqa: TID251  the child needs PATH and the like
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example_of_itself(
    command: cli.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command.name.split(), "--help") == 0
    text = capsys.readouterr().out
    assert f"example:\n  {command.example}" in text
    assert command.example.startswith(f"holdfast {command.name}")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_example_can_be_parsed(command: cli.Command) -> None:
    words = command.example.partition(" > ")[0].replace("*", "x").split()
    assert cli._parser().parse_args(words[1:]).command is command


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(command.name.split()[0] in text for command in COMMANDS)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["serv"], "holdfast: argument COMMAND: invalid choice: 'serv'"),
        (["models", "--fromat", "json"], "holdfast: unrecognized arguments: --fromat"),
        (["policy"], "holdfast policy: the following arguments are required: COMMAND; see `holdfast policy --help`"),
        (["serve", "--upstream", "x"], "holdfast serve: argument --upstream: write NAME=URL"),
        (["serve", "--port", "high"], "--port: `port` is `high`; allowed: a whole number from 0 to 65535"),
        (["serve", "--store", "x://u:hunter2@h"], "--store: `store` is `x://***@h`; allowed: "),
        (["serve", "--policy", "agressive"], "--policy: unknown policy `agressive`; did you mean `aggressive`?"),
        (["serve", "--config", "nowhere.yaml"], "nowhere.yaml: cannot be read: no such file or directory"),
        (["serve", "--upstream", "a b=http://h"], "--upstream: `a b` cannot name an upstream; allowed: "),
        (
            ["simulate", "--port", "70000"],
            "holdfast simulate: argument --port: a whole number from 0 to 65535 is allowed",
        ),
        (["policy", "show", "nothing"], "unknown policy `nothing`; allowed: "),
    ],
)
def test_bad_usage_is_one_line_and_status_2(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*argv, environ={"HOME": "/nowhere"}) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message) and captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_flag_cannot_be_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "--pol", "observe") == 2


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (StoreError("the file\nis locked"), 1, "holdfast: the file is locked\n"),
        (OSError("cannot listen"), 1, "holdfast: cannot listen\n"),
        (KeyboardInterrupt(), 1, ""),
    ],
)
def test_what_fails_is_one_line_and_status_1(
    error: BaseException,
    status: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(call: cli.Call) -> int:
        raise error

    failing = cli.Command("models", "fail", "holdfast models", COMMANDS[-1].arguments, fail)
    monkeypatch.setattr(cli, "COMMANDS", (failing,))
    assert run("models") == status
    assert capsys.readouterr().err == line


def test_no_heavy_module_is_imported_for_help() -> None:
    code = (
        "import sys, proxy.cli\n"
        "try: proxy.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'httpx', 'uvicorn', 'yaml', 'msgspec', 'aiohttp', 'tiktoken', 'prometheus_client'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_the_program_reports_its_version_and_status() -> None:
    answer = program("--version")
    assert answer.returncode == 0 and answer.stdout.startswith("holdfast ")
    answer = program("policy", "check", "nothing.yaml")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "nothing.yaml: cannot be read: no such file or directory\n"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m proxy.cli policy schema | true; echo ${{PIPESTATUS[0]}}"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert (answer.stdout, answer.stderr) == ("0\n", "")


class Terminal:
    """A stream that is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "colour"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_that_want_it(environ: dict[str, str], colour: bool) -> None:
    assert wants_colour(Terminal(), environ) is colour  # type: ignore[arg-type]
    with Path(os.devnull).open("w") as file:
        assert wants_colour(file, environ) is False


def test_a_table_for_programs_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["models"], ["models", "gpt-5"], ["policy", "check", "default"], ["policy", "show", "observe"]):
        assert run(*argv, "--format", "json") == 0
        assert json.loads(capsys.readouterr().out)

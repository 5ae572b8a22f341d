"""The agent's process: its status is ours, the terminal is its own, signals reach it once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.commands.run_child import Unrunnable, find
from tests.end_to_end.running import ROOT, environment, wait_until
from tests.proxy.commands.console import CONTROL_C, CONTROL_Z, Console, console

PROGRAM = """
import os, sys
from proxy.commands import run_child
try:
    status = run_child.run(sys.argv[1:], os.environ, run_child.find(sys.argv[1], os.environ))
    print(f"status {status}", flush=True)
except run_child.Unrunnable as error:
    print(error, error.status, flush=True)
"""

RAW = """
import os, signal, sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
print("in raw mode", end="\\r\\n", flush=True)
while (key := os.read(0, 1)) != b"q":
    if key == b"\\x1a":
        termios.tcsetattr(0, termios.TCSANOW, before)
        os.kill(os.getpid(), signal.SIGTSTP)
        tty.setraw(0)
    print("key", key, end="\\r\\n", flush=True)
termios.tcsetattr(0, termios.TCSANOW, before)
"""
"""A full-screen program in small: it reads Ctrl-Z as a key, puts the terminal back and stops itself."""

COUNTING = """
import os, signal, time
caught = []
signal.signal(signal.SIGINT, lambda *_: (caught.append(1), print("caught", flush=True)))
signal.signal(signal.SIGQUIT, lambda *_: (print("total", len(caught), flush=True), os._exit(6)))
print("up", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture(scope="module", autouse=True)
def heard() -> Iterator[None]:
    """What starts tests in the background may ignore signals, and every child inherits that: these are heard here."""
    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, {"PYTHONPATH": str(ROOT)})


@pytest.fixture
def terminal(tmp_path: Path, environ: dict[str, str]) -> Iterator[Console]:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "raw.py").write_text(RAW)
    (tmp_path / "counting.py").write_text(COUNTING)
    with console(tmp_path, environ) as opened:
        yield opened


def started(environ: dict[str, str], script: str) -> "subprocess.Popen[str]":
    """Without a terminal, in a session of its own. The child says `ready` when it is."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "sh", "-c", script],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environ, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def rest(process: "subprocess.Popen[str]") -> str:
    """What else it prints. (`communicate` would lose what was read ahead with the first line.)"""
    assert process.stdout
    limit = threading.Timer(20, process.kill)
    limit.start()
    try:
        return process.stdout.read()
    finally:
        limit.cancel()
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_its_status_is_the_status(script: str, status: int, environ: dict[str, str]) -> None:
    assert rest(started(environ, f"echo ready; {script}")) == f"status {status}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT])
def test_a_signal_to_us_alone_is_passed_on_once(number: signal.Signals, environ: dict[str, str]) -> None:
    name = number.name.removeprefix("SIG")
    process = started(
        environ, f'trap "echo got; n=1" {name}; echo ready; while [ -z "$n" ]; do sleep 0.05; done; exit 9'
    )
    process.send_signal(number)
    assert rest(process) == "got\nstatus 9\n"


def test_a_signal_that_is_ignored_is_ignored_by_both(environ: dict[str, str]) -> None:
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", PROGRAM]
    command += ["sh", "-c", "echo ready; sleep 0.3; echo alive"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True, start_new_session=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGHUP)
    assert rest(process) == "alive\nstatus 0\n"


def test_without_a_terminal_a_child_that_stops_is_waited_for(environ: dict[str, str]) -> None:
    process = started(environ, "echo ready; echo $$; kill -STOP $$; exit 4")
    assert process.stdout
    child = int(process.stdout.readline())
    stat = Path(f"/proc/{child}/stat")
    if not stat.exists():
        pytest.skip("no /proc: whether a process is stopped cannot be seen here")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
    time.sleep(0.2)  # longer than it looks whether the child goes on
    os.kill(child, signal.SIGCONT)
    assert rest(process) == "status 4\n"


def test_control_c_reaches_the_child_once_and_the_child_decides(terminal: Console) -> None:
    terminal.type(f"{sys.executable} program.py {sys.executable} counting.py\n")
    terminal.expect("up\r\n")
    terminal.type(CONTROL_C)
    terminal.expect("caught\r\n")
    terminal.type(CONTROL_C)
    terminal.expect("caught\r\n")
    terminal.type("\x1c")  # Ctrl-\\ sends SIGQUIT
    assert terminal.expect(r"total (\d+)\r\n")[1] == "2"
    terminal.expect("status 6\r\n")


def test_control_c_ends_a_child_that_dies_of_it(terminal: Console) -> None:
    terminal.type(f"{sys.executable} program.py sh -c 'echo up; exec sleep 60'\n")
    terminal.expect("up\r\n")
    terminal.type(CONTROL_C)
    terminal.expect("status 130\r\n")


def test_control_z_stops_both_and_fg_continues_both(terminal: Console) -> None:
    terminal.type(f"{sys.executable} program.py sh -c 'echo up; read line; echo \"it read $line\"; exit 3'\n")
    terminal.expect("up\r\n")
    terminal.type(CONTROL_Z)
    terminal.expect("Stopped")
    terminal.type("fg\n")
    terminal.expect("program.py")
    terminal.type("again\n")
    terminal.expect("it read again\r\n")
    terminal.expect("status 3\r\n")


def test_a_full_screen_program_has_every_key_and_stops_us_with_itself(terminal: Console) -> None:
    terminal.type(f"{sys.executable} program.py {sys.executable} raw.py\n")
    terminal.expect("in raw mode")
    terminal.type(CONTROL_C)
    terminal.expect(r"key b'\\x03'")
    terminal.type(CONTROL_Z)
    terminal.expect("Stopped")
    terminal.type("fg\n")
    terminal.expect(r"key b'\\x1a'")
    terminal.type("q")
    terminal.expect("status 0\r\n")


def test_the_terminal_is_as_without_us(terminal: Console) -> None:
    probe = "stty -g; stty size; tty; for n in 0 1 2; do [ -t $n ] && echo tty $n; done; ps -o pgid=,tpgid= -p $$"
    terminal.type(f"sh -c '{probe}; echo di''rect'\n")
    shown = terminal.expect(r"(?s)(\S+:\S+)\r\n(33 101\r\n.*?tty 2\r\n)\s*(\d+)\s+(\d+)\r\ndirect")
    terminal.type(f"{sys.executable} program.py sh -c '{probe}; echo un''der'\n")
    under = terminal.expect(r"(?s)(\S+:\S+)\r\n(33 101\r\n.*?tty 2\r\n)\s*(\d+)\s+(\d+)\r\nunder")
    assert under.group(1, 2) == shown.group(1, 2)
    assert shown[3] == shown[4] and under[3] == under[4]  # in the terminal's foreground


def test_a_new_size_reaches_the_child(terminal: Console) -> None:
    script = "import signal,os; signal.signal(signal.SIGWINCH, lambda *_: print(os.get_terminal_size(), flush=True)); "
    script += "print('up', flush=True); input()"
    terminal.type(f'{sys.executable} program.py {sys.executable} -c "{script}"\n')
    terminal.expect("up\r\n")
    terminal.resize(40, 120)
    terminal.expect(r"columns=120, lines=40")
    terminal.type("\n")
    terminal.expect("status 0")


def test_a_command_that_is_not_there_is_127_and_the_nearest_is_named(tmp_path: Path) -> None:
    program = tmp_path / "claude-code"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(Unrunnable, match="`claude-cdoe` is not found; did you mean `claude-code`?") as caught:
        find("claude-cdoe", {"PATH": f"{tmp_path}:{tmp_path / 'nowhere'}"})
    assert caught.value.status == 127
    with pytest.raises(Unrunnable, match="^`xyzzy` is not found$"):
        find("xyzzy", {"PATH": str(tmp_path)})
    assert find("claude-code", {"PATH": str(tmp_path)}) == str(program)


def test_a_file_that_is_no_program_is_126(tmp_path: Path, environ: dict[str, str]) -> None:
    text = tmp_path / "notes"
    text.write_text("not a program")
    with pytest.raises(Unrunnable, match="cannot be executed") as caught:
        find(str(text), {})
    assert caught.value.status == 126
    text.chmod(0o755)
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, text], env=environ, capture_output=True, text=True, timeout=30
    )
    assert answer.stdout == f"`{text}`: exec format error 126\n"
    text.write_text("#!/no/such/interpreter\n")
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, text], env=environ, capture_output=True, text=True, timeout=30
    )
    assert answer.stdout == f"`{text}`: no such file or directory 127\n"

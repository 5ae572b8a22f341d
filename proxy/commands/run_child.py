"""The agent as a child process that has the terminal to itself.

Rules of this room: the child inherits the three streams, the process group and the controlling terminal, so
what the terminal sends (Ctrl-C, Ctrl-Z, a new size) reaches it without us; we must only not die of it first.
What is sent to us alone is passed on. It must not know what the child is for.
"""

import difflib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

NOT_FOUND, NOT_EXECUTABLE, KILLED = 127, 126, 128
"""Statuses as shells give them; KILLED plus the signal's number."""

OF_TERMINALS = (signal.SIGINT, signal.SIGQUIT)
"""A terminal sends these to its whole foreground group."""
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT)

CONTINUING = 0.05
"""Seconds in which a child that was stopped together with us is continued together with us."""


class Unrunnable(Exception):
    """The command cannot be run; `status` is the exit status that says so."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


def find(name: str, environ: Mapping[str, str]) -> str:
    """The file of a command. Raises Unrunnable."""
    path = environ.get("PATH", os.defpath)
    if found := shutil.which(name, path=path):
        return found
    if os.path.lexists(name) and ("/" in name or Path(name).is_dir()):
        raise Unrunnable(f"`{name}` cannot be executed", NOT_EXECUTABLE)
    nearest = difflib.get_close_matches(name, _commands(path), n=1, cutoff=0.75)
    raise Unrunnable(f"`{name}` is not found{f'; did you mean `{nearest[0]}`?' if nearest else ''}", NOT_FOUND)


def run(argv: Sequence[str], environ: Mapping[str, str], program: str) -> int:
    """Run it to its end; its exit status. Raises Unrunnable."""
    child = _Child()
    with child.signals():
        try:
            process = subprocess.Popen(argv, executable=program, env=environ)
        except OSError as error:
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            raise Unrunnable(f"`{argv[0]}`: {(error.strerror or 'unknown reason').lower()}", status) from None
        child.began(process.pid)
        process.returncode = os.waitstatus_to_exitcode(child.wait())
    return process.returncode if process.returncode >= 0 else KILLED - process.returncode


class _Child:
    """One child, with the signals that come while it runs."""

    def __init__(self) -> None:
        self._pid = 0
        self._early: list[int] = []

    def began(self, pid: int) -> None:
        self._pid = pid
        for number in self._early:
            self._send(number)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Handle ours until left. One that is ignored stays so, for the child as well (`nohup`)."""
        numbers = [n for n in (*OF_TERMINALS, *PASSED_ON) if signal.getsignal(n) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._caught) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait(self) -> int:
        """The status at its end. When it stops itself, as on Ctrl-Z in a full-screen program, so do we."""
        while True:
            _, status = os.waitpid(self._pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                time.sleep(CONTINUING)
                pid, later = os.waitpid(self._pid, os.WUNTRACED | os.WCONTINUED | os.WNOHANG)
                if not pid and _in_foreground():  # else there is no shell that waits for us to stop
                    os.kill(os.getpid(), os.WSTOPSIG(status))
                status = later if pid else status
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self._pid = 0
                return status

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if number in OF_TERMINALS and _in_foreground():
            return  # the terminal has sent it to the child as well
        self._send(number)

    def _send(self, number: int) -> None:
        if not self._pid:
            self._early.append(number)
            return
        try:
            os.kill(self._pid, number)
        except ProcessLookupError:
            pass


def _in_foreground() -> bool:
    """Whether our process group, and with it the child, is the one that the terminal sends signals to."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _commands(path: str) -> list[str]:
    """The names of all commands."""
    names: set[str] = set()
    for folder in path.split(os.pathsep):
        try:
            names.update(os.listdir(folder or "."))
        except OSError:
            continue
    return sorted(names)

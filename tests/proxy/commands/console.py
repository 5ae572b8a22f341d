"""A real terminal for a test: an interactive shell on a pseudo-terminal, to type at and to read from.

What is started is one session; it ends with the console, by its own process id.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 30.0
CONTROL_C, CONTROL_Z = "\x03", "\x1a"

LEADER = "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Takes the terminal as its own before it becomes the shell."""


class Console:
    def __init__(self, master: int, shell: "subprocess.Popen[bytes]") -> None:
        self._master, self._shell = master, shell
        self._seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def expect(self, pattern: str) -> re.Match[str]:
        """The next place where this pattern stands in what the terminal shows; what is before it is let go."""
        limit = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self._seen)) is None:
            ready, _, _ = select.select([self._master], [], [], max(0.0, limit - time.monotonic()))
            assert ready, f"`{pattern}` did not come; on the screen: {self._seen!r}"
            self._seen += os.read(self._master, 65536).decode(errors="replace")
        self._seen = self._seen[found.end() :]
        return found

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def console(folder: Path, environ: Mapping[str, str]) -> Iterator[Console]:
    """An interactive bash without anybody's settings, in `folder`."""
    master, slave = os.openpty()
    try:
        shell = subprocess.Popen(
            [sys.executable, "-c", LEADER, "bash", "--norc", "--noprofile", "--noediting", "-i"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**environ, "PS1": "> ", "TERM": "xterm", "HISTFILE": ""},
            start_new_session=True,
        )
        os.close(slave)
        opened = Console(master, shell)
        try:
            opened.resize(33, 101)
            opened.type("stty -echo; echo rea''dy\n")
            opened.expect("ready")
            yield opened
        finally:
            _end(shell)
    finally:
        os.close(master)


def _end(shell: "subprocess.Popen[bytes]") -> None:
    """The shell, and whatever still runs in its jobs: a terminal that is gone hangs up on all of them."""
    shell.send_signal(signal.SIGHUP)
    try:
        shell.wait(5)
    except subprocess.TimeoutExpired:
        shell.kill()
        shell.wait()

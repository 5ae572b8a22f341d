"""The tools of every agent in this room: read a file, run a command, replace a text.

Rules of this room: the standard library only. Signatures and docstrings are what the libraries show to the
model, so they have the form (Google's) that all of them read.
"""

import subprocess
from pathlib import Path

SYSTEM = "You are a careful engineer. Read before you write, change as little as possible, and check your work."


def read(path: str) -> str:
    """Read a whole file.

    Args:
        path: where it is, relative to the workspace.
    """
    return Path(path).read_text(encoding="utf-8")


def shell(command: str) -> str:
    """Run one command line in the workspace.

    Args:
        command: the command line.
    """
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    return f"{done.stdout}{done.stderr}exit status {done.returncode}"


def edit(path: str, old: str, new: str) -> str:
    """Replace the only occurrence of a text in a file.

    Args:
        path: where the file is, relative to the workspace.
        old: the text that goes.
        new: the text that comes.
    """
    file = Path(path)
    before, after = file.read_text(encoding="utf-8").split(old)
    file.write_text(before + new + after, encoding="utf-8")
    return "replaced"

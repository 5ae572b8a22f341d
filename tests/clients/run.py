"""Runs one client to its end: a process group of its own, a scratch home, a time limit, no other host.

Rules of this room: the environment is built from nothing but PATH; a client that wants another host meets a
closed port of this machine. Only the group that was started here is ended, by its id.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.clients.client import INSTALLED, Client, Place


@dataclass(frozen=True)
class Finished:
    status: int | None
    """None: the time was over."""
    output: str
    errors: str
    seconds: float


def run(client: Client, place: Place) -> Finished:
    place.home.mkdir(parents=True, exist_ok=True)
    client.prepare(place)
    output, errors = place.home / "output", place.home / "errors"
    with _nowhere() as proxy, output.open("wb") as out, errors.open("wb") as err:
        begun = time.monotonic()
        process = subprocess.Popen(
            client.command(place),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=place.work,
            env={**_environment(place.home, proxy), **client.environ(place)},
            start_new_session=True,
        )
        status = _wait(process, client.patience)
        seconds = time.monotonic() - begun
    return Finished(status, _text(output), _text(errors), seconds)


def _wait(process: "subprocess.Popen[bytes]", patience: float) -> int | None:
    """Its exit status; whatever it left running is ended too."""
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@contextmanager
def _nowhere() -> Iterator[str]:
    """An address where nobody listens, and where nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def _environment(home: Path, proxy: str) -> Mapping[str, str]:
    # npm 9 does not link the program of a package that came for one platform
    nodes = [str(path) for path in (INSTALLED / "npm" / "node_modules").glob("node-*/bin")]
    env = {"PATH": ":".join([*nodes, os.environ["PATH"]]), "HOME": str(home), "TMPDIR": str(home), "TERM": "dumb"}  # noqa: TID251
    env |= {"LANG": "C.UTF-8", "NO_COLOR": "1", "CI": "1", "NO_PROXY": "127.0.0.1,localhost"}
    env |= {name: proxy for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
    return env | {name.lower(): value for name, value in env.items() if name.endswith("_PROXY")}

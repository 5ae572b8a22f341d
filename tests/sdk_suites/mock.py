"""`steady`, the mock server that the vendors test their SDKs with: it refuses what its description does not allow.

Rules of this room: on loopback and a free port; the group of processes that was started is ended by its id.
"""

import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from tests.end_to_end.running import environment, wait_until
from tests.sdk_suites.install import Installed
from tests.sdk_suites.suites import Suite

PATIENCE = 30.0


@contextmanager
def mock(suite: Suite, installed: Installed, folder: Path) -> Iterator[str]:
    """Its URL; what it says goes to a file in `folder`."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(installed.mock), "--quiet", "--host", "127.0.0.1", "--port", str(port), *suite.options]
    with (folder / "mock.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(installed.description)],
            stdout=log,
            stderr=log,
            env=environment(folder, {"NO_COLOR": "1"}),
            start_new_session=True,  # the command is a script that starts the server
        )
        try:
            wait_until(lambda: process.poll() is not None or _is_up(url), PATIENCE)
            if process.poll() is not None:
                raise RuntimeError(f"the mock server ended: {(folder / 'mock.log').read_text()}")
            yield url
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_x-steady/health", timeout=PATIENCE):
            return True
    except URLError:
        return False

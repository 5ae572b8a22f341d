"""Scripted exchanges of Varnish's test tool (Debian: `varnish`) around Holdfast: client and server are not ours.

Each script of vtc/ is one exchange. `${proxy}` is Holdfast, `${upstream}` is where it sends Anthropic's and
OpenAI's requests; a script starts its own server there.
"""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import Holdfast, holdfast

SCRIPTS = sorted((Path(__file__).parent / "vtc").glob("*.vtc"))

pytestmark = pytest.mark.skipif(shutil.which("varnishtest") is None, reason="no varnishtest (Debian: varnish)")


@pytest.fixture(scope="module")
def upstream() -> str:
    """An address where the scripts listen, one after another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def proxy(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    urls = dict.fromkeys(("anthropic", "openai"), f"http://{upstream}")
    with holdfast(tmp_path_factory.mktemp("proxy"), urls) as running:
        yield running


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_exchange_goes_as_scripted(script: Path, upstream: str, proxy: Holdfast) -> None:
    addresses = (f"-Dupstream={upstream}", f"-Dproxy={proxy.url.removeprefix('http://')}")
    command = ["varnishtest", *addresses, "-t", "20", str(script)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr

"""`holdfast intercept`, mitmdump and agents as child processes.

Everything is on loopback and on free ports; what was started is ended by its own process id.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proxy.intercept.authority import NAME, Authority, folder_of, variables
from tests.end_to_end.running import ROOT, Holdfast, environment
from tests.proxy.intercept.running import Trust


@dataclass
class Intercept(Holdfast):
    """A running forward proxy; `url` is its own."""

    authority: Authority

    def environment(self, folder: Path) -> dict[str, str]:
        """Of an agent. In earnest loopback is not proxied; here the providers are on it."""
        return environment(folder, {**variables(self.url, self.authority), "NO_PROXY": "", "no_proxy": ""})


@contextmanager
def intercept(folder: Path, trust: Trust, upstreams: Mapping[str, str], *flags: str) -> Iterator[Intercept]:
    """`holdfast intercept` with its state in `folder`. It must end well when asked to, unless it was killed."""
    command = [sys.executable, "-m", "proxy.cli", "intercept", "--port", "0", "--admin-port", "0"]
    command += ["--store", f"sqlite:///{folder}/state.db", *flags]
    command += [word for name, url in upstreams.items() for word in ("--upstream", f"{name}={url}")]
    mine = environment(folder, {"HOLDFAST_CA_FILE": str(trust.certificate)})
    with _child(command, mine, folder, r"holdfast intercepts at (\S+) \(admin (\S+)\)\n") as (process, found, errors):
        yield Intercept(process, found[1], found[2], errors, Authority(folder_of(mine)))


@contextmanager
def mitmdump(folder: Path, trust: Trust, upstreams: Mapping[str, str]) -> Iterator[Intercept]:
    """mitmproxy's own program with our script, configured by variables."""
    script = ROOT / "proxy" / "intercept" / "script.py"
    own = folder / "mitmproxy"
    command = [str(Path(sys.executable).parent / "mitmdump"), "--listen-host", "127.0.0.1", "--listen-port", "0"]
    command += ["--set", f"confdir={own}", "--set", f"ssl_verify_upstream_trusted_ca={trust.certificate}"]
    command += ["-s", str(script)]
    configured = {f"HOLDFAST_UPSTREAMS__{name.upper()}__URL": url for name, url in upstreams.items()}
    mine = environment(folder, {"HOLDFAST_STORE": f"sqlite:///{folder}/state.db", **configured})
    with _child(command, mine, folder, r".*proxy listening at (\S+)\.\n") as (process, found, errors):
        certificate = (own / f"{NAME}-ca-cert.pem").read_bytes()
        (own / "bundle.pem").write_bytes(certificate)
        yield Intercept(process, f"http://{found[1]}", "", errors, Authority(own))


@contextmanager
def _child(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, ready: str
) -> Iterator[tuple["subprocess.Popen[bytes]", "re.Match[str]", Path]]:
    """Once a line says that it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = folder / "stderr.log"
    with errors.open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=dict(environ))
        try:
            assert process.stdout
            found = next(filter(None, (re.fullmatch(ready, line.decode()) for line in process.stdout)), None)
            assert found, errors.read_text()
            yield process, found, errors
            if process.poll() != -signal.SIGKILL:
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0, errors.read_text()
                assert "Traceback" not in errors.read_text(), errors.read_text()
        finally:
            process.kill()
            process.communicate()


def agent(environ: Mapping[str, str], *urls: str) -> Any:
    """What the agent of the end-to-end tests says that it saw."""
    # mitmproxy and the SDKs want different versions of the same packages, so they live in two environments
    python = os.environ.get("AGENT_PYTHON", sys.executable)  # noqa: TID251  the test run's own switch
    command = [python, "-W", "ignore", str(ROOT / "tests" / "end_to_end" / "sdk_agent.py"), *urls]
    ended = subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=100)
    if "No module named" in ended.stderr:
        pytest.skip("no SDKs for the agent: AGENT_PYTHON can name a Python that has them")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def direct(trust: Trust, folder: Path) -> dict[str, str]:
    """The environment of an agent without a proxy, that trusts the providers."""
    return environment(folder, {"SSL_CERT_FILE": str(trust.certificate)})

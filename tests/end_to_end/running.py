"""`holdfast serve` as a child process, and upstreams to put behind it, in threads of the test's process.

Everything is on loopback and on free ports; what was started is ended by its own process id.
"""

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Receive, Scope, Send

from policies.core.profile import Profile
from proxy.simulator.app import create
from proxy.simulator.brains import Brain
from proxy.simulator.records import Record
from proxy.simulator.serve import listen, server
from proxy.tokens import Counters


def _counters() -> Counters:
    """With their vocabularies, so that no test pays for loading them."""
    counters = Counters()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the package that brings them, when it is imported
        counters.load("o200k_base")
        counters.load("cl100k_base")
    return counters


COUNTERS = _counters()
ROOT = Path(__file__).resolve().parent.parent.parent

UNSHAPED = "shape: {lossless: false, numbers: false, repeats: false}\n"
"""Of a policy file: whatever a tool says is sent as it came."""

PATIENCE = 10.0
NOW = 1_800_000_000.0
NAMES = ("anthropic", "openai", "gemini")


@dataclass
class Stage:
    """An upstream whose application is changed between acts, on one port for each provider."""

    app: ASGIApp
    urls: dict[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    """The port of each request, in order of arrival."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.ports.append(scope["server"][1])
        await self.app(scope, receive, send)

    def simulate(self, brain: Brain, profiles: tuple[Profile, ...], **options: Any) -> list[Record]:
        """A provider that knows nothing yet, at a time that stands still; its log."""
        app = create(**{"brain": brain, "profiles": profiles, "clock": lambda: NOW, **options})
        self.app = app
        return cast("list[Record]", app.state.log.records)

    def names(self) -> list[str]:
        """Which upstream each request came to."""
        by_port = {int(url.rpartition(":")[2]): name for name, url in self.urls.items()}
        return [by_port[port] for port in self.ports]


@contextmanager
def stage(certificate: tuple[Path, Path] | None = None) -> Iterator[Stage]:
    """Served until the block is left; over TLS with a certificate and its key."""
    stage = Stage(create())
    listeners = [listen("127.0.0.1", 0) for _ in NAMES]
    scheme = "https" if certificate else "http"
    for name, listener in zip(NAMES, listeners, strict=True):
        stage.urls[name] = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    web = server(stage)  # type: ignore[arg-type]  # any application will do
    if certificate:
        web.config.ssl_certfile, web.config.ssl_keyfile = map(str, certificate)
    thread = threading.Thread(target=web.run, kwargs={"sockets": listeners}, daemon=True)
    thread.start()
    try:
        yield stage
    finally:
        web.should_exit = True
        thread.join(PATIENCE)
        for listener in listeners:
            listener.close()
        assert not thread.is_alive()


def done(records: Sequence[Record], number: int) -> Sequence[Record]:
    """The log, once so many requests are over."""
    wait_until(lambda: len(records) >= number and all(record.done for record in records))
    return records


@dataclass
class Numbers:
    """What /metrics says."""

    text: str

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of this name with these labels."""
        return sum(value for _, value in self.series(name, **labels))

    def series(self, name: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
        """Only lines of that name are parsed: there are thousands of others."""
        lines = "".join(f"{line}\n" for line in self.text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
        return [
            (sample.labels, sample.value)
            for metric in text_string_to_metric_families(lines)
            for sample in metric.samples
            if labels.items() <= sample.labels.items()
        ]


@dataclass
class Holdfast:
    """A running proxy."""

    process: "subprocess.Popen[bytes]"
    url: str
    admin: str
    errors: Path
    """Its standard error."""

    def numbers(self) -> Numbers:
        with urllib.request.urlopen(f"{self.admin}/metrics", timeout=PATIENCE) as answer:
            return Numbers(bytes(answer.read()).decode())

    def settled(self, exchanges: int) -> Numbers:
        """/metrics, once so many exchanges are accounted for: that happens after the client has its answer."""
        wait_until(lambda: self._settled() >= exchanges)
        assert self._settled() == exchanges
        return self.numbers()

    def _settled(self) -> float:
        return self.numbers().total("holdfast_overhead_seconds_count", phase="settle")

    def kill(self) -> None:
        """kill -9: nothing is finished, nothing is flushed."""
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def holdfast(
    folder: Path, upstreams: Mapping[str, str], *flags: str, environ: Mapping[str, str] | None = None
) -> Iterator[Holdfast]:
    """A proxy whose state is in `folder`. It must end well when asked to, unless it was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = folder / "stderr.log"
    command = [sys.executable, "-m", "proxy.cli", "serve", "--port", "0", "--admin-port", "0"]
    command += ["--store", f"sqlite:///{folder}/state.db", *flags]
    for name, url in upstreams.items():
        command += ["--upstream", f"{name}={url}"]
    with errors.open("ab") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=environment(folder, environ or {})
        )
        try:
            assert process.stdout
            line = process.stdout.readline().decode()
            found = re.fullmatch(r"holdfast serves (\S+) \(admin (\S+)\)\n", line)
            assert found, errors.read_text()
            yield Holdfast(process, found[1], found[2], errors)
            _end(process, errors)
        finally:
            process.kill()
            process.communicate()


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Of a child: a home of its own, and none of the settings that the tester may have."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}  # noqa: TID251  PATH etc.
    return {**mine, "HOME": str(folder), **more}


def _end(process: "subprocess.Popen[bytes]", errors: Path) -> None:
    if process.poll() == -signal.SIGKILL:
        return
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, errors.read_text()
    assert "Traceback" not in errors.read_text(), errors.read_text()


def wait_until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    limit = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


@dataclass
class Arrived:
    """One request as a raw upstream received it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


ANSWER = b'{"answer": "of the raw upstream"}'


class RawUpstream(http.server.ThreadingHTTPServer):
    """Records what arrives, byte for byte, and answers everything alike."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recording)
        self.arrived: list[Arrived] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Recording(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an acknowledgement

    def _answer(self) -> None:
        upstream = cast(RawUpstream, self.server)
        body = self._body()
        upstream.arrived.append(Arrived(self.command, self.path, list(self.headers.items()), body))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(ANSWER)

    do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = _answer

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") is None:
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def raw_upstream() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.shutdown()
        upstream.server_close()
        thread.join(PATIENCE)


def command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Another command of the program, with the same home and store."""
    return subprocess.run(
        [sys.executable, "-m", "proxy.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=environment(folder, {"HOLDFAST_STORE": f"sqlite:///{folder}/state.db"}),
    )

"""Ports are asked who is there, on real sockets: nobody, a Holdfast, or something else."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from proxy.config import Request, load_settings
from proxy.doctor.facts.ports import ask, holder, is_holdfast, leads_to_interception, look_at_ports
from proxy.doctor.finding import Finding
from proxy.doctor.ports import PortFact, check_ports
from tests.proxy.commands.test_serve import serving


def findings(**environ: object) -> list[Finding]:
    texts = {f"HOLDFAST_{name.upper()}": str(value) for name, value in environ.items()}
    return list(check_ports(look_at_ports(load_settings(Request(environ={"HOME": "/h", **texts})))))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def test_ports_that_nobody_has_are_free_and_stay_so() -> None:
    port, admin_port = free_port(), free_port()
    for _ in range(2):
        traffic, admin, _ = findings(port=port, admin_port=admin_port)
        assert (traffic.severity, traffic.what) == ("ok", f"127.0.0.1:{port} is free")
        assert admin.severity == "ok"
    assert findings(port=0, admin_port=0)[0].what == "127.0.0.1: a free one is taken at the start"


def test_a_running_holdfast_is_recognised_with_its_policies(tmp_path: Path) -> None:
    with serving(tmp_path, "--policy", "observe") as (_, line):
        port, admin_port = (int(part.strip(")").rpartition(":")[2]) for part in (line.split()[2], line.split()[-1]))
        traffic, admin, _ = findings(port=port, admin_port=admin_port)
        assert (traffic.severity, traffic.what) == ("ok", f"127.0.0.1:{port}: Holdfast is running")
        assert (admin.severity, admin.what) == (
            "ok",
            f"127.0.0.1:{admin_port}: Holdfast is running, policy: observe",
        )


@contextmanager
def web_server(**answers: str) -> Iterator[int]:
    """Some other program: it says ok to everything but the paths given."""

    class Ok(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers.get(self.path.strip("/"), "ok\n").encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Ok) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_another_program_that_answers_is_not_taken_for_a_holdfast() -> None:
    with web_server() as port:
        assert not is_holdfast("127.0.0.1", port)
        traffic, *_ = findings(port=port)
    assert traffic.severity == "failed" and traffic.type == "holdfast serve --port 0"
    assert f"(process {os.getpid()})" in traffic.what


def test_a_holdfast_that_does_not_tell_its_policies_is_one_all_the_same() -> None:
    with web_server(readyz="ready\n") as port:
        traffic, *_ = findings(port=port)
    assert (traffic.severity, traffic.what) == ("ok", f"127.0.0.1:{port}: Holdfast is running")


def test_a_program_that_says_nothing_ends_the_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert ask("127.0.0.1", port, "/healthz") == (0, "")
        assert holder(port).endswith(f"(process {os.getpid()})")


def test_who_holds_a_port_is_left_open_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert holder(1, tmp_path) == ""


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    traffic, *_ = findings(host="192.0.2.1", port=free_port())
    assert traffic.severity == "failed" and "this machine has no such address" in traffic.what
    assert traffic.type == "holdfast serve --host 127.0.0.1 --port 0"
    _, admin, _ = findings(admin_host="192.0.2.1", admin_token="t" * 20)
    assert admin.type == "unset HOLDFAST_ADMIN_HOST; holdfast serve --admin-port 0"


def test_a_port_open_to_the_network_is_told() -> None:
    found = findings(host="0.0.0.0", port=free_port())
    (warning,) = (finding for finding in found if finding.severity == "warning")
    assert (warning.where, warning.type) == ("traffic port", "holdfast serve --host 127.0.0.1")
    guarded = findings(admin_host="0.0.0.0", admin_port=free_port(), admin_token="t" * 20)
    assert [finding for finding in guarded if finding.severity == "warning"] == []


def test_one_port_for_two_things_fails() -> None:
    port = free_port()
    found = findings(port=port, admin_port=port)
    assert [finding.where for finding in found if finding.severity == "failed"] == ["admin port"]


def test_a_taken_port_for_interception_is_a_hint_only() -> None:
    fact = PortFact("intercept", "127.0.0.1", 8790, "other")
    (hint,) = check_ports([fact])
    assert (hint.severity, hint.type) == ("hint", "holdfast intercept --port 0")
    assert next(check_ports([replace(fact, state="holdfast")])).severity == "ok"


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://127.0.0.1:8790", True), ("http://localhost:8790/", True), ("http://proxy:8790", False)]
    + [("http://127.0.0.1:3128", False), ("", False), ("http://[", False)],
)
def test_a_proxy_variable_may_lead_to_interception(url: str, expected: bool) -> None:
    assert leads_to_interception(url) is expected

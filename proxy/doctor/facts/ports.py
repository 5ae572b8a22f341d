"""Asks each port who is there: a connection, then what only a Holdfast answers.

Rules of this room: at most a second a port; nothing is sent but a probe without any credential. A port is
free where a socket can be bound to it, and that socket is closed at once.
"""

import errno
import http.client
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from proxy.commands.clients import reachable
from proxy.config import Settings
from proxy.doctor.agents import is_loopback
from proxy.doctor.ports import PortFact
from proxy.server import Address

PATIENCE = 1.0
PROC = Path("/proc")
INTERCEPT_PORT = 8790
LISTENING = "0A"
"""The state of a socket in /proc/net/tcp (include/net/tcp_states.h)."""


def look_at_ports(settings: Settings) -> tuple[PortFact, ...]:
    protected = settings.admin_token is not None
    return (
        _look("traffic", settings.host, settings.port, protected=False),
        _look("admin", settings.admin_host, settings.admin_port, protected=protected),
        _look("intercept", "127.0.0.1", INTERCEPT_PORT, protected=True),
    )


def _look(role: str, host: str, port: int, *, protected: bool) -> PortFact:
    if port and is_open(host, port):
        if is_holdfast(host, port):
            return PortFact(role, host, port, "holdfast", _policies(host, port), protected)
        return PortFact(role, host, port, "other", holder(port), protected)
    problem = _why_not(host, port)
    return PortFact(role, host, port, "unusable" if problem else "free", problem, protected)


def is_open(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((reachable(Address(host, port)).host, port), PATIENCE):
            return True
    except (OSError, OverflowError):
        return False


def is_holdfast(host: str, port: int) -> bool:
    """Both probes, whose exact words no other program is likely to have."""
    up, _ = ask(host, port, "/healthz")
    ready, text = ask(host, port, "/readyz")
    return up == 200 and (ready == 200 and text == "ready\n" or ready == 503)


def ask(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and text of an answer; 0 where there is none that can be read."""
    connection = http.client.HTTPConnection(reachable(Address(host, port)).host, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(10_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def leads_to_interception(url: str) -> bool:
    """Whether a proxy variable names the usual port of `holdfast intercept` on this machine."""
    try:
        parts = urlsplit(url)
        return parts.port == INTERCEPT_PORT and is_loopback(parts.hostname or "")
    except ValueError:
        return False


def _policies(host: str, port: int) -> str:
    """What the admin port says of the policies in force; the traffic port, or one with a token, says nothing."""
    status, text = ask(host, port, "/api/status")
    try:
        names = json.loads(text)["policies"] if status == 200 else []
        return f"policy: {', then '.join(map(str, names))}" if names else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _why_not(host: str, port: int) -> str:
    """Why nothing can listen there; empty where it can."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        names = {errno.EADDRNOTAVAIL: "this machine has no such address", errno.EACCES: "ports below 1024 need root"}
        return names.get(error.errno or 0, (error.strerror or "unknown host").lower())
    return ""


def holder(port: int, proc: Path = PROC) -> str:
    """The program that listens on a port, where the system tells: name and process id."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    for process in proc.glob("[0-9]*") if sockets else ():
        try:
            if any(os.readlink(each) in sockets for each in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # another user's, or just gone
    return ""


def _inodes(port: int, proc: Path) -> Iterator[str]:
    wanted = struct.pack(">H", port).hex().upper()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[1].endswith(f":{wanted}") and fields[3] == LISTENING:
                yield fields[9]

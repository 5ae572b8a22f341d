"""The ports that Holdfast listens on: free, in use by a Holdfast, or by something else.

Rules of this room: pure. A port of Holdfast's own that is in use is no fault: it is already running.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from proxy.doctor.finding import Finding

WILDCARDS = ("0.0.0.0", "::")
OTHER_PORT = {
    "traffic": "holdfast serve --port 0",
    "admin": "holdfast serve --admin-port 0",
    "intercept": "holdfast intercept --port 0",
}
"""Port 0 takes a free one and prints it."""


@dataclass(frozen=True, slots=True)
class PortFact:
    role: str
    """`traffic`, `admin` or `intercept`."""
    host: str
    port: int
    state: Literal["free", "holdfast", "other", "unusable"]
    detail: str = ""
    """Who holds it, what a running Holdfast says of itself, or why it cannot be listened on."""
    protected: bool = True
    """Whether a token is asked for."""


def check_ports(facts: Sequence[PortFact]) -> Iterator[Finding]:
    for fact in facts:
        yield _port(fact)
        if fact.host in WILDCARDS and not fact.protected:
            what = f"{fact.host} lets everybody in the network send requests through it: it asks for no token"
            yield Finding("warning", f"{fact.role} port", what, "holdfast serve --host 127.0.0.1")
    ports = {fact.role: (fact.host, fact.port) for fact in facts if fact.port}
    if ports.get("traffic") and ports.get("traffic") == ports.get("admin"):
        what = f"traffic and admin are both to listen on {ports['admin'][1]}"
        yield Finding("failed", "admin port", what, "unset HOLDFAST_ADMIN_PORT; holdfast serve --admin-port 0")


def _port(fact: PortFact) -> Finding:
    where, at = f"{fact.role} port", f"{fact.host}:{fact.port}"
    match fact.state:
        case "free" if fact.port == 0:
            return Finding("ok", where, f"{fact.host}: a free one is taken at the start")
        case "free":
            return Finding("ok", where, f"{at} is free")
        case "holdfast":
            return Finding("ok", where, f"{at}: Holdfast is running{f', {fact.detail}' if fact.detail else ''}")
        case "other":
            severity = "hint" if fact.role == "intercept" else "failed"
            by = f" by {fact.detail}" if fact.detail else ""
            return Finding(severity, where, f"{at} is in use{by}", OTHER_PORT[fact.role])  # type: ignore[arg-type]
        case "unusable":
            return Finding("failed", where, f"{at} cannot be listened on: {fact.detail}", _elsewhere(fact.role))


def _elsewhere(role: str) -> str:
    if role == "admin":
        return "unset HOLDFAST_ADMIN_HOST; holdfast serve --admin-port 0"
    return f"holdfast {'serve' if role == 'traffic' else role} --host 127.0.0.1 --port 0"

"""How a relayed connection ends, and what each side is told of it.

Rules of this room: pure. A code that one side sent reaches the other with its reason. Where a connection just
breaks, the other side gets 1011, which RFC 6455 itself defines: 1014 (bad gateway) would say more, but was registered
later, and a library may take a code that it does not know for a protocol error.
"""

from dataclasses import dataclass
from enum import Enum

NO_STATUS = 1005
"""RFC 6455, section 7.4.1: a close frame without a code. Never sent; neither is the next."""
ABNORMAL = 1006
GOING_AWAY = 1001
INTERNAL = 1011
RESTART = 1012


class Cause(Enum):
    """Why it ended. The value is a metric label."""

    AGENT = "agent"
    """The agent closed."""
    UPSTREAM = "upstream"
    """The upstream closed."""
    AGENT_LOST = "agent_lost"
    """No close frame: the agent is gone, or broke the protocol, or a limit."""
    UPSTREAM_LOST = "upstream_lost"
    SILENT = "silent"
    """The upstream owed an answer for too long."""
    STALLED = "stalled"
    """A side took in nothing for too long."""
    IDLE = "idle"
    DRAINED = "drained"
    """Holdfast is stopping."""
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Close:
    """A close frame: `code` None for one without."""

    code: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class End:
    cause: Cause
    close: Close | None = None
    """As received, where one side closed."""
    detail: str = ""
    """For the log."""


def received(code: int, reason: str) -> Close | None:
    """The close frame behind what a library reports; None where there was none."""
    if code == ABNORMAL:
        return None
    return Close(None if code == NO_STATUS else code, reason)


def for_agent(end: End) -> Close:
    match end.cause:
        case Cause.UPSTREAM if end.close:
            return end.close
        case Cause.DRAINED:
            return Close(RESTART, "restarting")
        case Cause.IDLE:
            return Close(GOING_AWAY, "idle for too long")
        case Cause.SILENT:
            return Close(INTERNAL, "the upstream did not answer in time")
        case Cause.UPSTREAM_LOST:
            return Close(INTERNAL, "the upstream's connection broke off")
        case _:
            return Close(INTERNAL, "")


def for_upstream(end: End) -> Close:
    return end.close if end.cause is Cause.AGENT and end.close else Close(GOING_AWAY, "")

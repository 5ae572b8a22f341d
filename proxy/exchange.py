"""The one driver: `prepare` before a request leaves, `settle` after its answer has passed.

Shared by every front end and by replay. `prepare` never raises: its worst case is the original
bytes. It must not know HTTP: a front end hands over the body, decoded, and what it found in headers.
"""

from dataclasses import dataclass

from policies.core.plan import Plan
from policies.core.usage import Usage
from proxy.dialects import Dialect


@dataclass(frozen=True, slots=True)
class Request:
    """A request that creates a model answer, as a front end hands it over."""

    upstream: str
    """The configured upstream's name."""
    dialect: Dialect
    path: str
    """Below the upstream, for instance "/v1/messages"."""
    body: bytes
    """Decoded (no content encoding)."""
    credential: bytes = b""
    """The whole credential as sent; only its HMAC is ever kept."""
    session: str = ""
    """What the client calls this session, from a header; empty where it says nothing."""
    agent: str = "unknown"
    policy: str = ""
    """Policy asked for by header: a configured name, "off", or empty."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes upstream. `body` is the very same object as the request's where nothing was edited."""

    request: Request
    body: bytes
    headers: tuple[tuple[str, str], ...]
    """Response headers to add: x-holdfast-session, -turn, -plan, or x-holdfast-passthrough."""
    passthrough: str = ""
    """Why nothing was even looked at; empty where the request was planned."""
    plan: Plan | None = None


@dataclass(slots=True)
class Context:
    """Everything `prepare` and `settle` use that is not in the request."""


async def prepare(request: Request, context: Context, now: float) -> Prepared:
    """Decide what is sent. Never raises. `now`: seconds since the epoch at the request's start."""
    return Prepared(request, request.body, (), passthrough="not_planned")


async def settle(
    prepared: Prepared, context: Context, usage: Usage | None, now: float, *, status: int = 200
) -> None:
    """Account for an answer that has passed. Never raises. `usage`: as reported, None where it was not."""

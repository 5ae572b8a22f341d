"""Who is asking: the credential, the session and the agent, as a request's headers tell it.

Rules of this room: pure. The credential is the *whole* of what authenticates (a peer keyed a cache on
`token[:20]`: LiteLLM CVE-2026-35030), is returned once for hashing, and is never shortened, logged or
used to route. Session and agent are claims: they name and group, they grant nothing.

A signature is no credential to keep state under. It is another on every request, and what is the same in
all of them, the name of the key, is no secret: anybody could claim it, for signatures are checked
upstream and not here. So nothing is remembered of a signed request.
"""

import re
from collections.abc import Sequence

from proxy.headers import Pair, first, values

CREDENTIALS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")

SIGNATURE = b"aws4-"
"""How an `Authorization` over the whole request begins (AWS Signature Version 4), lower case."""

KEY_SUBPROTOCOL = b"openai-insecure-api-key."
"""How a browser, which can set no header, authenticates a WebSocket (openai-node, `beta/realtime/websocket.ts`)."""

SESSIONS = (b"session-id", b"session_id", b"x-session-id", b"thread-id")
"""Codex, older Codex, opencode, and Codex again, in the order they are believed."""

AGENTS: tuple[tuple[str, str], ...] = (
    ("claude-cli/", "claude-code"),
    ("codex_", "codex"),
    ("codex-", "codex"),
    ("geminicli", "gemini-cli"),
    ("opencode/", "opencode"),
    ("qwencode/", "qwen-code"),
    ("agents/python", "openai-agents"),
    ("agents/javascript", "openai-agents"),
    ("pydantic-ai/", "pydantic-ai"),
    ("langchain", "langchain"),
    ("aider", "aider"),
    ("litellm", "litellm"),
    ("openai/", "openai-sdk"),
    ("asyncopenai/", "openai-sdk"),
    ("anthropic/", "anthropic-sdk"),
    ("asyncanthropic/", "anthropic-sdk"),
    ("google-genai-sdk/", "google-genai"),
)
"""How a user agent begins, lower case, and whose it is. As seen on the wire; first match wins."""

UNKNOWN = "unknown"

_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:*-]{0,63}")
_SESSION = re.compile(rb"[\x21-\x7e]{1,200}")


def credential(headers: Sequence[Pair], query: bytes) -> bytes:
    """Everything in the request that authenticates it, in a form that no other set of values shares."""
    parts = [name + b"=" + value for name in CREDENTIALS for value in values(headers, name)]
    parts += [field for field in query.split(b"&") if field.startswith(b"key=")]
    parts += [word for word in _subprotocols(headers) if word.startswith(KEY_SUBPROTOCOL)]
    return b"\0".join(parts)


def _subprotocols(headers: Sequence[Pair]) -> list[bytes]:
    return [word.strip() for value in values(headers, b"sec-websocket-protocol") for word in value.split(b",")]


def shared(upstream: str) -> bytes:
    """In place of a credential, where all who use an upstream are one tenant. No credential is equal to it."""
    return b"upstream=" + upstream.encode()


def signed(headers: Sequence[Pair], query: bytes = b"") -> bool:
    """Whether a signature covers the body: with one byte changed the request would be refused."""
    return first(headers, b"authorization").lower().startswith(SIGNATURE) or b"X-Amz-Signature=" in query


def session(headers: Sequence[Pair]) -> str:
    """What the client calls this session; empty where it says nothing usable."""
    if named := _claim(headers, b"x-holdfast-session"):
        return named
    if named := _claim(headers, b"x-claude-code-session-id"):
        agent = _claim(headers, b"x-claude-code-agent-id")
        return f"{named}/{agent}" if agent else named
    return next((named for name in SESSIONS if (named := _claim(headers, name))), "")


def _claim(headers: Sequence[Pair], name: bytes) -> str:
    value = first(headers, name).strip()
    return value.decode("ascii") if _SESSION.fullmatch(value) else ""


def agent(headers: Sequence[Pair]) -> str:
    """A short name: stated in `x-holdfast-agent`, or known by the user agent, or "unknown"."""
    stated = first(headers, b"x-holdfast-agent").strip()
    if _NAME.fullmatch(stated):
        return stated.decode("ascii")
    seen = first(headers, b"user-agent").decode("latin-1").lower()
    return next((name for beginning, name in AGENTS if seen.startswith(beginning)), UNKNOWN)


def policy(headers: Sequence[Pair]) -> str:
    """The policy asked for by name; whether there is one of that name is not decided here."""
    asked = first(headers, b"x-holdfast-policy").strip()
    return asked.decode("ascii") if _NAME.fullmatch(asked) else ""

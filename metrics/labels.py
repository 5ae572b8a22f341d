"""The values that labels may take, so that no caller, and no hostile client, can make series without end.

Rules of this room: a label is closed (a fixed list, the rest is "other") or open (the names known at the
start, then whoever comes first, up to a bound). A session, user, key or path is never a label. It must
not know what is measured.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from metrics.loss import Cause, Party

NONE, OTHER = "none", "other"

CLOSED: Mapping[str, tuple[str, ...]] = {
    "dialect": (
        *("anthropic_messages", "openai_chat", "openai_responses", "gemini"),
        *("bedrock_converse", "bedrock_invoke", "ollama"),
    ),
    "status_class": ("1xx", "2xx", "3xx", "4xx", "5xx"),
    "stream": ("true", "false"),
    "cache": ("read", "write", "uncached"),
    "cause": tuple(Cause),
    "party": tuple(Party),
    "side": ("actual", "direct"),
    "kind": ("mask", "shape", "compact", "stabilize", "tools", "recite", "recall", "breakpoints"),
    "verdict": ("applied", "deferred", "rejected"),
    "stage": ("received", "sent"),
    "signal": ("poisoning", "distraction", "confusion", "clash"),
    "end": (
        *("agent", "upstream", "agent_lost", "upstream_lost"),
        *("silent", "stalled", "idle", "drained", "fault"),
    ),
    "via": ("tool", "mcp", "http", "cli", "file"),
    "outcome": ("recalled", "absent", "withdrawn", "too_many", "failed", "refused", "unreadable"),
    "phase": ("prepare", "first_byte", "settle"),
    "operation": (
        *("find", "chain", "tip", "put", "put_outcome", "learn", "lesson", "prune"),
        *("archive_put", "archive_get", "archive_search", "archive_prune"),
    ),
    "backend": ("memory", "sqlite", "redis"),
}

AGENTS = (
    *("unknown", "claude-code", "codex", "gemini-cli", "opencode", "qwen-code", "aider", "cline", "cursor", "goose"),
    *("crush", "continue", "roo-code", "copilot", "openhands", "swe-agent", "mini-swe-agent", "openai-agents"),
    *("pydantic-ai", "langchain", "smolagents", "litellm", "openai-sdk", "anthropic-sdk", "google-genai", "subagent"),
)
"""A header can claim any name, so of names that nobody configured only these are told apart."""

ROOM: Mapping[str, int] = {"upstream": 64, "model": 200, "agent": 0, "policy": 64, "reason": 64, "rule": 64}
"""How many values beyond the known ones an open label takes; whatever comes later is "other"."""

MAX_TRAFFIC = 1_000
"""Different combinations of the five labels of traffic. Each has some fifty series."""

_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,99}")
_KEY_LIKE = re.compile(r"[A-Za-z0-9]{20}|^(?:sk|pk)-")
"""Names are words with separators; an unbroken run this long is a key or an identifier (reliability test h)."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The labels that every metric about a request has. Empty: there is none."""

    upstream: str = ""
    dialect: str = ""
    model: str = ""
    agent: str = "unknown"
    policy: str = ""


TRAFFIC = tuple(field.name for field in fields(Traffic))


@dataclass(frozen=True, slots=True)
class Known:
    """The names that configuration and profiles give at the start. They are never "other"."""

    upstreams: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


class _Open:
    """The values of one open label."""

    def __init__(self, known: Iterable[str], room: int) -> None:
        self.known = frozenset(known)
        self._seen: set[str] = set()
        self._room = room

    def admit(self, value: str) -> str:
        if value in self.known or value in self._seen:
            return value
        if len(self._seen) >= self._room or not _SHAPE.fullmatch(value) or _KEY_LIKE.search(value):
            return OTHER
        self._seen.add(value)
        return value


class Vocabulary:
    """What has been admitted so far. One for each registry."""

    def __init__(self, known: Known) -> None:
        names = {
            "upstream": known.upstreams,
            "model": known.models,
            "agent": (*AGENTS, *known.agents),
            "policy": known.policies,
            "reason": known.reasons,
            "rule": known.rules,
        }
        self._open = {label: _Open(names[label], room) for label, room in ROOM.items()}
        self._traffic: set[Traffic] = set()

    def value(self, label: str, value: str) -> str:
        """The value as it may stand in this label."""
        if value in ("", NONE, OTHER):
            return value or NONE
        if label in CLOSED:
            return value if value in CLOSED[label] else OTHER
        return self._open[label].admit(value)

    def traffic(self, traffic: Traffic) -> Traffic:
        """The same, or with "other" for what is beyond bounds."""
        admitted = Traffic(*(self.value(label, getattr(traffic, label)) for label in TRAFFIC))
        if admitted not in self._traffic:
            if len(self._traffic) >= MAX_TRAFFIC:
                return Traffic(admitted.upstream, admitted.dialect, OTHER, OTHER, OTHER)
            self._traffic.add(admitted)
        return admitted

    def expected(self, label: str) -> tuple[str, ...]:
        """The values that are known before anything happens."""
        return CLOSED[label] if label in CLOSED else tuple(sorted(self._open[label].known))

"""From a path to an upstream.

Rules of this room: pure; a decision reads the raw path as received, never a parsed URL (Starlette
CVE-2026-48710), and yields a configured upstream or nothing. No header names a host: headers only
choose *between* configured upstreams, for paths that several providers share.

* `/{upstream}/...` goes to that upstream, less the prefix;
* a path of one provider (`/v1/messages`, `/v1/chat/completions`, `/v1beta/...`) goes to that family's
  default upstream: the one named like the family, else the first of it;
* `/v1/models` and whatever else no prefix decides goes by the credential's header to Anthropic, Gemini
  or Bedrock, by the user agent for Claude Code's probe (`HEAD /` from its Bun runtime), else to OpenAI;
* where that family is not configured, to the first upstream; but what is meant for a cloud, whose
  credentials open more than models, goes there or nowhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.dialects import Dialect
from proxy.headers import Pair, first
from proxy.identity import signed
from proxy.upstream import Upstream

ANTHROPIC, OPENAI, GEMINI = "anthropic", "openai", "gemini"
VERTEX, BEDROCK = "vertex", "bedrock"

CLOUDS = frozenset({VERTEX, BEDROCK})

RESERVED = frozenset({"v1", "v1beta", "v1beta1", "model", "healthz", "readyz"})
"""First segments that providers or Holdfast itself use: no upstream can be named so."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""One path segment that needs no quoting."""

OWN_PATHS: tuple[tuple[bytes, str], ...] = (
    (b"/v1/messages", ANTHROPIC),
    (b"/v1/complete", ANTHROPIC),
    (b"/v1/chat/completions", OPENAI),
    (b"/v1/responses", OPENAI),
    (b"/v1/completions", OPENAI),
    (b"/v1/embeddings", OPENAI),
    (b"/v1beta", GEMINI),
    (b"/upload/v1beta", GEMINI),
    (b"/v1beta1", VERTEX),
    (b"/model", BEDROCK),
)
"""Paths, and everything below them, that one provider alone answers."""

_VERTEX = re.compile(rb"/v1/(?:projects/[^/]+/locations|publishers)/")
"""OpenAI has projects too, but no locations in them."""

MARKS: tuple[tuple[bytes, str], ...] = (
    (b"anthropic-version", ANTHROPIC),
    (b"x-api-key", ANTHROPIC),
    (b"x-goog-api-key", GEMINI),
)
"""Headers that only one provider's clients send."""


@dataclass(frozen=True, slots=True)
class Route:
    upstream: Upstream
    path: str
    """Below the upstream, as a dialect sees it."""
    target: bytes
    """Raw path and query for the request line."""


class Routes:
    def __init__(self, upstreams: Sequence[Upstream], dialects: Sequence[Dialect]) -> None:
        for upstream in upstreams:
            if upstream.name in RESERVED or not _NAME.fullmatch(upstream.name):
                raise ValueError(f"an upstream cannot be named `{upstream.name}`")
        self._named = {upstream.name.encode(): upstream for upstream in upstreams}
        self._first = next(iter(upstreams), None)
        self._dialects = tuple(dialects)
        self._families = {name: _default(upstreams, name) for name in (ANTHROPIC, OPENAI, GEMINI, *CLOUDS)}

    def find(self, raw_path: bytes, query: bytes | None, headers: Sequence[Pair]) -> Route | None:
        """Where this request goes; None where nothing is configured for it. `query` is None where there is no `?`."""
        name, slash, rest = raw_path[1:].partition(b"/")
        if upstream := self._named.get(name):
            return _route(upstream, slash + rest or b"/", query)
        meant = family(raw_path, headers)
        upstream = self._families[meant] or (None if meant in CLOUDS else self._first)
        return _route(upstream, raw_path, query) if upstream else None

    def dialect(self, route: Route, method: str) -> Dialect | None:
        """The dialect in which this request creates a model answer, if it does."""
        if method != "POST":
            return None
        wanted = family_of(route.upstream.dialect)
        return next((d for d in self._dialects if wanted in ("", family_of(d.name)) and d.recognises(route.path)), None)

    def relative(self, wanted: str) -> Dialect | None:
        """Some dialect of this family, for the shape of its errors."""
        return next((d for d in self._dialects if family_of(d.name) == wanted), None)


def family(raw_path: bytes, headers: Sequence[Pair]) -> str:
    """Whose path this is, seen without an upstream's name before it."""
    for prefix, owner in OWN_PATHS:
        if raw_path == prefix or raw_path.startswith((prefix + b"/", prefix + b":")):
            return owner
    if _VERTEX.match(raw_path):
        return VERTEX
    if signed(headers):
        return BEDROCK
    for name, owner in MARKS:
        if first(headers, name):
            return owner
    agent = first(headers, b"user-agent")
    return ANTHROPIC if raw_path == b"/" and agent.startswith((b"Bun/", b"claude-cli/")) else OPENAI


def family_of(dialect: str | None) -> str:
    """`openai_chat` and `openai_responses` are one provider's; empty for none."""
    return (dialect or "").partition("_")[0]


def _default(upstreams: Sequence[Upstream], name: str) -> Upstream | None:
    of_family = [upstream for upstream in upstreams if name in (upstream.name, family_of(upstream.dialect))]
    return next((upstream for upstream in of_family if upstream.name == name), next(iter(of_family), None))


def _route(upstream: Upstream, raw_path: bytes, query: bytes | None) -> Route:
    target = upstream.base_path + raw_path
    return Route(upstream, raw_path.decode("latin-1"), target if query is None else target + b"?" + query)

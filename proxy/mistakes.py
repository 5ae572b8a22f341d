"""The usual mistakes of a client's set-up, as a request or a base URL shows them, and what to change.

Rules of this room: pure. A mistake is a guess at why a provider said no: the proxy says it in its log and
in a header of its own, and changes neither the request nor the answer (INVARIANT: TRANSPARENT). No text
repeats a key, a header's value or a path. It must not know how requests are relayed, nor how `doctor`
prints.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from proxy.headers import Pair, first
from proxy.routes import ANTHROPIC, GEMINI, OPENAI, Route, family_of


@dataclass(frozen=True, slots=True)
class Mistake:
    """`word` is short and fixed; `message` says what is wrong, `help` what to change."""

    word: str
    message: str
    help: str

    def __str__(self) -> str:
        return f"{self.message}; {self.help}"


_DOUBLED = re.compile(r"/(?P<first>v[0-9]+(?:alpha|beta)?[0-9]*)/(?P<second>v[0-9]+(?:alpha|beta)?[0-9]*)(?=/|$)")
_VERSION = re.compile(r"/v[0-9]+[a-z0-9]*(?:/|$)")
_ENDPOINT = re.compile(r"/(?:chat/completions|completions|responses|messages|embeddings)(?:/[a-z_]+)?$")
_GEMINI_ENDPOINT = re.compile(r"/models/[^/:]+:[A-Za-z]+$")
_UNKNOWN_NAME = re.compile(
    r"/(?P<name>[A-Za-z0-9._-]+)/v[0-9]+(?:beta)?/(?:chat|completions|responses|messages|models)"
)
_API_WORDS = frozenset({"api", "inference", "upload", "openai"})
"""First segments before a version that providers use themselves."""


def in_path(path: str, base_path: str = "") -> Mistake | None:
    """What is wrong with a path at a provider. `base_path`: of the upstream's own URL, which comes before it."""
    if found := _DOUBLED.search(base_path + path):
        return _doubled(found["first"], found["second"], configured=found.end("first") <= len(base_path))
    whole = base_path + path
    if _VERSION.search(whole) or "/deployments/" in whole:
        return None
    if _GEMINI_ENDPOINT.search(path):
        return Mistake("missing_version", "the path has no /v1beta", "end the client's base URL in /v1beta")
    if _ENDPOINT.search(path):
        return Mistake("missing_version", "the path has no /v1", "end the client's base URL in /v1")
    return None


def _doubled(one: str, other: str, *, configured: bool) -> Mistake:
    if configured:
        return Mistake(
            "doubled_version",
            f"the upstream's URL ends in /{one} and clients add /{other}",
            f"take /{one} off the `url` of the upstream",
        )
    return Mistake(
        "doubled_version",
        f"the client's base URL ends in /{one} and the client adds /{other}",
        f"take /{one} off the client's base URL",
    )


def in_name(path: str, names: Collection[str]) -> Mistake | None:
    """Whether a path seems to name an upstream that there is none of."""
    found = _UNKNOWN_NAME.match(path)
    if not found or found["name"] in names or found["name"] in _API_WORDS or found["name"].startswith("v1"):
        return None
    near = get_close_matches(found["name"].lower(), list(names), n=1)
    help = f"did you mean /{near[0]}?" if near else "`holdfast serve` lists the upstreams that there are"
    return Mistake("unknown_upstream", "the first part of the path is no upstream's name", help)


# How keys begin: the prefixes that secret scanners go by (gitleaks and others), and `sk-ant-oat`, which
# Claude Code's own binary has for OAuth tokens. A bare `sk-` is used by several providers and says nothing.
_ISSUERS = (
    ("sk-ant-", ANTHROPIC),
    ("sk-proj-", OPENAI),
    ("sk-svcacct-", OPENAI),
    ("sk-or-", "openrouter"),
    ("AIza", GEMINI),
    ("gsk_", "groq"),
    ("xai-", "xai"),
)
PROVIDERS = frozenset(owner for _, owner in _ISSUERS)
"""Whose keys are known by how they begin; built-in upstreams have the same names."""

OAUTH_TOKEN = "sk-ant-oat"
"""How Anthropic's OAuth tokens begin: they go into authorization, where API keys may go into either header
(anthropic 2.12 sends them as Bearer, Claude Code and the AI SDK in x-api-key)."""


def issuer(key: str) -> str:
    """The provider that a key is of, by how it begins; empty where that says nothing."""
    return next((owner for prefix, owner in _ISSUERS if key.startswith(prefix)), "")


def in_key(key: str) -> Mistake | None:
    """Whether a key was copied with something around it."""
    if key.lower().startswith("bearer "):
        return Mistake("key_with_bearer", "the key begins with `Bearer`", "give the client the key alone")
    if re.search(r"\s", key):
        return Mistake("key_with_space", "the key has a space or a line's end in it", "take it out")
    if key[:1] in ('"', "'") or key[-1:] in ('"', "'"):
        return Mistake("key_in_quotes", "the key stands in quotes", "take them off")
    return None


def in_credential(headers: Sequence[Pair], family: str, upstream: str, path: str) -> Mistake | None:
    """What is wrong with a request's key. `family`: anthropic, openai or gemini, whose API this is."""
    authorization, api_key, google_key = (
        first(headers, name).decode("latin-1") for name in (b"authorization", b"x-api-key", b"x-goog-api-key")
    )
    scheme, blank, bearer = authorization.partition(" ")
    if authorization and not blank:
        return Mistake("key_without_bearer", "authorization holds a key alone", "send `Bearer KEY`")
    bearer = bearer if scheme.lower() == "bearer" else ""
    for key in filter(None, (bearer, api_key, google_key)):
        if mistake := in_key(key) or _of_another(key, upstream):
            return mistake
    return _misplaced(family, bearer, api_key, google_key, path)


def _of_another(key: str, upstream: str) -> Mistake | None:
    """A key that is certainly another provider's, at an upstream that is certainly not that one's."""
    owner = issuer(key)
    if not owner or owner == upstream or upstream not in PROVIDERS:
        return None
    return Mistake("key_of_another", f"a key of {owner} was sent to {upstream}", f"give the client a key of {upstream}")


def _misplaced(family: str, bearer: str, api_key: str, google_key: str, path: str) -> Mistake | None:
    if family == ANTHROPIC:
        wrong = api_key.startswith(OAUTH_TOKEN)
        return _wrong_header("x-api-key", "an OAuth token belongs into ANTHROPIC_AUTH_TOKEN") if wrong else None
    if family == GEMINI and "/openai/" not in path:
        if not google_key and (api_key or issuer(bearer) == GEMINI):
            return _wrong_header("x-api-key" if api_key else "authorization", "send it in x-goog-api-key")
        return None
    # Messages beside another API: OpenRouter takes either header, DeepSeek and engines x-api-key
    if not bearer and (api_key or google_key) and "/messages" not in path:
        return _wrong_header("x-api-key" if api_key else "x-goog-api-key", "send it in authorization: `Bearer KEY`")
    return None


def _wrong_header(header: str, help: str) -> Mistake:
    return Mistake("key_in_wrong_header", f"the key is in {header}", help)


def behind(status: int, route: Route, headers: Sequence[Pair], names: Collection[str]) -> Mistake | None:
    """What may be behind a provider's refusal with this status. Nothing is said of a request that worked."""
    upstream = route.upstream
    if status in (404, 405):
        path = route.target.partition(b"?")[0].decode("latin-1").removeprefix(upstream.base_path.decode())
        return in_path(path, upstream.base_path.decode()) or in_name(path, names)
    if status in (401, 403):
        return in_credential(headers, family_of(upstream.dialect) or OPENAI, upstream.name, route.path)
    return None

"""Base URLs of agents, from variables and from their own files: whether each leads through Holdfast, and well.

Rules of this room: pure. What a client adds to its base URL is known, so a base URL is judged by the request that
it would make, with the same function that judges requests on the wire (proxy/mistakes.py). Of a URL nothing
is shown but its host and its last part.
"""

import ipaddress
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

from proxy import mistakes
from proxy.commands.clients import AT_ROOT, Opening
from proxy.commands.clients import VARIABLES as OPENINGS
from proxy.config.upstreams import BUILT_IN
from proxy.doctor.finding import Finding, Severity

State = Literal["", "holdfast", "other"]
"""Of a port on this machine: nobody listens, a Holdfast does, or another program."""

UNVERSIONED = frozenset({"deepseek", "llamacpp", "ollama"})
"""Upstreams that answer without a version in the path as well."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of client: what it adds to its base URL, and what its base URL must therefore end in."""

    adds: str
    ending: str
    upstream: str = ""
    """The provider that the client means, where the path at the root would lead to another."""


ANTHROPIC = Kind("/v1/messages", "")
OPENAI = Kind("/chat/completions", "/v1")
GEMINI = Kind("/v1beta/models/m:generateContent", "")
AI_SDK_ANTHROPIC = Kind("/messages", "/v1")
AI_SDK_GEMINI = Kind("/models/m:generateContent", "/v1beta")


def _kind(opening: Opening) -> Kind:
    kind = {"anthropic": ANTHROPIC, "gemini": GEMINI}.get(opening.upstream, OPENAI)
    return replace(kind, ending=opening.tail, upstream="" if opening.upstream in AT_ROOT else opening.upstream)


VARIABLES: Mapping[str, Kind] = {opening.name: _kind(opening) for opening in OPENINGS}


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A base URL without what may be secret in it. `host` is empty where the text is no URL."""

    where: str
    """The variable, or the file and key."""
    kind: Kind
    form: str
    """How it is written, with `{url}` in it."""
    place: str = ""
    """The file to write it in; empty for a variable of the shell."""
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: str = field(default="", repr=False)
    missing: bool = False
    """The file is there, and names none."""


@dataclass(frozen=True, slots=True)
class AgentFacts:
    traffic: tuple[str, int]
    upstreams: Mapping[str, str]
    """The path in the URL of each, by its name."""
    base_urls: Sequence[BaseUrl] = ()
    states: Mapping[tuple[str, int], State] = field(default_factory=dict)
    """Of the ports on this machine that base URLs name."""
    differing: bool = False
    """OPENAI_BASE_URL and OPENAI_API_BASE are both set and not the same."""
    unread: Sequence[tuple[str, str]] = ()
    """Files of agents that cannot be read, and why."""
    proxies: Sequence[str] = ()
    """Variables that name a proxy."""
    no_proxy: Sequence[str] = ()


def check_agents(facts: AgentFacts) -> Iterator[Finding]:
    for base_url in facts.base_urls:
        yield _base_url(base_url, facts)
    if not facts.base_urls:
        what = "no variable of this shell and no agent's file names a base URL: agents started here go past Holdfast"
        yield Finding("hint", "agents", what, f"export ANTHROPIC_BASE_URL={wanted(ANTHROPIC, facts)}")
    if facts.differing:
        what = "OPENAI_BASE_URL says otherwise: which of the two is read depends on the client"
        yield Finding("warning", "OPENAI_API_BASE", what, 'export OPENAI_API_BASE="$OPENAI_BASE_URL"')
    for path, problem in facts.unread:
        yield Finding("warning", path, problem, f"${{EDITOR:-vi}} {shlex.quote(path)}")
    yield from _proxies(facts)


def wanted(kind: Kind, facts: AgentFacts, name: str = "") -> str:
    """The base URL that leads through Holdfast, below an upstream's name where one is given."""
    host, port = facts.traffic
    shown, name = f"[{host}]" if ":" in host else host, name or kind.upstream
    return f"http://{shown}:{port}{f'/{name}' if name else ''}{kind.ending}"


def provider_of(base_url: BaseUrl, facts: AgentFacts) -> str:
    """The upstream that a base URL names, through Holdfast or past it; empty where it names none."""
    first = base_url.path.strip("/").partition("/")[0]
    if is_loopback(base_url.host):
        return first if first in facts.upstreams else ""
    hosts = {urlsplit(known["url"]).hostname: name for name, known in BUILT_IN.items()}
    return hosts.get(base_url.host, "")


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(base_url: BaseUrl, facts: AgentFacts) -> Finding:
    def finding(severity: Severity, what: str, name: str = "") -> Finding:
        text = base_url.form.format(url=wanted(base_url.kind, facts, name))
        return Finding(severity, base_url.where, what, text, base_url.place)

    if base_url.missing:
        return finding("hint", "it names no base URL, so its agent goes past Holdfast")
    if not base_url.host:
        return finding("failed", "it is no URL: it begins with http:// and a host")
    state = facts.states.get((base_url.host, base_url.port), "")
    if not _at_holdfast(base_url, state, facts):
        at = f"{base_url.host}:{base_url.port}"
        if is_loopback(base_url.host) and not state:
            return finding("failed", f"nothing listens on {at}")
        return finding("hint", f"it leads to {at} and not through Holdfast")
    if base_url.scheme == "https":
        return finding("failed", "Holdfast is asked over https and speaks http")
    first, _, rest = base_url.path.strip("/").partition("/")
    name = first if first in facts.upstreams else ""
    if base_url.kind.upstream and not name:
        return finding("failed", f"at the root it leads to another provider than {base_url.kind.upstream}")
    if problem := _mistake(base_url, name, f"/{rest}" if rest else "", facts):
        own = name not in ("", *AT_ROOT)
        severity: Severity = "warning" if own and problem.word == "missing_version" else "failed"
        what = str(problem) if problem.word == "unknown_upstream" else problem.message
        return finding(severity, what, name)
    if not state:
        return Finding("warning", base_url.where, "it leads to Holdfast, which is not running", "holdfast serve")
    return Finding("ok", base_url.where, f"leads through Holdfast{f', to upstream {name}' if name else ''}")


def _at_holdfast(base_url: BaseUrl, state: State, facts: AgentFacts) -> bool:
    host, port = facts.traffic
    return state == "holdfast" or (
        state == "" and base_url.port == port and (base_url.host == host or is_loopback(base_url.host))
    )


def _mistake(base_url: BaseUrl, name: str, rest: str, facts: AgentFacts) -> mistakes.Mistake | None:
    adds = base_url.kind.adds
    if not name:
        path = base_url.path.rstrip("/") + adds
        return mistakes.in_name(path, facts.upstreams) or mistakes.in_path(path)
    found = mistakes.in_path(rest + adds, facts.upstreams[name])
    return None if found and found.word == "missing_version" and name in UNVERSIONED else found


def _proxies(facts: AgentFacts) -> Iterator[Finding]:
    if not facts.proxies:
        return
    hosts = sorted({url.host for url in facts.base_urls if is_loopback(url.host)} or {"127.0.0.1"})
    if missing := [host for host in hosts if not _exempt(host, facts.no_proxy)]:
        what = f"set, and NO_PROXY leaves out {', '.join(missing)}: agents ask the proxy for Holdfast"
        rest = ',"$NO_PROXY"' if facts.no_proxy else ""
        yield Finding("failed", facts.proxies[0], what, f"export NO_PROXY={','.join(hosts)}{rest}")
    what = "set, but Holdfast goes to providers directly and asks no proxy"
    yield Finding("hint", facts.proxies[0], what, "holdfast doctor --upstream")


def _exempt(host: str, no_proxy: Sequence[str]) -> bool:
    """Whether an entry is this host, with a port or without, a network that it is in, or everything."""
    return any(entry in ("*", host) or entry.startswith(f"{host}:") or _within(host, entry) for entry in no_proxy)


def _within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False

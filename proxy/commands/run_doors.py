"""Which base URL each client of a run gets, and where the requests behind it go.

Rules of this room: values in, values out. INVARIANT: every request goes where it would have gone without
Holdfast. A base URL that the user has set becomes an upstream; one that nobody has set leads to the
provider's own, and where that name is taken by another URL, it is left unset.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from proxy.commands.clients import VARIABLES, Opening
from proxy.config import Override, masked
from proxy.config.bounds import NAME
from proxy.config.resolve import RESERVED
from proxy.config.upstreams import BUILT_IN

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
FIRST_PARTY = "https://api.anthropic.com"


@dataclass(frozen=True, slots=True)
class Door:
    """One opening, and where it leads."""

    name: str
    upstream: str
    tail: str
    url: str = ""
    """The user's own, which the upstream gets; empty where the upstream is as configured."""

    def address(self, base: str) -> str:
        """The base URL to set. Always below the upstream's name: then no path is ambiguous."""
        return f"{base}/{self.upstream}{self.tail}"


def by_variable(environ: Mapping[str, str]) -> tuple[Opening, ...]:
    """The variables, those that the user has set first, so that these get the upstream's plain name."""
    return tuple(sorted(VARIABLES, key=lambda opening: not environ.get(opening.name, "").strip()))


def doors(openings: Iterable[Opening], own: Mapping[str, str], fixed: Collection[str]) -> tuple[Door, ...]:
    """Where each opening leads. `own`: URLs that the user has set; `fixed`: upstreams that a flag has set."""
    taken: dict[str, str] = {}
    found = []
    for opening in openings:
        url, tail = "", opening.tail
        if opening.upstream not in fixed:
            url, tail = _split(own.get(opening.name, ""), opening.tail)
        name = _name(opening.upstream, url, taken)
        if name and re.fullmatch(NAME, name) and name not in RESERVED:
            taken[name] = url
            found.append(Door(opening.name, name, tail, url))
    return tuple(found)


def overrides(found: Sequence[Door]) -> tuple[Override, ...]:
    """The upstreams that doors need, as settings."""
    own = {door.upstream: door for door in reversed(found) if door.url}
    laid = []
    for name, door in own.items():
        laid.append(Override(("upstreams", name, "url"), door.url, door.name))
        dialect = BUILT_IN.get(name.rpartition("-")[0], {}).get("dialect")
        if name not in BUILT_IN and dialect:
            laid.append(Override(("upstreams", name, "dialect"), dialect, door.name))
    return tuple(laid)


def notes(found: Sequence[Door]) -> tuple[str, ...]:
    """What the user should know of URLs of their own, one line each."""
    return tuple(
        f"`{door.name}` is yours: upstream `{door.upstream}` is {masked(door.url)}" for door in found if door.url
    )


def environment(environ: Mapping[str, str], found: Sequence[Door], base: str, anthropic: str) -> dict[str, str]:
    """The child's variables. `anthropic`: the URL that the upstream of that name has now."""
    names = {variable.name for variable in VARIABLES}
    given = {door.name: door.address(base) for door in found if door.name in names}
    kept = _kept_by_claude(given) if anthropic == FIRST_PARTY else {}
    return {**kept, **environ, **given, **_not_proxied(environ)}


def forwarded(environ: Mapping[str, str], proxied: Mapping[str, str]) -> dict[str, str]:
    """The same where a forward proxy is set in place of base URLs."""
    kept = {name: environ[name] for name in ("no_proxy", "NO_PROXY") if name in environ}
    return {**environ, **proxied, **_not_proxied({**proxied, **kept})}


def _kept_by_claude(given: Mapping[str, str]) -> dict[str, str]:
    """Claude Code sends every tool's schema at once where its base URL is not Anthropic's, unless told that
    what stands there forwards `tool_reference` blocks. Holdfast does, and Anthropic is behind it.
    Source: https://code.claude.com/docs/en/env-vars, ANTHROPIC_BASE_URL and ENABLE_TOOL_SEARCH."""
    return {"ENABLE_TOOL_SEARCH": "true"} if "ANTHROPIC_BASE_URL" in given else {}


def _not_proxied(environ: Mapping[str, str]) -> dict[str, str]:
    """Where the user has a forward proxy, loopback must not be asked of it. Clients read either spelling."""
    if not any(environ.get(name) or environ.get(name.upper()) for name in PROXIES):
        return {}
    listed = f"{environ.get('no_proxy', '')},{environ.get('NO_PROXY', '')}"
    present = list(dict.fromkeys(host.strip() for host in listed.split(",") if host.strip()))
    if "*" in present:
        return {}
    hosts = ",".join([*present, *(host for host in LOOPBACK if host not in present)])
    return {"no_proxy": hosts, "NO_PROXY": hosts}


def _split(url: str, tail: str) -> tuple[str, str]:
    """The upstream's URL in a base URL, and what clients still put behind it."""
    url = url.strip().rstrip("/")
    return (url.removesuffix(tail), tail) if url.endswith(tail) else (url, "" if url else tail)


def _name(upstream: str, url: str, taken: Mapping[str, str]) -> str:
    """The upstream's name, or one beside it where that has another URL; empty where nothing fits."""
    if taken.get(upstream, url) == url:
        return upstream
    if not url:
        return ""
    return next(name for n in count(2) if taken.get(name := f"{upstream}-{n}", url) == url)

"""What settings say about each other: names that must exist, policies that routes refer to.

Rules of this room: every rule that spans several settings is here; each error has the place of the
value that is wrong.
"""

import re
from urllib.parse import urlsplit

from policies.policy import Policy
from policies.routes import OFF, Match, Route, Routes
from proxy.config.bounds import NAME
from proxy.config.nodes import ConfigErrors, Items, Place, Table
from proxy.config.policies import is_path
from proxy.config.settings import File
from proxy.config.typed import nearest
from proxy.errors import ConfigError

RESERVED = ("v1", "v1beta", "v1beta1", "model", "healthz", "readyz")
"""First parts of paths that mean something already, so no upstream can be called so."""


def resolve_routes(parsed: File, table: Table, policies: dict[str, Policy]) -> Routes:
    """The routes with every policy found by its name. Raises ConfigErrors."""
    entries, errors = [], []
    routes = placed_routes(parsed, table)
    names = sorted(name for name in policies if not is_path(name))
    for index, (route, place) in enumerate(routes):
        policy = OFF if route.policy == OFF.name else policies.get(route.policy)
        if policy is None:
            errors.append(place.error(f"unknown policy `{route.policy}`", nearest(route.policy, [*names, OFF.name])))
            continue
        if route.match == Match() and index < len(routes) - 1:
            errors.append(place.error("this route matches everything", "put it last: those after it are never used"))
        entries.append(Route(policy.name, route.match))
    if errors:
        raise ConfigErrors(errors)
    known = {name: policies[name] for name in names} | {OFF.name: OFF}
    return Routes(tuple(entries), known)


def check(parsed: File, table: Table) -> None:
    """Names, URLs and references. Raises ConfigErrors."""
    errors = [*_upstream_errors(parsed, table), *_profile_errors(parsed, table), *_store_errors(parsed, table)]
    if errors:
        raise ConfigErrors(errors)


def _upstream_errors(parsed: File, table: Table) -> list[ConfigError]:
    errors = []
    for name, upstream in parsed.upstreams.items():
        place = _place(table, "upstreams", name)
        if not re.fullmatch(NAME, name) or name in RESERVED:
            help = f"allowed: lower-case letters, digits, `_`, `.` and `-`, but none of {', '.join(RESERVED)}"
            errors.append(place.error(f"`{name}` cannot name an upstream", help))
        problem = _url_problem(upstream.url)
        if problem:
            place = _place(table, "upstreams", name, "url")
            errors.append(place.error(f"`upstreams.{name}.url` is `{upstream.url}`", problem))
    return errors


def _profile_errors(parsed: File, table: Table) -> list[ConfigError]:
    named = {name: upstream.profile for name, upstream in parsed.upstreams.items() if upstream.profile is not None}
    if not named:
        return []
    from proxy.profiles import load_profiles  # here: reading every price file is for those who name one

    known = [profile.name for profile in load_profiles()]
    return [
        _place(table, "upstreams", name, "profile").error(f"unknown profile `{profile}`", nearest(profile, known))
        for name, profile in named.items()
        if profile not in known
    ]


def _url_problem(url: str) -> str:
    """What is wrong with an upstream's URL; empty where nothing is."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        return "it is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        return "allowed: http://HOST or https://HOST, with a port and a path where needed"
    if parts.username is not None or parts.password is not None:
        return "it cannot hold a credential: agents send their own"
    if "?" in url or "#" in url or not url.isascii() or re.search(r"[\s\\]", url):
        return "a query, a fragment, a space or a backslash cannot be part of it"
    return ""


def _store_errors(parsed: File, table: Table) -> list[ConfigError]:
    if parsed.store == "memory:" or parsed.store.startswith(("sqlite:///", "redis://", "rediss://")):
        return []
    allowed = "allowed: memory:, sqlite:///FILE or redis://HOST:PORT/DB"
    return [_place(table, "store").error(f"`store` is `{parsed.store}`", allowed)]


def placed_routes(parsed: File, table: Table) -> list[tuple[Route, Place]]:
    """Each route with the place that it was written at."""
    entry = table.entries.get("routes")
    if entry is None or not isinstance(entry.node, Items):
        return []
    return list(zip(parsed.routes, (item.place for item in entry.node.items), strict=True))


def _place(table: Table, *path: str) -> Place:
    entry = table.at(path)
    return entry.node.place if entry else table.place

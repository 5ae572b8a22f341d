"""Every policy that a route or a header can name: presets, those written in place, files of routes.

Rules of this room: a name means one policy. Only a preset may be replaced, by writing a policy of
its name in place or in a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from policies.policy import Policy
from proxy.config.nodes import ConfigErrors, Place, Table
from proxy.config.policies import PRESETS, check_policy, is_path, load_policy, without_effect
from proxy.config.resolve import placed_routes
from proxy.config.settings import File
from proxy.errors import ConfigError


@dataclass(slots=True)
class Named:
    """Filled while reading. `policies` has those of files twice: by name, and by the path that routes use."""

    policies: dict[str, Policy]
    paths: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    errors: list[ConfigError] = field(default_factory=list)


def named_policies(parsed: File, table: Table, folder: Path) -> Named:
    """All of them. Paths in the configuration file are relative to `folder`. Raises ConfigErrors."""
    named = Named({name: load_policy(name).policy for name in PRESETS})
    for key, place, node in _written_in_place(table):
        _add_written(named, key, parsed.policies[key], place, node)
    taken = set(parsed.policies)
    for route, place in placed_routes(parsed, table):
        if is_path(route.policy) and route.policy not in named.policies:
            # those of flags and variables are relative to the working folder
            _add_file(named, route.policy, folder if place.line else Path(), place, taken)
    if named.errors:
        raise ConfigErrors(named.errors)
    return named


def _written_in_place(table: Table) -> Iterator[tuple[str, Place, Table]]:
    entry = table.entries.get("policies")
    if entry and isinstance(entry.node, Table):
        for key, policy in entry.node.entries.items():
            if isinstance(policy.node, Table):
                yield key, policy.place, policy.node


def _add_written(named: Named, key: str, policy: Policy, place: Place, node: Table) -> None:
    try:
        check_policy(policy, node)
    except ConfigErrors as error:
        named.errors += error.errors
    if policy.name != key:
        help = f"leave out `name`: it is `{key}`"
        named.errors.append(place.error(f"`policies.{key}` has another name, `{policy.name}`", help))
    named.policies[key] = policy
    named.notes += tuple(
        f"{where.origin}:{where.line}: `policies.{key}.{name}` is not in effect in this version"
        for name, where in without_effect(node)
    )


def _add_file(named: Named, path: str, folder: Path, place: Place, taken: set[str]) -> None:
    try:
        file = load_policy(path, folder)
    except ConfigErrors as error:
        named.errors += error.errors
        return
    name = file.policy.name
    if name in taken:
        named.errors.append(place.error(f"`{path}` is a second policy named `{name}`"))
    taken.add(name)
    named.policies[name] = named.policies[path] = file.policy
    named.paths += (str(folder / path),)
    named.notes += file.notes

"""Where a setting may be written, laid over one another: built-in, file, environment, flags.

Rules of this room: the later layer wins, key by key; each value keeps the place that it came from,
so that a message names the file and line, the variable or the flag. The environment is an argument.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from proxy.config.nodes import ConfigErrors, Entry, Items, Node, Place, Scalar, Table, overlay
from proxy.config.settings import File
from proxy.config.typed import nearest
from proxy.config.upstreams import BUILT_IN, PRESETS
from proxy.config.yaml_tree import read, scalar

PREFIX = "HOLDFAST_"
SECRETS = ("admin_token", "tenant_key", "archive_key")
"""Keys that exist as variables only."""
NOT_SETTINGS = ("config", "policy")
"""Variables that stand for flags: --config and --policy."""

# Kubernetes gives every pod variables for each service; for a service called `holdfast` they are
# HOLDFAST_SERVICE_HOST, HOLDFAST_PORT=tcp://10.0.0.1:8787, HOLDFAST_PORT_8787_TCP_ADDR and so on
_SERVICE_LINK = re.compile(r"HOLDFAST_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://")
_BUILT_IN = Place("built in")


@dataclass(frozen=True, slots=True)
class Override:
    """A value from outside the file: `path` of keys, its text, and the variable or flag that it came from."""

    path: tuple[str, ...]
    text: str = field(repr=False)
    origin: str

    def node(self) -> Node:
        """The value. Lists and mappings may be written in YAML's flow style (or JSON), all else is a scalar."""
        if self.text.lstrip().startswith(("{", "[")):
            return _unlined(read(self.text, self.origin))
        return scalar(self.text, Place(self.origin))


def base() -> Table:
    """The lowest layer: the built-in upstreams."""
    table = Table({}, _BUILT_IN)
    for name, keys in BUILT_IN.items():
        table = _filled(table, name, keys)
    return table


def with_presets(table: Table) -> Table:
    """The table with what is known of the upstreams that it names, where it does not say otherwise."""
    for name, keys in PRESETS.items():
        named = table.at(("upstreams", name))
        if named and isinstance(named.node, Table):
            table = _filled(table, name, keys)
    return table


def _filled(table: Table, name: str, keys: Mapping[str, str]) -> Table:
    for key, value in keys.items():
        path = ("upstreams", name, key)
        if table.at(path) is None:
            table = overlay(table, path, Scalar(value, value, _BUILT_IN))
    return table


def merge(under: Table, over: Table) -> Table:
    """Both; where they meet, tables are merged and anything else is replaced."""
    entries = dict(under.entries)
    for key, entry in over.entries.items():
        old = entries.get(key)
        if old and isinstance(old.node, Table) and isinstance(entry.node, Table):
            entry = Entry(entry.place, merge(old.node, entry.node))
        entries[key] = entry
    return Table(entries, over.place)


def lay(table: Table, overrides: Iterable[Override]) -> Table:
    """The table with every override in place, in order."""
    for override in overrides:
        table = overlay(table, override.path, override.node())
    return table


def variables(environ: Mapping[str, str]) -> tuple[Override, ...]:
    """Every setting among the variables. Raises ConfigErrors where one is unknown."""
    found, errors = [], []
    top = [setting.encode_name for setting in msgspec.structs.fields(File)]
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or _SERVICE_LINK.fullmatch(name):
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if path[0] in (*SECRETS, *NOT_SETTINGS) or (path == ("port",) and _LINK_VALUE.match(text)):
            continue
        if path[0] not in top:
            help = nearest(path[0], [*top, *SECRETS, *NOT_SETTINGS])
            errors.append(Place("environment").error(f"unknown variable `{name}`", _as_variables(help)))
        found.append(Override(path, text, name))
    if errors:
        raise ConfigErrors(errors)
    return tuple(found)


def _as_variables(help: str) -> str:
    """The help's setting names in the form of variables."""
    return re.sub(r"`(\w+)`", lambda match: f"`{PREFIX}{match[1].upper()}`", help)


def _unlined(node: Node) -> Node:
    """The node without line numbers: a variable has none."""
    place = Place(node.place.origin)
    match node:
        case Table():
            return Table({key: Entry(place, _unlined(entry.node)) for key, entry in node.entries.items()}, place)
        case Items():
            return Items(tuple(_unlined(item) for item in node.items), place)
        case Scalar():
            return replace(node, place=place)

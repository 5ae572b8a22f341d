"""A configuration text as a tree in which every value knows its line.

Rules of this room: plain values, no YAML and no files. A tree is never changed: `overlay` makes a
new one, so that a variable or a flag laid over a file keeps saying where it came from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from proxy.errors import ConfigError

Plain = str | int | float | bool | None

_PASSWORD = re.compile(r"://[^\s`]*@")
_SECRET_PARAMETER = re.compile(r"(?i)((?:pass(?:word)?|token|secret|api_?key|key)=)[^&\s`]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a file and line, or the name of a variable or flag (line 0)."""

    origin: str
    line: int = 0

    def error(self, message: str, help: str = "") -> ConfigError:
        """Every message of this package passes here, so none shows a password that stands in a URL."""
        return ConfigError(masked(message), file=self.origin, line=self.line, help=masked(help))


@dataclass(frozen=True, slots=True)
class Scalar:
    value: Plain
    text: str
    """As written. Kept because a variable is text: `HOLDFAST_X=123` may mean the string."""
    place: Place


@dataclass(frozen=True, slots=True)
class Items:
    items: "tuple[Node, ...]"
    place: Place


class Entry(NamedTuple):
    """A key of a table: where the key stands, and its value."""

    place: Place
    node: "Node"


@dataclass(frozen=True, slots=True)
class Table:
    entries: dict[str, Entry]
    place: Place

    def at(self, path: Iterable[str]) -> "Entry | None":
        """The entry at a path of keys; None where there is none."""
        entry: Entry | None = None
        table: Node = self
        for key in path:
            entry = table.entries.get(key) if isinstance(table, Table) else None
            if entry is None:
                return None
            table = entry.node
        return entry


Node = Scalar | Items | Table


class ConfigErrors(ConfigError):
    """All that is wrong with a file, in the order of its lines; `str()` has one line for each."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.file, error.line)))
        super().__init__("\n".join(str(error) for error in self.errors))


def overlay(table: Table, path: tuple[str, ...], node: Node) -> Table:
    """The table with the value at this path replaced; what is missing on the way is made."""
    key, *rest = path
    old = table.entries.get(key)
    if rest:
        inner = old.node if old and isinstance(old.node, Table) else Table({}, node.place)
        node = overlay(inner, tuple(rest), node)
    place = old.place if old and rest else node.place
    return Table({**table.entries, key: Entry(place, node)}, table.place)


def plain(node: Node) -> Any:
    """The values alone, as JSON has them."""
    match node:
        case Table():
            return {key: plain(entry.node) for key, entry in node.entries.items()}
        case Items():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value


def masked(text: str) -> str:
    """The text without the passwords that stand in its URLs."""
    return _SECRET_PARAMETER.sub(r"\1***", _PASSWORD.sub("://***@", text))

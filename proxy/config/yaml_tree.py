"""YAML text to a tree with line numbers: the first of the two stages of reading configuration.

Rules of this room: safe scalars only (the core schema of YAML 1.2, so that `off`, `no` and `12:30`
are the words that they look like); no tags, no merge keys; a key that stands twice is an error;
size, depth and what anchors unfold to are bounded. It must not know what a key means.
"""

import math
import re
from collections.abc import Callable

import yaml

from proxy.config.nodes import ConfigErrors, Entry, Items, Node, Place, Plain, Scalar, Table
from proxy.errors import ConfigError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 20_000  # after aliases are unfolded: nine levels of nine references would be 387 million

_CORE = "tag:yaml.org,2002:"
_TAGS = {_CORE + name for name in ("null", "bool", "int", "float", "str", "map", "seq")}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the implicit types of YAML 1.2: in 1.1 `mode: off` is a boolean."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_Loader.add_implicit_resolver(_CORE + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_CORE + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_CORE + "int", re.compile(r"^[-+]?[0-9]{1,19}$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _CORE + "float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]{1,3})?$|^[-+]?[0-9]+[eE][-+]?[0-9]{1,3}$"),
    list("-+.0123456789"),
)


def read(text: str, origin: str) -> Node:
    """The tree of a text. Raises ConfigErrors; an empty text is an empty table."""
    if len(text) > MAX_BYTES:
        raise ConfigErrors([Place(origin).error(f"larger than {MAX_BYTES // 1024} kB")])
    root = _compose(text, origin)
    if root is None:
        return Table({}, Place(origin, 1))
    builder = _Builder(origin)
    node = builder.node(root, 0)
    if builder.errors:
        raise ConfigErrors(builder.errors)
    return node


def read_table(text: str, origin: str) -> Table:
    """The same where a file must be a mapping."""
    node = read(text, origin)
    if not isinstance(node, Table):
        raise ConfigErrors([node.place.error("not a mapping", "write `key: value` lines")])
    return node


def scalar(text: str, place: Place) -> Scalar:
    """A single value that is no YAML text, such as that of a variable: `*` or `a: b` mean themselves."""
    resolve: Callable[..., str] = _Loader("").resolve
    tag = resolve(yaml.ScalarNode, text, (True, False))
    return Scalar(_plain(yaml.ScalarNode(tag, text)), text, place)


def _compose(text: str, origin: str) -> yaml.Node | None:
    try:
        _check_depth(text, origin)
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(origin, mark.line + 1 if mark else 0)
        # PyYAML's own text would quote the line, with whatever secret stands in it
        raise ConfigErrors([place.error(f"not valid YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError:
        raise ConfigErrors([Place(origin).error("not valid YAML: a character that is not allowed")]) from None


def _check_depth(text: str, origin: str) -> None:
    """Composing is recursive and events are not, so depth is bounded on the events."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise ConfigErrors([Place(origin, line).error(f"nested deeper than {MAX_DEPTH} levels")])


class _Builder:
    """Turns PyYAML's nodes into ours and collects what is wrong."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.errors: list[ConfigError] = []
        self.count = 0

    def node(self, node: yaml.Node, depth: int) -> Node:
        place = Place(self.origin, node.start_mark.line + 1)
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            raise ConfigErrors([*self.errors, place.error("anchors unfold to too much", "write the values out")])
        if node.tag not in _TAGS:
            self.errors.append(place.error(f"tag `{_short(node.tag)}` is not supported"))
        match node:
            case yaml.MappingNode():
                return self.table(node, place, depth)
            case yaml.SequenceNode():
                return Items(tuple(self.node(item, depth + 1) for item in node.value), place)
            case _:
                return Scalar(_plain(node), str(node.value), place)

    def table(self, node: yaml.MappingNode, place: Place, depth: int) -> Table:
        entries: dict[str, Entry] = {}
        for key, value in node.value:
            where = Place(self.origin, key.start_mark.line + 1)
            if not isinstance(key, yaml.ScalarNode):
                self.errors.append(where.error("a key must be a word"))
                continue
            if key.value in entries:
                first = entries[key.value].place.line
                self.errors.append(where.error(f"key `{key.value}` stands twice", f"first in line {first}"))
                continue
            entries[key.value] = Entry(where, self.node(value, depth + 1))
        return Table(entries, place)


def _plain(node: yaml.Node) -> Plain:
    text = str(node.value)
    match node.tag.removeprefix(_CORE):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" | "float" as kind:
            return _number(text, int if kind == "int" else float)
        case _:
            return text


def _number(text: str, kind: type[int] | type[float]) -> Plain:
    """The number, or the text where a tag such as `!!float` was put before a word, or where it overflows."""
    try:
        number = kind(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _short(tag: str) -> str:
    return tag.replace(_CORE, "!!")

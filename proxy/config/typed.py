"""A tree to typed values: the second stage. Reads any msgspec struct, reports everything that is wrong.

Rules of this room: the structs say what is allowed, nothing is listed twice here; an unknown key
names the nearest valid one; a wrong value says what was found and what is allowed, with file and
line. msgspec alone would stop at the first error and knows no lines. It must not know any struct.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from proxy.config import units
from proxy.config.bounds import BOUNDS, Bound
from proxy.config.nodes import ConfigErrors, Items, Node, Place, Scalar, Table
from proxy.errors import ConfigError

T = TypeVar("T")
_UNITS = {"size": (units.size, units.SIZE_FORM), "duration": (units.duration, units.DURATION_FORM)}
_BAD: Any = object()  # stands where a value was wrong; never leaves this module, for then `convert` raises
Type = inspect.Type


def convert(node: Node, kind: type[T], key: str = "") -> T:
    """The tree as this type; `key` is the path of keys that it stands at. Raises ConfigErrors with all errors."""
    walk = _Walk([])
    value = walk.value(node, inspect.type_info(kind), key, Bound())
    if walk.errors:
        raise ConfigErrors(walk.errors)
    return msgspec.convert(value, kind)


def nearest(word: str, valid: list[str]) -> str:
    """The help that follows an unknown word: the nearest valid one, else all of them."""
    close = get_close_matches(word.lower(), valid, n=1, cutoff=0.5)
    if close:
        return f"did you mean `{close[0]}`?"
    return "allowed: " + ", ".join(f"`{each}`" for each in sorted(valid))


@dataclass(frozen=True, slots=True)
class _Walk:
    errors: list[ConfigError]

    def wrong(self, place: Place, message: str, help: str = "") -> Any:
        self.errors.append(place.error(message, help))
        return _BAD

    def value(self, node: Node, kind: Type, key: str, bound: Bound) -> Any:
        match kind:
            case inspect.Metadata():
                return self.annotated(node, kind, key, bound)
            case inspect.UnionType():
                return self.union(node, kind, key, bound)
            case inspect.StructType():
                return self.struct(node, kind, key)
            case inspect.DictType():
                return self.table(node, kind, key)
            case inspect.VarTupleType():
                return self.items(node, kind, key, bound)
            case _:
                return self.scalar(node, kind, key, bound)

    def struct(self, node: Node, kind: inspect.StructType, key: str) -> Any:
        if not isinstance(node, Table):
            return self.unlike(node, key, "a mapping of settings")
        fields = {field.encode_name: field for field in kind.fields}
        for name, (place, _) in node.entries.items():
            if name not in fields:
                where = f" in `{key}`" if key else ""
                self.wrong(place, f"unknown key `{_shown(name)}`{where}", nearest(name, list(fields)))
        for name, field in fields.items():
            if field.required and name not in node.entries:
                self.wrong(node.place, f"missing key `{_join(key, name)}`")
        return {
            name: self.value(node.entries[name].node, field.type, _join(key, name), _bound(kind, field))
            for name, field in fields.items()
            if name in node.entries
        }

    def table(self, node: Node, kind: inspect.DictType, key: str) -> Any:
        if not isinstance(node, Table):
            return self.unlike(node, key, "a mapping")
        return {
            name: self.value(entry.node, kind.value_type, _join(key, name), Bound())
            for name, entry in node.entries.items()
        }

    def items(self, node: Node, kind: inspect.VarTupleType, key: str, bound: Bound) -> Any:
        if not isinstance(node, Items):
            return self.unlike(node, key, "a list")
        return [self.value(item, kind.item_type, f"{key}[{n}]", bound) for n, item in enumerate(node.items)]

    def union(self, node: Node, kind: inspect.UnionType, key: str, bound: Bound) -> Any:
        """`X | None` only: other unions would make messages vague, so settings have none."""
        if isinstance(node, Scalar) and node.value is None:
            return None
        (inner,) = (each for each in kind.types if not isinstance(each, inspect.NoneType))
        return self.value(node, inner, key, bound.or_null())

    def annotated(self, node: Node, kind: inspect.Metadata, key: str, bound: Bound) -> Any:
        parse, form = _UNITS[(kind.extra or {})["unit"]]
        if isinstance(node, Scalar) and isinstance(node.value, str | int | float) and node.value is not True:
            try:
                number = parse(node.text)
            except ValueError:
                return self.unlike(node, key, form)
            return number if number > 0 else self.unlike(node, key, form + ", more than nothing")
        return self.unlike(node, key, form)

    def scalar(self, node: Node, kind: Type, key: str, bound: Bound) -> Any:
        if isinstance(node, Scalar):
            value = _as_kind(node, kind)
            if value is not _BAD and bound.allows(value):
                return value
        if isinstance(kind, inspect.LiteralType) and isinstance(node, Scalar):
            return self.wrong(node.place, _found(node, key), nearest(node.text, [str(v) for v in kind.values]))
        return self.unlike(node, key, bound.describe(kind))

    def unlike(self, node: Node, key: str, allowed: str) -> Any:
        return self.wrong(node.place, _found(node, key), f"allowed: {allowed}")


def _as_kind(node: Scalar, kind: Type) -> Any:
    """The scalar's value where it is of this kind; booleans are no numbers, numbers in variables may be text."""
    value = node.value
    match kind:
        case inspect.StrType() if not isinstance(value, str) and node.place.line == 0:
            return node.text
        case inspect.StrType() if isinstance(value, str):
            return value
        case inspect.BoolType() if isinstance(value, bool):
            return value
        case inspect.IntType() if isinstance(value, int) and not isinstance(value, bool):
            return value
        case inspect.FloatType() if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        case inspect.LiteralType() if value in kind.values:
            return value
        case _:
            return _BAD


def _bound(kind: inspect.StructType, field: inspect.Field) -> Bound:
    return BOUNDS.get((kind.cls.__name__, field.name), Bound())


def _found(node: Node, key: str) -> str:
    match node:
        case Table():
            found = "a mapping"
        case Items():
            found = "a list"
        case Scalar(value=None):
            found = "empty"
        case Scalar(text=text):
            found = f"`{_shown(text)}`"
    return f"`{key}` is {found}" if key else f"the value is {found}"


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else flat[:57] + "..."


def _join(key: str, name: str) -> str:
    return f"{key}.{_shown(name)}" if key else _shown(name)

"""A JSON body read with its path in hand, so that every wrong shape is refused by name and none becomes a 500.

Rules of this room: no key is assumed and no type trusted; each API words the refusal itself.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from proxy.simulator.refusals import Refusal

KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
BODY_LIMIT = 32 << 20
"""Bytes of a body, unpacked. Anthropic refuses above 32 MB (its errors page, `request_too_large`)."""


class BadShape(Exception):
    """`expected` was needed at `path`; `got` is what stood there, "" for nothing."""

    def __init__(self, path: tuple[str | int, ...], expected: str, got: str = "") -> None:
        self.path, self.expected, self.got = path, expected, got
        super().__init__(f"{dotted(path)}: expected {expected}, got {got or 'nothing'}")


class Unknown(Exception):
    """A key that this API does not have."""

    def __init__(self, path: tuple[str | int, ...]) -> None:
        self.path = path
        super().__init__(dotted(path))


def dotted(path: tuple[str | int, ...]) -> str:
    """`messages.0.content`, as Anthropic writes a path."""
    return ".".join(str(step) for step in path)


def bracketed(path: tuple[str | int, ...]) -> str:
    """`messages[0].content`, as OpenAI and Google write a path."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def kind_of(value: object) -> str:
    return "null" if value is None else KINDS.get(type(value), "value")


def dump(value: object, without: tuple[str, ...] = ()) -> str:
    """Compact JSON in the order received: the providers render tool schemas and arguments in that order."""
    if without and isinstance(value, dict):
        value = {key: item for key, item in value.items() if key not in without}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def parse(body: bytes, encoding: str) -> "Node":
    """The body as an object. ValueError where it is not JSON; BadShape where it is no object."""
    try:
        node = Node(json.loads(_unpacked(body, encoding).decode(), parse_constant=_no_constant), ())
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep
    node.keys()
    return node


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Refusal(415, f"Unsupported content encoding: {encoding}")
    try:
        unpacker = zlib.decompressobj(wbits=31)
        plain = unpacker.decompress(body, BODY_LIMIT)
    except zlib.error as bad:
        raise ValueError("not gzip") from bad
    if unpacker.unconsumed_tail:
        raise Refusal(413, "Request exceeds the maximum size")
    return plain


class Node:
    """One JSON value and where it stands."""

    __slots__ = ("value", "path")

    def __init__(self, value: Any, path: tuple[str | int, ...]) -> None:
        self.value, self.path = value, path

    def wrong(self, expected: str) -> BadShape:
        return BadShape(self.path, expected, kind_of(self.value))

    def keys(self) -> Mapping[str, Any]:
        if not isinstance(self.value, dict):
            raise self.wrong("object")
        return self.value

    def get(self, key: str) -> "Node | None":
        """What stands under `key`, None where it is absent or null."""
        value = self.keys().get(key)
        return None if value is None else Node(value, (*self.path, key))

    def need(self, key: str) -> "Node":
        found = self.get(key)
        if found is None:
            raise BadShape((*self.path, key), "value", "null" if key in self.keys() else "")
        return found

    def items(self) -> tuple["Node", ...]:
        if not isinstance(self.value, list):
            raise self.wrong("array")
        return tuple(Node(item, (*self.path, place)) for place, item in enumerate(self.value))

    def all(self, key: str) -> tuple["Node", ...]:
        """The items of an optional array."""
        found = self.get(key)
        return () if found is None else found.items()

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("string")
        return self.value

    def word(self, key: str, default: str = "") -> str:
        """An optional string."""
        found = self.get(key)
        return default if found is None else found.text()

    def whole(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.wrong("integer")
        return self.value

    def flag(self, key: str) -> bool:
        """An optional boolean, false by default."""
        found = self.get(key)
        if found is not None and not isinstance(found.value, bool):
            raise found.wrong("boolean")
        return bool(found and found.value)

    def only(self, allowed: Iterable[str]) -> None:
        for key in self.keys():
            if key not in allowed:
                raise Unknown((*self.path, key))

    def shaped(self, table: Mapping[str, str]) -> None:
        """Each key that is there has the type that the table gives it."""
        for key, expected in table.items():
            found = self.get(key)
            if found is not None and not _fits(found.value, expected):
                raise found.wrong(expected)


def _fits(value: object, expected: str) -> bool:
    kinds = expected.split(" or ")
    return kind_of(value) in kinds or ("number" in kinds and kind_of(value) == "integer")

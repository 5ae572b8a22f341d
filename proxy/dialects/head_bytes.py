"""The bytes of a head: cut out as they were sent, and put back in the place of another's.

Rules of this room: a part of a head is kept as a request that has nothing else: `{"tools":[...]}`,
`{"system":"...","messages":[the system messages at the front]}`. So whoever reads a request can read it. Values
are never encoded again; what is put back was sent before, in these bytes.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from proxy.dialects.slices import Path, Split, array_slices, find_value, object_slices
from proxy.errors import DialectError


class HeadFields(Struct, frozen=True):
    """Where tools and system stand: top-level names, dotted where they lead into an object."""

    tools: tuple[str, ...] = ()
    system: tuple[str, ...] = ()


def cut_head(fields: HeadFields, key: str, cut: Split, lead: int) -> dict[str, bytes]:
    """Tools and system of a request. `lead`: system messages at the front of its list, whose name is `key`."""
    system = list(_members(fields.system, cut.rest))
    if lead:
        system.append(member((key,), b"[%b]" % b",".join(bytes(one) for one in cut.elements[:lead])))
    return {"tools": joined(_members(fields.tools, cut.rest)), "system": joined(system)}


def part_values(names: Sequence[str], part: bytes) -> dict[Path, bytes]:
    """The values of a part, by where they stand in a request."""
    return {path: raw for path, raw in ((path, value_at(part, path)) for path in _paths(names)) if raw is not None}


def leads_of(key: str, part: bytes) -> list[bytes]:
    """The system messages at the front of the list that a part holds."""
    listed = value_at(part, (key,)) or b"[]"
    return [listed[start:end] for start, end in array_slices(listed)]


def with_values(body: bytes, cut: Split, values: Mapping[Path, bytes], leads: Sequence[bytes] = ()) -> bytes:
    """The body with these values in their places, or behind its last member, and other messages at the front.

    Raises DialectError where a value has no place.
    """
    moved = len(body) - len(cut.rest)
    changes = [_change(cut.rest, path, raw) for path, raw in values.items()]
    changes = [(at + moved, to + moved, new) if at >= cut.begin else (at, to, new) for at, to, new in changes]
    for start, old, new in zip(cut.starts, cut.elements, leads, strict=False):
        changes.append((start, start + len(old), new))
    pieces, done = [], 0
    # a stable order: members that are added stand at one place, in the order in which they were named
    for start, end, new in sorted(changes, key=lambda change: change[:2]):
        pieces += [body[done:start], new]
        done = end
    return b"".join([*pieces, body[done:]])


def value_at(raw: bytes, path: Path) -> bytes | None:
    """One nested value; None where there is none."""
    try:
        start, end = find_value(raw, path)
    except DialectError as error:
        if error.reason in ("no_such_value", "not_an_object", "not_a_list"):
            return None
        raise
    return raw[start:end]


def member(path: Path, raw: bytes) -> bytes:
    """A value as a member of an object, inside further objects where its path has more steps."""
    name, *inner = path
    return b'"%b":%b' % (str(name).encode(), b"{%b}" % member(tuple(inner), raw) if inner else raw)


def joined(members: Iterator[bytes] | Sequence[bytes]) -> bytes:
    return b"{%b}" % b",".join(members)


def _paths(names: Sequence[str]) -> list[Path]:
    return [tuple(name.split(".")) for name in names]


def _members(names: Sequence[str], rest: bytes) -> Iterator[bytes]:
    for path in _paths(names):
        raw = value_at(rest, path)
        if raw is not None:
            yield member(path, raw)


def _change(rest: bytes, path: Path, raw: bytes) -> tuple[int, int, bytes]:
    """Start and end of what a value replaces, and its bytes. A missing object on its way is made."""
    start, end = 0, len(rest)
    for depth, step in enumerate(path):
        here = {name: (start + at, start + to) for name, at, to in object_slices(rest[start:end])}
        if step not in here:
            close = rest.rindex(b"}", start, end)
            return close, close, (b"," if here else b"") + member(path[depth:], raw)
        start, end = here[str(step)]
    return start, end, raw

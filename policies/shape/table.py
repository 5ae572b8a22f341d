"""Lists of like objects as tables: each key once, each object a row on a line of its own.

A table is JSON again, in place of the list, at any depth: `{"table of 9 objects, keys first":[[KEYS],[VALUES], ...]}`.

Rules of this room: JSON without blanks in and out. Every value keeps its spelling; an object becomes a row only if
putting it together again gives the very same bytes. A document that speaks of tables in these words is left alone;
of any other, a table gives back every byte.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

LARGE = 1_000_000
"""Bytes from which it is not tried: it takes a step for every value."""
DEPTH = 6
"""Levels that are looked into."""
FEWEST = 3
"""Objects that make a table."""
COLUMNS = 16
"""Keys at most: in a wider row it is hard to tell which value is which."""
SHARE = 0.85
"""Of the list's length that a table may have at most."""

_NAME = b"table of %d objects, keys first"
_NAMED = re.compile(rb"table of \d+ objects, keys first")
_array = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Raw])


def tabulated(raw: bytes) -> bytes:
    """The document with tables."""
    return raw if len(raw) > LARGE or _NAMED.search(raw) else _value(raw, DEPTH)


def _value(raw: bytes, depth: int) -> bytes:
    """One value with tables in it."""
    if depth and raw[:1] == b"[":
        items = [bytes(item) for item in _array.decode(raw)]
        return _table(raw, items, depth) or _joined_list([_value(item, depth - 1) for item in items])
    if depth and raw[:1] == b"{":
        members = _members(raw)
        return _joined_object({key: _value(value, depth - 1) for key, value in members.items()}) if members else raw
    return raw


def _table(raw: bytes, items: Sequence[bytes], depth: int) -> bytes | None:
    """A list as a table, where its items are like objects and it is worth it."""
    if len(items) < FEWEST or any(item[:1] != b"{" for item in items):
        return None
    objects = [_members(item) for item in items]
    keys = list(objects[0])
    if not 0 < len(keys) <= COLUMNS or any(list(each) != keys for each in objects):
        return None
    rows = (_joined_list([_value(value, depth - 1) for value in each.values()]) for each in objects)
    table = b'{"%b":[%b,\n%b]}' % (_NAME % len(objects), msgspec.json.encode(keys), b",\n".join(rows))
    return table if len(table) <= SHARE * len(raw) else None


def _members(raw: bytes) -> dict[str, bytes]:
    """The members of an object; none where they cannot be put together again: a key twice, or spelled with escapes."""
    members = {key: bytes(value) for key, value in _object.decode(raw).items()}
    return members if _joined_object(members) == raw else {}


def _joined_list(items: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(items)


def _joined_object(members: dict[str, bytes]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (msgspec.json.encode(key), value) for key, value in members.items())

"""Exact slices of JSON text: where a value begins and ends, so that all around it stays as it was sent.

Rules of this room: nothing is encoded again. A position is used only when it was proved against the
bytes: element lengths come from one scan by msgspec, and each separator is checked where it must stand.
Every failure is a DialectError with a fixed word. It must not know any wire format.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, islice, repeat
from operator import sub
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from proxy.errors import DialectError

T = TypeVar("T")
Path = tuple[str | int, ...]

SPACE = b" \t\r\n"
_SPACES = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_COMMA = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_CLOSE_LIST = re.compile(rb"[ \t\r\n]*\]")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_CANDIDATES = 8  # a tool schema may have list properties of the same name; beyond a few, walk the whole body

_KEYS = ("messages", "input", "contents")
_OPENINGS = {key: re.compile(rb'"%b"[ \t\r\n]*:[ \t\r\n]*\[' % key.encode()) for key in _KEYS}
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])


def _list_decoder(key: str) -> Callable[[bytes], Struct]:
    """Decodes one top-level list into slices and skips the rest: 0.14 ms for 524 KB."""
    shape = msgspec.defstruct("Listed", [("elements", list[Raw])], rename={"elements": key})
    return msgspec.json.Decoder(shape).decode


_LISTS = {key: _list_decoder(key) for key in _KEYS}


class Split(Struct, frozen=True):
    """A body cut at one top-level list."""

    elements: Sequence[Raw | bytes]
    """Each usable as a buffer (hashing) without a copy; `bytes(element)` copies."""
    starts: Sequence[int]
    """Where each element begins in the body."""
    begin: int
    """Just after the list's `[`."""
    end: int
    """At the list's `]`."""
    rest: bytes
    """The body with an empty list in place of this one."""


def split(body: bytes, key: str) -> Split:
    """Cut `body` at its top-level list `key` (one of a dialect's), in one scan and another of the rest."""
    try:
        return _split(body, key)
    except DialectError as error:
        if error.reason != "malformed_json" or not _SURROGATE.search(body):
            raise
    return _split_disguised(body, key)


def _split_disguised(body: bytes, key: str) -> Split:
    """Cut a body that holds a lone surrogate, as clients in JavaScript send when they cut a text in an emoji.

    msgspec refuses such a body wherever the surrogate stands. In a copy in which each is spelled as
    another character of the same length, all else stands where it did.
    """
    cut = _split(_SURROGATE.sub(rb"\\u0041", body), key)
    pieces = [body[start : start + len(element)] for start, element in zip(cut.starts, cut.elements, strict=True)]
    return Split(pieces, cut.starts, cut.begin, cut.end, body[: cut.begin] + body[cut.end :])


def _split(body: bytes, key: str) -> Split:
    elements = _elements(body, key)
    for match in islice(_OPENINGS[key].finditer(body), _CANDIDATES):
        found = _uniform(body, match.end(), elements)
        if found and (cut := _cut(body, key, elements, match.end(), *found)):
            return cut
    return _walked(body, key, elements)


def splice(body: bytes, cut: Split, replacements: Mapping[int, bytes]) -> bytes:
    """The body with some elements replaced; the very same object where there are none."""
    if not replacements:
        return body
    pieces, done = [], 0
    for index in sorted(replacements):
        start = cut.starts[index]
        pieces += [body[done:start], replacements[index]]
        done = start + len(cut.elements[index])
    return b"".join([*pieces, body[done:]])


def object_slices(raw: bytes) -> tuple[tuple[str, int, int], ...]:
    """Key, start and end of each value of an object, in order. Keys that occur twice are an error."""
    values = _decoded(_object.decode, raw, "not_an_object")
    position = _after_spaces(raw, 0) + 1
    slices = []
    for key, value in values.items():
        start = _value_start(raw, position, key)
        end = start + len(value)
        # msgspec keeps the last of two equal keys, so only a comparison shows that this value stands here.
        if not raw.startswith(bytes(value), start):
            raise DialectError("duplicate_keys")
        slices.append((key, start, end))
        comma = _COMMA.match(raw, end)
        position = comma.end() if comma else end
        if comma and len(slices) == len(values):
            raise DialectError("duplicate_keys")
    return tuple(slices)


def array_slices(raw: bytes) -> tuple[tuple[int, int], ...]:
    """Start and end of each element of an array."""
    elements = _decoded(_array.decode, raw, "not_a_list")
    starts = _walk(raw, _after_spaces(raw, 0) + 1, elements)
    return tuple((start, start + len(element)) for start, element in zip(starts, elements, strict=True))


def find_value(raw: bytes, path: Path) -> tuple[int, int]:
    """Start and end of one nested value."""
    start, end = 0, len(raw)
    for step in path:
        inner = raw[start:end]
        slices = _members(inner) if isinstance(step, str) else _numbered(inner)
        if step not in slices:
            raise DialectError("no_such_value")
        start, end = start + slices[step][0], start + slices[step][1]
    return start, end


def replace_value(raw: bytes, path: Path, new: bytes) -> bytes:
    """`raw` with one nested value replaced, every other byte kept."""
    start, end = find_value(raw, path)
    return raw[:start] + new + raw[end:]


def _members(raw: bytes) -> dict[str | int, tuple[int, int]]:
    return {key: (start, end) for key, start, end in object_slices(raw)}


def _numbered(raw: bytes) -> dict[str | int, tuple[int, int]]:
    return dict(enumerate(array_slices(raw)))


def _decoded(decode: Callable[[bytes], T], raw: bytes, otherwise: str) -> T:
    try:
        return decode(raw)
    except RecursionError:
        raise DialectError("too_deep") from None
    except msgspec.ValidationError:
        raise DialectError(otherwise) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DialectError("malformed_json") from None


def _elements(body: bytes, key: str) -> list[Raw]:
    try:
        listed = _decoded(_LISTS[key], body, "not_a_list")
    except DialectError as error:
        if error.reason == "not_a_list":
            _explain(body, key)
        raise
    elements: list[Raw] = listed.elements  # type: ignore[attr-defined]  # the struct is made at run time
    return elements


def _explain(body: bytes, key: str) -> None:
    """Say more exactly why the list could not be taken."""
    if key not in _decoded(_object.decode, body, "not_an_object"):
        raise DialectError(f"no_{key}")


def _uniform(body: bytes, begin: int, elements: Sequence[Raw]) -> tuple[list[int], int] | None:
    """Element starts and the closing bracket, if the list begins here and has one separator throughout.

    By induction: an element that begins where it must has the length that the scan gave it; then comes
    the separator, and what follows is no white space, so the next element begins there.
    """
    first = _after_spaces(body, begin)
    comma = _COMMA.match(body, first + len(elements[0])) if len(elements) > 1 else None
    separator = comma.group() if comma else b","
    step = len(separator)
    starts = list(accumulate(map(step.__add__, map(len, elements)), initial=first))
    stop = starts.pop() - (step if elements else 0)
    closing = _CLOSE_LIST.match(body, stop)
    if closing is None:
        return None
    if not all(map(body.startswith, repeat(separator), map(sub, starts[1:], repeat(step)))):
        return None
    return (starts, closing.end() - 1) if set(map(body.__getitem__, starts)).isdisjoint(SPACE) else None


def _cut(body: bytes, key: str, elements: Sequence[Raw], begin: int, starts: list[int], end: int) -> Split | None:
    """The split, if what is left over proves that this was the top-level list.

    The key may also stand in a nested object, or be spelled with escapes; then the emptied list is not
    the value of the top-level key.
    """
    rest = body[:begin] + body[end:]
    try:
        found = (key, begin - 1, begin + 1) in object_slices(rest)
    except DialectError as error:
        if error.reason == "duplicate_keys":
            raise
        return None
    return Split(elements, starts, begin, end, rest) if found else None


def _walked(body: bytes, key: str, elements: Sequence[Raw]) -> Split:
    """The slow path: walk the whole object, then the list."""
    start, stop = _members(body)[key]
    starts = _walk(body, start + 1, elements)
    return Split(elements, starts, start + 1, stop - 1, body[: start + 1] + body[stop - 1 :])


def _walk(raw: bytes, begin: int, elements: Sequence[Raw]) -> list[int]:
    position, starts = _after_spaces(raw, begin), []
    for element in elements:
        starts.append(position)
        end = position + len(element)
        comma = _COMMA.match(raw, end)
        position = comma.end() if comma else end
    return starts


def _value_start(raw: bytes, position: int, key: str) -> int:
    """Where the value begins, if a member of this name begins at or after `position`."""
    name = _STRING.match(raw, _after_spaces(raw, position))
    if name is None or msgspec.json.decode(name.group()) != key:
        raise DialectError("duplicate_keys")
    colon = _COLON.match(raw, name.end())
    return colon.end() if colon else name.end()


def _after_spaces(raw: bytes, position: int) -> int:
    match = _SPACES.match(raw, position)
    return match.end() if match else position

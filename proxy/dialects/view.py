"""The view that all dialects share: messages to blocks, and edits back into the bytes.

Rules of this room: a dialect is data for this one class: how its parts are read, its markers, its
tables. Nothing here depends on a provider. Reading never raises on odd content; changing raises
DialectError where it would touch anything else.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from policies.core.conversation import Block, BlockHash, Head, Kind, Message, Role
from policies.core.divergence import Prompt
from policies.core.usage import Usage
from proxy.dialects import Count, UsageReader
from proxy.dialects.canonical import canonical, decode, identity, raw_identity, unmarked
from proxy.dialects.head_bytes import HeadFields, cut_head
from proxy.dialects.mentions import marks
from proxy.dialects.parts import Object, Part, opaque
from proxy.dialects.slices import Path, Split, find_value, object_slices
from proxy.dialects.steady import steady
from proxy.dialects.usages import Reader, Source, reported
from proxy.errors import DialectError

_FIRST_LINE = 80  # characters kept of an observation's first line

Parts = tuple[Role, list[Part]]


@dataclass(frozen=True, slots=True)
class View:
    """One wire format, as data. Implements `Dialect`."""

    name: str
    list_key: str
    recognises: Callable[[str], bool]
    """Whether a POST to this path creates a model answer in this dialect."""
    parts: Callable[[Object], Parts]
    """The role and the parts of one decoded message."""
    heading: Callable[[bytes, str, Count], Head]
    prompting: Callable[[bytes], Prompt]
    """Tools, system and parameters as values."""
    source: Source
    """Where its answers state usage."""
    error: Callable[[int, str], bytes]
    message_tokens: int
    """Structure around each message."""
    names: frozenset[str] = frozenset()
    """Fields of a message that only name it."""
    text_type: str = "text"
    """The type of a text part in user content."""
    marker: Callable[[bool], bytes] | None = None
    """The cache marker as a JSON member; None where the provider has none."""
    beside: bool = False
    """A marker is an element of its own, behind the one that it ends (Bedrock Converse)."""
    restated: Callable[[Object, Object], bool] | None = None
    """Whether the second message is the first but for what a client loses when it resumes a session."""
    fields: HeadFields = HeadFields()
    """Where tools and system stand."""
    ending: Callable[[bytes], Path | None] = lambda rest: None
    """Where the value stands that ends tools and system, if it may carry a marker."""

    def head(self, rest: bytes, path: str, count: Count) -> Head:
        return self.heading(rest, path, count)

    def usage(self, body: bytes) -> Usage | None:
        return reported(self.source, body)

    def usage_reader(self) -> UsageReader:
        return Reader(self.source)

    def message(self, raw: bytes, count: Count) -> Message:
        raw = bytes(raw)
        role, parts = self._read(raw)
        said = role is Role.ASSISTANT
        blocks = tuple(_block(part, index, count, said) for index, part in enumerate(parts))
        return Message(role, blocks, raw, self.message_tokens + sum(block.tokens for block in blocks))

    def prompt(self, rest: bytes) -> Prompt:
        return self.prompting(rest)

    def said(self, raw: bytes) -> object:
        """What the hashes of its blocks cover, laid out as on the wire."""
        try:
            value = decode(raw)
        except ValueError:
            return raw.decode(errors="replace")
        if not isinstance(value, dict):
            return value
        spoken = self.text_type == "input_text" and value.get("role") == "assistant"
        fields = unmarked(value, "output_text" if spoken else self.text_type)
        assert isinstance(fields, dict)
        return {key: item for key, item in fields.items() if item not in (None, [], {}) and key not in self.names}

    def restates(self, before: bytes, now: bytes) -> bool:
        if self.restated is None:
            return False
        try:
            sides = decode(before), decode(now)
        except ValueError:
            return False
        return isinstance(sides[0], dict) and isinstance(sides[1], dict) and self.restated(sides[0], sides[1])

    def cut_head(self, cut: Split, lead: int) -> dict[str, bytes]:
        return cut_head(self.fields, self.list_key, cut, lead)

    def original(self, raw: bytes, index: int) -> str:
        return _original(_part(self._read(raw)[1], index))

    def replace(self, raw: bytes, edits: tuple[tuple[int, str], ...]) -> bytes:
        _, parts = self._read(raw)
        for index, words in edits:
            place = _part(parts, index).content
            if place is None:
                raise DialectError("not_editable")
            start, end = find_value(raw, place)
            raw = raw[:start] + _reshaped(raw[start:end], words, self.text_type) + raw[end:]
        return raw

    def append(self, raw: bytes, index: int, text: str) -> bytes:
        part = _part(self._read(raw)[1], index)
        place = _end_of_text(raw, part)
        if place is None:
            return self.replace(raw, ((index, f"{part.text}\n\n{text}"),))
        _, end = find_value(raw, place)
        return raw[: end - 1] + _encoded(f"\n\n{text}")[1:-1] + raw[end - 1 :]

    def mark(self, raw: bytes, index: int, long: bool) -> bytes:
        part = _part(self._read(raw)[1], index)
        if part.marked:
            return raw
        if self.marker is None or part.mark is None:
            raise DialectError("not_markable")
        return self._with_member(raw, part.mark, self.marker(long))

    def mark_head(self, rest: bytes, long: bool) -> tuple[int, int, bytes]:
        path = self.ending(rest)
        if self.marker is None or path is None:
            raise DialectError("not_markable")
        start, end = find_value(rest, path)
        return start, end, self._marked(rest[start:end], self.marker(long))

    def _with_member(self, raw: bytes, path: Path, member: bytes) -> bytes:
        start, end = find_value(raw, path)
        return raw[:start] + self._marked(raw[start:end], member) + raw[end:]

    def _marked(self, value: bytes, member: bytes) -> bytes:
        if self.beside:
            return b"%b,{%b}" % (value, member)
        if value.startswith(b'"'):
            return b'[{"type":"%b","text":%b,%b}]' % (self.text_type.encode(), value, member)
        return _joined(value, member)

    def _read(self, raw: bytes) -> Parts:
        try:
            value = decode(raw)
        except ValueError:
            return Role.USER, [_unreadable(raw)]
        return self.parts(value) if isinstance(value, dict) else (Role.USER, [opaque(value)])


def _unreadable(raw: bytes) -> Part:
    """A message that means different things to different readers: its identity is its bytes."""
    return Part(Kind.OPAQUE, raw_identity(raw), raw.decode(errors="replace"))


def _block(part: Part, index: int, count: Count, said: bool) -> Block:
    words = part.text
    seen = words if part.kind is Kind.OBSERVATION else ""
    content = _hashed(_original(part)) if seen or part.picture else b""
    return Block(
        kind=part.kind,
        hash=BlockHash(part.identity if isinstance(part.identity, bytes) else identity(part.identity)),
        tokens=part.extra + (count(words) if words else 0),
        index=index,
        marked=part.marked,
        long=part.long,
        markable=part.mark is not None,
        call_id=part.call_id,
        tool=part.tool,
        act=part.act,
        failed=part.failed,
        bound=part.bound,
        editable=part.content is not None and not part.picture,
        picture=part.picture,
        content=content,
        said=content if part.picture else _hashed(steady(seen)),
        lines=seen.count("\n") + (not seen.endswith("\n")) if seen else 0,
        first_line=seen.lstrip().partition("\n")[0].rstrip()[:_FIRST_LINE],
        values=_values(part, said),
    )


def _original(part: Part) -> str:
    """The text, or the JSON of what is more than text."""
    return canonical(part.whole).decode() if part.picture else part.text


def _values(part: Part, said: bool) -> frozenset[int]:
    telling = part.kind in (Kind.OBSERVATION, Kind.CALL) or (said and part.kind is Kind.TEXT)
    return marks(part.text, json=part.kind is Kind.CALL) if telling else frozenset()


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest() if text else b""


def _joined(value: bytes, member: bytes) -> bytes:
    """An object with one more member; some clients send the marker's key with null (pydantic-ai)."""
    for key, start, end in object_slices(value):
        if member.startswith(b'"%b":' % key.encode()):
            return value[:start] + member.partition(b":")[2] + value[end:]
    return value[:-1] + b"," + member + value[-1:]


def _part(parts: list[Part], index: int) -> Part:
    if not 0 <= index < len(parts):
        raise DialectError("no_such_block")
    return parts[index]


def _encoded(words: str) -> bytes:
    try:
        return msgspec.json.encode(words)
    except UnicodeEncodeError:
        raise DialectError("not_text") from None


def _end_of_text(raw: bytes, part: Part) -> Path | None:
    """Where the string stands that ends a block's text; None where an answer is an object that is no text.

    A note goes into that string and not into a part of its own: clients spell one text now as a string, now as a
    list of one part, and both must go on to mean the same. So it also stands inside a tool's result: text behind
    results teaches Claude to end its turn there, and Mistral refuses it.
    """
    place = part.path if part.kind is Kind.TEXT else part.content
    if place is None or part.picture:
        raise DialectError("not_editable")
    start, end = find_value(raw, place)
    value = msgspec.json.decode(raw[start:end])
    if isinstance(value, list):
        return (*place, len(value) - 1, "text")
    if not isinstance(value, dict):
        return place
    if part.kind is Kind.TEXT:
        return (*place, "text")
    return (*place, *value) if [*map(type, value.values())] == [str] else None


def _reshaped(old: bytes, words: str, text_type: str) -> bytes:
    """`words` in the shape of the value they replace: a string, a list of one text part, or an object."""
    new = _encoded(words)
    if old.startswith(b'"'):
        return new
    value = msgspec.json.decode(old)
    if isinstance(value, list):
        first = value[0]
        kind = b'"type":%b,' % canonical(first["type"] if "text" in first else text_type) if "type" in first else b""
        return b'[{%b"text":%b}]' % (kind, new)
    key = next(iter(value)) if len(value) == 1 else "output"
    return b"{%b:%b}" % (canonical(key), new)

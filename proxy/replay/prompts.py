"""From sent bytes to what a provider's cache sees: a chain of block hashes with tokens and markers.

Rules of this room: what was really sent is read, with the dialect, as a provider would. A message is
parsed and counted once in a session, however many requests carry it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import is_

import xxhash
from msgspec import Struct

from policies.core.conversation import Block, Conversation, Head, Kind, Message
from proxy.dialects import Count, Dialect
from proxy.dialects.slices import split
from proxy.replay.cache import Prompt

RUNS = (Kind.CALL, Kind.OBSERVATION)
"""Kinds whose runs are one position to a lookback (Anthropic)."""


class Sent(Struct, frozen=True):
    """One request as read back: the conversation in full, leading system messages included."""

    conversation: Conversation
    prompt: Prompt

    @property
    def head(self) -> Head:
        return self.conversation.head

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.conversation.messages

    @property
    def markers(self) -> int:
        """Cache markers of the whole request, those in the head included."""
        return self.head.markers + sum(block.marked for message in self.messages for block in message.blocks)


@dataclass(slots=True)
class Reader:
    """Reads the requests of one session, in any order; equal bytes give the same message object."""

    dialect: Dialect
    path: str
    count: Count
    messages: dict[int, Message] = field(default_factory=dict)
    heads: dict[bytes, Head] = field(default_factory=dict)

    def read(self, body: bytes, before: Sent | None = None) -> Sent:
        """A request. `before`: one that it is likely to go on from; only saves work."""
        cut = split(body, self.dialect.list_key)
        head = self.heads.get(cut.rest)
        if head is None:
            head = self.heads.setdefault(cut.rest, self.dialect.head(cut.rest, self.path, self.count))
        keys = list(map(xxhash.xxh3_128_intdigest, cut.elements))
        found = zip(keys, cut.elements, map(self.messages.get, keys), strict=True)
        messages = tuple(message or self._new(key, element) for key, element, message in found)
        conversation = Conversation(self.dialect.name, head, messages)
        return Sent(conversation, prompt(conversation, before))

    def message(self, raw: bytes) -> Message:
        key = xxhash.xxh3_128_intdigest(raw)
        return self.messages.get(key) or self._new(key, raw)

    def _new(self, key: int, raw: "bytes | memoryview") -> Message:
        return self.messages.setdefault(key, self.dialect.message(bytes(raw), self.count))


def prompt(conversation: Conversation, before: Sent | None = None, same: int | None = None) -> Prompt:
    """The conversation as a cache sees it. `before`: as in `read`; `same`: how many messages it is known to share."""
    head, messages = conversation.head, conversation.messages
    if before is None or before.head is not head:
        before, same = None, 0
    elif same is None:
        same = alike(before.messages, messages)
    chain, tokens, places, ends = _shared(before.prompt, same) if before and same else _start(head)
    marks, long = _marks_of(before, same) if before and same else (set(), set())
    kind = messages[same - 1].blocks[-1].kind if same and messages[same - 1].blocks else None
    for message in messages[same:]:
        overhead = message.tokens - sum(block.tokens for block in message.blocks)
        for block in message.blocks:
            if block.marked:
                (long if block.long else marks).add(len(chain))
            chain.append(_link(chain[-1], message, block))
            tokens.append(tokens[-1] + block.tokens + overhead)
            places.append(places[-1] + (block.kind is not kind or kind not in RUNS))
            overhead, kind = 0, block.kind
        if not message.blocks:
            chain.append(_link(chain[-1], message, None))
            tokens.append(tokens[-1] + overhead)
            places.append(places[-1] + 1)
            kind = None
        ends.append(len(chain) - 1)
    for place, lasting in _of_head(head, ends):
        (long if lasting else marks).add(place)
    found = tuple(sorted(marks | long)), tuple(sorted(long))
    return Prompt(tuple(chain), tuple(tokens), tuple(places), tuple(ends), *found)


def alike(one: Sequence[Message], other: Sequence[Message]) -> int:
    """Messages at the front that are the very same objects."""
    found = list(map(is_, one, other))
    return found.index(False) if False in found else len(found)


def _start(head: Head) -> tuple[list[bytes], list[int], list[int], list[int]]:
    parts = (head.model.encode(), head.tools_hash, head.system_hash, head.parameters_hash)
    return [blake2b(b"\0".join(parts), digest_size=16).digest()], [head.tokens], [0], [0]


def _shared(before: Prompt, messages: int) -> tuple[list[bytes], list[int], list[int], list[int]]:
    upto = before.ends[messages] + 1
    return (
        list(before.chain[:upto]),
        list(before.tokens[:upto]),
        list(before.places[:upto]),
        list(before.ends[: messages + 1]),
    )


def _link(parent: bytes, message: Message, block: Block | None) -> bytes:
    content = block.hash if block else b"empty"
    return blake2b(parent + message.role.value.encode() + content, digest_size=16).digest()


def _marks_of(before: Sent, same: int) -> tuple[set[int], set[int]]:
    """Short and long markers of the messages that are shared; the automatic one of the request before has moved on."""
    ends, messages = before.prompt.ends, before.messages
    gone = -1
    if before.head.automatic and not (messages and messages[-1].blocks and messages[-1].blocks[-1].marked):
        gone = ends[-1]
    long = {mark for mark in before.prompt.long if 0 < mark <= ends[same] and mark != gone}
    return {mark for mark in before.prompt.marks if 0 < mark <= ends[same] and mark != gone} - long, long


def _of_head(head: Head, ends: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Markers behind tools and system, and whether each is to live long; the automatic one stands at the end."""
    if head.markers > head.automatic:
        yield 0, head.long
    if head.automatic:
        yield ends[-1], head.automatic_long

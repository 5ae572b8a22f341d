"""What the agent used next, and whether it could still see it: a measure without a model.

Of each recorded tool call, the argument values that stood somewhere in the full context: are they
still in what was sent? At risk are those that stood only in observations older than the newest ten:
what masking by age alone takes away. A value that a placeholder names counts as kept.

Rules of this room: text only; weighted by tokens. It must not know policies or prices.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from policies.core.conversation import Block, Kind, Message
from proxy.dialects import Count, Dialect, mentions
from proxy.replay.prompts import Sent

NEWEST = 10
"""Observations that masking by age leaves alone."""
LONGEST = 200
"""Characters of a whole argument that is a value by itself; longer ones are prose or files."""

_FENCED = re.compile(r"```[\w-]*\n(.*?)```", re.DOTALL)

HEAD = b"head"
"""Stands for tools and system among the blocks."""


class Score(Struct, frozen=True):
    """Tokens of values: present in the full context, of these sent; at risk, of these sent."""

    present: int = 0
    retained: int = 0
    at_risk: int = 0
    at_risk_retained: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A value that the next call uses and the full context holds."""

    where: set[bytes]
    """Blocks, by hash, that hold it; shared with the index, so blocks read later are in it."""
    tokens: int
    at_risk: bool


@dataclass(slots=True)
class Evidence:
    """The values of one session's calls and the blocks that hold them."""

    dialect: Dialect
    count: Count
    values: dict[str, set[bytes]] = field(default_factory=dict)
    known: set[bytes] = field(default_factory=set)

    def learn(self, answers: Sequence[Sequence[Message]]) -> list[tuple[str, ...]]:
        """The values of each call's answer; all of them are looked for in every block read afterwards."""
        found = [values(answer, self.dialect) for answer in answers]
        self.values = {value: set() for one in found for value in one}
        return found

    def asked(self, values: Sequence[str], received: Sent, head: str) -> list[Asked]:
        """Those values that the full context of this step holds. `head`: tools and system as text."""
        self._read_head(head)
        old, rest = self._parted(received)
        result = []
        for value in values:
            where = self.values[value]
            at_risk = where.isdisjoint(rest)
            if not at_risk or not where.isdisjoint(old):
                result.append(Asked(where, self.count(value), at_risk))
        return result

    def score(self, asked: Sequence[Asked], sent: Sent) -> Score:
        """How much of what was asked for is in what was sent."""
        if not asked:
            return Score()
        blocks = self._hashes(sent)
        kept = [one for one in asked if not one.where.isdisjoint(blocks)]
        return Score(
            sum(one.tokens for one in asked),
            sum(one.tokens for one in kept),
            sum(one.tokens for one in asked if one.at_risk),
            sum(one.tokens for one in kept if one.at_risk),
        )

    def _hashes(self, sent: Sent) -> set[bytes]:
        for message in sent.messages:
            self._read(message)
        return {HEAD, *(block.hash for message in sent.messages for block in message.blocks)}

    def _parted(self, received: Sent) -> tuple[set[bytes], set[bytes]]:
        """Observations older than the newest ones, and everything else."""
        blocks = self._hashes(received)
        observations = [
            block.hash for message in received.messages for block in message.blocks if block.kind is Kind.OBSERVATION
        ]
        newest = set(observations[-NEWEST:])
        other = {
            block.hash
            for message in received.messages
            for block in message.blocks
            if block.kind is not Kind.OBSERVATION
        }
        rest = newest | other | {HEAD}
        return blocks - rest, rest

    def _read(self, message: Message) -> None:
        for block in message.blocks:
            if block.hash not in self.known:
                self.known.add(block.hash)
                self._find(self.dialect.original(message.raw, block.index), block.hash)

    def _read_head(self, head: str) -> None:
        if HEAD not in self.known:
            self.known.add(HEAD)
            self._find(head, HEAD)

    def _find(self, text: str, name: bytes) -> None:
        for value, where in self.values.items():
            if value in text:
                where.add(name)


def values(answer: Sequence[Message], dialect: Dialect) -> tuple[str, ...]:
    """The values of an answer's calls, or of its code blocks where it has no native calls."""
    blocks = [(message, block) for message in answer for block in message.blocks]
    calls = [_arguments(dialect, message, block) for message, block in blocks if block.kind is Kind.CALL]
    written = [
        code
        for message, block in blocks
        if block.kind is Kind.TEXT and not calls
        for code in _FENCED.findall(dialect.original(message.raw, block.index))
    ]
    return tuple(dict.fromkeys(value for item in (*calls, *written) for text in _strings(item) for value in _in(text)))


def _arguments(dialect: Dialect, message: Message, block: Block) -> Any:
    """A call reads as its tool's name, a blank, and its arguments as JSON."""
    text = dialect.original(message.raw, block.index).removeprefix(block.tool).strip()
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)


def _in(text: str) -> Iterator[str]:
    """Paths, identifiers and quoted strings; a short argument as a whole."""
    whole = text.strip()
    if mentions.SHORTEST <= len(whole) <= LONGEST and "\n" not in whole and " " not in whole:
        yield whole
    yield from mentions.values(text)

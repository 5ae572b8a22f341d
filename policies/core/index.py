"""What planning needs to know of a list of messages, kept so that one more message costs one more step.

Rules of this room: derived from the messages alone. An index is extended, never changed.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct

from policies.core.conversation import Block, BlockHash, Kind, Message
from policies.core.edits import Anchor, Placed


class Observed(Struct, frozen=True):
    """An observation, where it stands and what an edit of it anchors to."""

    message: int
    block: Block
    anchor: Anchor
    tool: str = ""
    """Of the call that it answers: most dialects name the tool there alone."""


class Index(Struct, frozen=True):
    """Of the messages of one request, leading system messages left out."""

    tokens: tuple[int, ...] = (0,)
    """tokens[i]: of the messages before message i, as received."""
    observations: tuple[Observed, ...] = ()
    ends: tuple[int, ...] = ()
    """Prefixes, in messages, that end at a marker of the client."""
    long: tuple[int, ...] = ()
    """Those of them whose marker asks for the long time to live."""
    markers: int = 0
    """How many markers the client has placed."""
    bound: int = -1
    """The last message with reasoning that may be bound to what stands before it."""
    calls: dict[str, str] = {}
    """Names of the tools called, by the id of the call."""

    def extended(self, messages: Sequence[Message]) -> "Index":
        """With these messages behind those that are in it."""
        if not messages:
            return self
        first = len(self.tokens) - 1
        numbered = list(enumerate(messages, first))
        ends = {end for number, message in numbered for end in _ends(number, message)}
        long = {end for number, message in numbered for end in _ends(number, message, long=True)}
        calls = dict(self.calls)
        bound = [number for number, message in numbered if any(block.bound for block in message.blocks)]
        return Index(
            (*self.tokens, *accumulate((m.tokens for m in messages[1:]), initial=self.tokens[-1] + messages[0].tokens)),
            (*self.observations, *self._observed(numbered, calls)),
            (*self.ends, *sorted(ends - set(self.ends))),
            (*self.long, *sorted(long - set(self.long))),
            self.markers + sum(block.marked for message in messages for block in message.blocks),
            bound[-1] if bound else self.bound,
            calls,
        )

    def shortened(self, kept: Sequence[Message], gone: Sequence[Message]) -> "Index":
        """Without the messages at the end that are `gone`; `kept` are those before them."""
        count = len(kept)
        observations = self.observations
        while observations and observations[-1].message >= count:
            observations = observations[:-1]
        bound = self.bound
        while bound >= count or (bound >= 0 and not any(block.bound for block in kept[bound].blocks)):
            bound -= 1
        return Index(
            self.tokens[: count + 1],
            observations,
            (*(end for end in self.ends if end < count), *_end_of(kept)),
            (*(end for end in self.long if end < count), *_end_of(kept, long=True)),
            self.markers - sum(block.marked for message in gone for block in message.blocks),
            bound,
            self.calls,
        )

    def _observed(self, numbered: Sequence[tuple[int, Message]], calls: dict[str, str]) -> list[Observed]:
        """The observations of new messages; equal blocks are told apart by counting. Adds to `calls`."""
        seen: Counter[BlockHash] = Counter()
        found: list[Observed] = []
        for number, block in ((number, block) for number, message in numbered for block in message.blocks):
            if block.kind is Kind.CALL and block.call_id:
                calls[block.call_id] = block.tool  # ids may come again: the last call before an answer counts
            elif block.kind is Kind.OBSERVATION:
                seen = seen or Counter(one.anchor.block for one in self.observations)
                tool = block.tool or calls.get(block.call_id, "")
                found.append(Observed(number, block, Anchor(block.hash, seen[block.hash]), tool))
                seen[block.hash] += 1
        return found


class Force(Struct, frozen=True):
    """Edits in force, in the order of the request, with what they keep out of it."""

    messages: tuple[int, ...] = ()
    removed: tuple[int, ...] = (0,)
    """removed[i]: tokens that the edits before edit i keep out."""
    blocks: frozenset[tuple[int, int]] = frozenset()
    """(message, block) of each."""

    @property
    def total(self) -> int:
        """Tokens kept out of the request."""
        return self.removed[-1]

    def removed_behind(self, message: int) -> int:
        """Tokens kept out of this message and those behind it."""
        return self.removed[-1] - self.removed[bisect_left(self.messages, message)]


def force_of(placed: Sequence[Placed]) -> Force:
    """`placed` in the order of the request."""
    return Force(
        tuple(item.message for item in placed),
        tuple(accumulate((item.edit.removes for item in placed), initial=0)),
        frozenset((item.message, item.block) for item in placed),
    )


def _end_of(messages: Sequence[Message], *, long: bool = False) -> tuple[int, ...]:
    """The whole of these messages, where a marker of the client ends it."""
    marked = bool(messages) and any(_counts(block, long) for block in messages[-1].blocks[-1:])
    return (len(messages),) if marked else ()


def _ends(number: int, message: Message, *, long: bool = False) -> list[int]:
    """Prefixes that end at a marked block of this message; in the middle of a message its start counts."""
    return [number + (block is message.blocks[-1]) for block in message.blocks if _counts(block, long)]


def _counts(block: Block, long: bool) -> bool:
    return block.marked and (block.long or not long)

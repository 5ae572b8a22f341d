"""What planning needs to know of a list of messages, kept so that one more message costs one more step.

Rules of this room: derived from the messages alone. An index is extended, never changed.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice

from msgspec import Struct
from msgspec.structs import replace

from policies.core.conversation import Act, Block, BlockHash, Kind, Message, Role
from policies.core.edits import Anchor, Placed

Key = tuple[str, bytes | str]
"""What observations may have in common: ("call", what it asks), ("text", what it says), ("file", its path)."""


REACH = 200
"""Observations among which what an answer takes a value from is looked for, the newest first."""
SMALL = 200
"""Tokens below which an observation is not worth a word; the mask policy leaves such ones alone as well."""


class Observed(Struct, frozen=True):
    """An observation, where it stands and what an edit of it anchors to."""

    message: int
    block: Block
    anchor: Anchor
    tool: str = ""
    """Of the call that it answers: most dialects name the tool there alone."""
    act: Act | None = None
    """Of that call."""
    links: tuple[tuple[Key, int], ...] = ()
    """For each of its keys the place of the observation before it that has the same; -1: there is none."""
    before: int = 0
    """Tokens of all observations before it."""


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
    calls: dict[str, Block] = {}
    """Calls, by their ids."""
    newest: dict[Key, int] = {}
    """The place of the newest observation that has a key."""
    uses: tuple[tuple[int, int], ...] = ()
    """An answer of the agent's, and the place of an observation that it takes a value from; in order."""
    stale: tuple[tuple[int, int], ...] = ()
    """A message, and the place of an observation that one in it supersedes; in order."""

    def extended(self, messages: Sequence[Message]) -> "Index":
        """With these messages behind those that are in it."""
        if not messages:
            return self
        first = len(self.tokens) - 1
        numbered = list(enumerate(messages, first))
        ends = {end for number, message in numbered for end in _ends(number, message)}
        long = {end for number, message in numbered for end in _ends(number, message, long=True)}
        calls, newest = dict(self.calls), dict(self.newest)
        bound = [number for number, message in numbered if any(block.bound for block in message.blocks)]
        found = Index(
            (*self.tokens, *accumulate((m.tokens for m in messages[1:]), initial=self.tokens[-1] + messages[0].tokens)),
            (*self.observations, *self._observed(numbered, calls, newest)),
            (*self.ends, *sorted(ends - set(self.ends))),
            (*self.long, *sorted(long - set(self.long))),
            self.markers + sum(block.marked for message in messages for block in message.blocks),
            bound[-1] if bound else self.bound,
            calls,
            newest,
        )
        return replace(
            found,
            uses=(*self.uses, *found._used(numbered)),
            stale=(*self.stale, *found._outdated(len(self.observations))),
        )

    def alike(self, one: Observed, key: Key) -> Iterator[Observed]:
        """The observations before this one that have the same key, newest first."""
        for place in self._places(one, key):
            yield self.observations[place]

    def read_before(self, one: Observed, act: Act, path: str) -> Iterator[int]:
        """The places of what was read of a file that the call behind this observation reads again or writes.

        As far as it was written or read as a whole before: all behind that was superseded then.
        """
        again: set[bytes] = set()
        for place in self._places(one, ("file", path)):
            each = self.observations[place]
            if each.act is None or each.block.failed:
                continue
            if each.act.writes:
                return
            covered = act.writes or act.whole or each.act.identity == act.identity
            if covered and each.act.identity not in again:
                yield place
            if each.act.whole:
                return
            again.add(each.act.identity)

    def _places(self, one: Observed, key: Key) -> Iterator[int]:
        place = dict(one.links).get(key, -1)
        while place >= 0:
            yield place
            place = dict(self.observations[place].links)[key]

    def _used(self, numbered: Sequence[tuple[int, Message]]) -> Iterator[tuple[int, int]]:
        """Of each value that an answer holds, the newest observation that holds it."""
        for number, message in numbered:
            if message.role is not Role.ASSISTANT:
                continue
            wanted = frozenset[int]().union(*(block.values for block in message.blocks))
            upto = bisect_left(self.observations, number, key=lambda one: one.message)
            for place in range(upto - 1, max(upto - REACH, 0) - 1, -1):
                held = self.observations[place].block.values
                if not wanted.isdisjoint(held):
                    wanted -= held
                    yield number, place

    def _outdated(self, first: int) -> Iterator[tuple[int, int]]:
        """What the observations from `first` on supersede."""
        for one in self.observations[first:]:
            if not one.block.failed:
                yield from ((one.message, place) for place in dict.fromkeys(self._before(one)))

    def _before(self, one: Observed) -> Iterator[int]:
        """What says the same, answered the same call, or was read of the same file.

        A small answer says nothing anew of a file (Claude Code's "unchanged since last read").
        """
        large = one.block.tokens >= SMALL
        yield from islice(self._places(one, ("text", one.block.said)), 1 if large else 0)
        if one.act is None:
            return
        if not one.act.files:
            yield from islice(self._places(one, ("call", one.act.identity)), 1)
        elif one.act.writes or large:
            for path in one.act.files:
                yield from self.read_before(one, one.act, path)

    def shortened(self, kept: Sequence[Message], gone: Sequence[Message]) -> "Index":
        """Without the messages at the end that are `gone`; `kept` are those before them."""
        count = len(kept)
        left = len(self.observations)
        newest = dict(self.newest)
        while left and self.observations[left - 1].message >= count:
            left -= 1
            newest.update(self.observations[left].links)
        bound = self.bound
        while bound >= count or (bound >= 0 and not any(block.bound for block in kept[bound].blocks)):
            bound -= 1
        return Index(
            self.tokens[: count + 1],
            self.observations[:left],
            (*(end for end in self.ends if end < count), *_end_of(kept)),
            (*(end for end in self.long if end < count), *_end_of(kept, long=True)),
            self.markers - sum(block.marked for message in gone for block in message.blocks),
            bound,
            self.calls,
            newest,
            tuple(each for each in self.uses if each[0] < count),
            tuple(each for each in self.stale if each[0] < count),
        )

    def _observed(
        self, numbered: Sequence[tuple[int, Message]], calls: dict[str, Block], newest: dict[Key, int]
    ) -> list[Observed]:
        """The observations of new messages; equal blocks are told apart by counting. Adds to `calls` and `newest`."""
        seen: Counter[BlockHash] = Counter()
        found: list[Observed] = []
        last = self.observations[-1] if self.observations else None
        before = last.before + last.block.tokens if last else 0
        for number, block in ((number, block) for number, message in numbered for block in message.blocks):
            if block.kind is Kind.CALL and block.call_id:
                calls[block.call_id] = block  # ids may come again: the last call before an answer counts
            elif block.kind is Kind.OBSERVATION:
                seen = seen or Counter(one.anchor.block for one in self.observations)
                call = calls.get(block.call_id)
                tool, act = block.tool or (call.tool if call else ""), call.act if call else None
                links = tuple((key, newest.get(key, -1)) for key in _keys(block, act))
                newest.update((key, len(self.observations) + len(found)) for key, _ in links)
                found.append(Observed(number, block, Anchor(block.hash, seen[block.hash]), tool, act, links, before))
                seen[block.hash] += 1
                before += block.tokens
        return found


def _keys(block: Block, act: Act | None) -> Iterator[Key]:
    """Each once. A text that came with an image does not say what was seen."""
    if block.said and block.editable:
        yield "text", block.said
    if act is not None:
        yield "call", act.identity
        yield from (("file", path) for path in dict.fromkeys(act.files))


class Force(Struct, frozen=True):
    """Edits in force, in the order of the request, with what they keep out of it."""

    messages: tuple[int, ...] = ()
    removed: tuple[int, ...] = (0,)
    """removed[i]: tokens that the edits before edit i keep out; what notes add counts negative."""
    blocks: frozenset[tuple[int, int]] = frozenset()
    """(message, block) of each that is masked."""
    shaped: dict[tuple[int, int], int] = {}
    """Tokens that the shape of a block keeps out of it."""

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
        frozenset((item.message, item.block) for item in placed if item.edit.kind == "mask"),
        {(item.message, item.block): item.edit.removes for item in placed if item.edit.kind == "shape"},
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

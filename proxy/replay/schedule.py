"""The optimum: the cheapest moments for the same masking, chosen with the whole session known.

At a chosen moment everything is masked that may be by then. A dynamic programme over the moments: a
lane is "masked at moment m, and not since"; at each later moment the cheapest lane is where the new
lane comes from. Each step of a lane is priced by the offline provider's own cache, so the schedule
costs when played what it was said to cost. Exact wherever what a moment leaves in the cache does
not depend on the moments before it: with longest-prefix matching and with token blocks always; with
markers and whole units but for entries that the cheapest way to a lane has not written. A moment is a
call at which something becomes maskable, or at which the cache is cold or the agent has broken it.

Where the model binds reasoning to what stands before it, nothing in front of such a block is masked any
more. Ways to a lane then differ in what they have masked in time: the one is taken that is cheapest with
what it will cost to read the rest of it to the end.

Rules of this room: pure. It must not know how requests come about.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from msgspec import Struct

from policies.core.conversation import Conversation, Message
from policies.core.edits import Placed, locate
from policies.core.profile import MILLION, Profile
from policies.core.usage import Usage, input_cost, output_cost
from proxy.replay.cache import Cache, Prompt, serve
from proxy.replay.cuts import bound, marked, markers, moved
from proxy.replay.prompts import Sent, alike, prompt
from proxy.replay.provider import reported

Edits = tuple[tuple[int, str], ...]
"""Blocks of one message, by index, and the texts that replace them."""
Variant = Callable[[Message, Edits], Message]
"""A message with some edits."""


class Offer(Struct, frozen=True):
    """One call: the request as received, and what may be masked from now on."""

    now: float
    received: Sent
    output_tokens: int
    proposals: tuple[Placed, ...]


class Schedule(Struct, frozen=True):
    """Calls (from 0) at which everything that may be is masked, and the cost of it all."""

    moments: tuple[int, ...]
    usd: float


@dataclass(slots=True)
class _Lane:
    """Masked at `moment` (-1: never), and not since."""

    moment: int
    moments: tuple[int, ...]
    usd: float
    cache: Cache
    edits: tuple[Placed, ...]
    """The masks in force, where they stand."""
    masked: Mapping[int, Edits]
    """The same by message."""
    sent: Sent | None = None
    usage: Usage | None = None
    """Of the call that was stepped last, as `sent` is."""
    before: tuple[float, Cache] = field(default=(0.0, ()))
    """Cost and cache ahead of the call that was stepped last."""


def cheapest(offers: Sequence[Offer], profile: Profile, newest: int, variant: Variant) -> Schedule:
    """The best schedule of a session. `newest`: observations that are never masked."""
    search = _Search(offers, profile, newest, variant)
    lanes = [_Lane(-1, (), 0.0, (), (), {})]
    for turn in range(len(offers)):
        for lane in lanes:
            search.step(lane, turn)
        if search.moments[turn] and (opened := search.opened(lanes, turn)):
            lanes.append(opened)
    best = min(lanes, key=lambda lane: (lane.usd, len(lane.moments)))
    return Schedule(best.moments, best.usd)


def played(
    offers: Sequence[Offer], profile: Profile, newest: int, variant: Variant, moments: Collection[int] | None = None
) -> Iterator[tuple[Sent, Usage]]:
    """What a schedule sends, call by call, and what that is reported to use. None: masked on every call."""
    search = _Search(offers, profile, newest, variant)
    lane = _Lane(-1, (), 0.0, (), (), {})
    for turn in range(len(offers)):
        search.step(lane, turn)
        if moments is None or turn in moments:
            lane = search.opened([lane], turn) or lane
        assert lane.sent is not None and lane.usage is not None
        yield lane.sent, lane.usage


@dataclass(slots=True)
class _Search:
    offers: Sequence[Offer]
    profile: Profile
    newest: int
    variant: Variant
    edited: dict[tuple[bytes, Edits], Message] = field(default_factory=dict)
    moved: list[bool] = field(default_factory=list)
    """By call: whether blocks stand elsewhere than in the call before, because the agent changed its history."""
    same: list[int] = field(default_factory=list)
    """By call: messages at the front that it takes over from the call before, markers and all."""
    bound: list[int] = field(default_factory=list)
    """By call: the last message with reasoning that binds what stands before it, or -1."""
    moments: list[bool] = field(default_factory=list)
    """By call: whether it may be one."""

    def __post_init__(self) -> None:
        pairs = list(pairwise(self.offers))
        self.moved = [False, *(moved(a.received, b.received) for a, b in pairs)]
        self.same = [0, *(alike(a.received.messages, b.received.messages) for a, b in pairs)]
        cold = [False, *(b.now - a.now > self.profile.cache.ttl for a, b in pairs)]
        self.moments = [bool(o.proposals) or m or c for o, m, c in zip(self.offers, self.moved, cold, strict=False)]
        binds = self.profile.binds_reasoning != "no"
        self.bound = [bound(offer.received.messages) if binds else -1 for offer in self.offers]

    def step(self, lane: _Lane, turn: int) -> None:
        """One more call without a new mask."""
        lane.before = (lane.usd, lane.cache)
        same = self.same[turn]
        if self.moved[turn]:
            lane.edits, same = self._located(lane.edits, turn), 0
            lane.masked = _by_message(lane.edits)
        lane.sent = self._sent(turn, lane.masked, lane.sent, same)
        lane.usage, lane.cache = self._served(turn, lane.cache, lane.sent.prompt, ())
        lane.usd += self._usd(lane.usage)

    def opened(self, lanes: Sequence[_Lane], turn: int) -> _Lane | None:
        """The lane that is masked now, from whichever lane that is best; None where there is nothing to mask."""
        best, least = None, inf
        for lane in lanes:
            new = self._new(lane.moment, turn)
            if new:
                found = self._masked(lane, new, turn, best)
                weight = found.usd + self._ahead(found, turn)
                best, least = (found, weight) if weight < least else (best, least)
        return best

    def _masked(self, lane: _Lane, new: Sequence[Placed], turn: int, other: _Lane | None) -> _Lane:
        """The lane that comes from this one. `other`: one from elsewhere; without bound reasoning it holds the same."""
        if other is None or self.bound[turn] >= 0:
            edits = (*lane.edits, *new)
            masked: Mapping[int, Edits] = _by_message(edits)
            sent = self._sent(turn, masked, lane.sent, 0)
        else:
            assert other.sent is not None
            edits, masked, sent = other.edits, other.masked, other.sent
        spent, cache = lane.before
        first, received = min(each.message for each in new), self.offers[turn].received
        usage, after = self._served(turn, cache, sent.prompt, markers(self.profile.cache, received, first, self.newest))
        usd = spent + self._usd(usage)
        return _Lane(turn, (*lane.moments, turn), usd, after, edits, masked, sent, usage)

    def _ahead(self, lane: _Lane, turn: int) -> float:
        """What it costs to read what is sent now on each call that follows."""
        assert lane.sent is not None
        left, tokens = len(self.offers) - turn - 1, lane.sent.prompt.total
        return left * tokens * self.profile.prices_for(tokens).read / MILLION

    def _served(self, turn: int, cache: Cache, sent: Prompt, ours: Sequence[int]) -> tuple[Usage, Cache]:
        """Usage of a request with the client's markers and these, and what it leaves."""
        offer = self.offers[turn]
        served, after = serve(self.profile.cache, cache, marked(sent, offer.received.prompt, ours), offer.now)
        return reported(self.profile, served, offer.output_tokens), after

    def _usd(self, usage: Usage) -> float:
        return input_cost(self.profile, usage) + output_cost(self.profile, usage)

    def _new(self, since: int, turn: int) -> Sequence[Placed]:
        """What became maskable behind call `since` and still may be masked, where it stands now."""
        placed = tuple(each for offer in self.offers[since + 1 : turn + 1] for each in offer.proposals)
        if any(self.moved[since + 1 : turn + 1]):
            placed = self._located(placed, turn)
        bound = self.bound[turn]
        return placed if bound < 0 else [each for each in placed if each.message > bound]

    def _located(self, placed: Sequence[Placed], turn: int) -> tuple[Placed, ...]:
        return locate(self.offers[turn].received.messages, [each.edit for each in placed])

    def _sent(self, turn: int, masked: Mapping[int, Edits], before: Sent | None, same: int) -> Sent:
        """The request with these masks. `same`: messages at the front that stand in `before` as they are sent now."""
        received = self.offers[turn].received
        if not masked:
            return received
        messages = [*before.messages[:same], *received.messages[same:]] if before else list(received.messages)
        for index, edits in masked.items():
            if index >= same:
                messages[index] = self._edited(messages[index], edits)
        conversation = Conversation(received.conversation.dialect, received.head, tuple(messages))
        return Sent(conversation, prompt(conversation, before, same or None))

    def _edited(self, message: Message, edits: Edits) -> Message:
        key = (message.raw, edits)
        found = self.edited.get(key)
        return found if found is not None else self.edited.setdefault(key, self.variant(message, edits))


def _by_message(placed: Sequence[Placed]) -> dict[int, Edits]:
    """Masks by message of the request."""
    found: dict[int, dict[int, str]] = {}
    for each in placed:
        found.setdefault(each.message, {})[each.block] = each.edit.text
    return {message: tuple(sorted(edits.items())) for message, edits in found.items()}

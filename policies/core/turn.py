"""One turn's facts and what each choice in it costs: the arithmetic under the planner.

Rules of this room: pure, by the model's own rules, in the profile's prices. Tokens are estimates.
It says what a choice costs, never which one to take.
"""

from collections.abc import Sequence

from msgspec import Struct

from policies.core.conversation import Conversation, Role
from policies.core.edits import Placed
from policies.core.index import Force, Index, force_of
from policies.core.lineage import Lineage, Sent
from policies.core.plan import Cause, Marker
from policies.core.prefix_cache import boundaries, readable, rounded
from policies.core.profile import MILLION, Breakpoints, Profile


class Cache(Struct, frozen=True):
    """What the provider holds: `intact` messages of this request, and why not all that was sent."""

    sent: Sent | None
    intact: int
    cause: Cause | None


class Option(Struct, frozen=True):
    """Applying the proposals from `first` on; `first` = len(proposals) applies none."""

    first: int
    intact: int
    read: int
    total: int
    markers: tuple[Marker, ...]
    usd: float
    bounded: int
    """Tokens in front of the last boundary: what this request writes and the next one may read."""
    removed: int = 0


class Turn(Struct, frozen=True):
    """One turn's facts."""

    conversation: Conversation
    index: Index
    force: Force
    profile: Profile
    cache: Cache
    received: int
    """Tokens of the request as it came."""
    total: int
    """Tokens of it with the edits in force and no new ones."""
    ends: tuple[int, ...]
    """Prefixes, in messages, at which the client's own request reads and writes."""

    def behind(self, message: int) -> int:
        """Tokens of `total` from this message to the end."""
        tokens = self.index.tokens
        return tokens[-1] - tokens[message] - self.force.removed_behind(message)


def facts(
    conversation: Conversation, lineage: Lineage, profile: Profile, now: float, index: Index | None = None
) -> Turn:
    index = index or Index().extended(conversation.messages)
    force = lineage.force or force_of(lineage.placed)
    received = conversation.head.tokens + index.tokens[-1]
    cache = _cache(conversation, lineage, profile, now)
    ends = boundaries(profile.cache, conversation, index)
    return Turn(conversation, index, force, profile, cache, received, received - force.total, ends)


def _cache(conversation: Conversation, lineage: Lineage, profile: Profile, now: float) -> Cache:
    """What can still be cached, and the cause where it is less than what was last sent."""
    sent = lineage.last
    if sent is None:
        return _unseen(conversation, now)
    if now - sent.at > profile.cache.ttl:
        return Cache(None, 0, "ttl_expired")
    match lineage.changed:
        case "model":
            return Cache(None, 0, "model_changed")
        case "tools":
            return Cache(None, 0, "tools_changed")
        case "system":
            return Cache(None, 0, "system_changed")
        case "parameters":
            keeps_head = isinstance(profile.cache, Breakpoints) and not profile.cache.automatic
            return Cache(sent if keeps_head else None, 0, "parameters_changed")
        case _:
            return Cache(sent, lineage.common, None if lineage.complete else "history_edited")


def _unseen(conversation: Conversation, now: float) -> Cache:
    """A conversation met for the first time. If it has a past, the provider may hold it: assume that it does."""
    answers = [i for i, message in enumerate(conversation.messages) if message.role is Role.ASSISTANT]
    if not answers:
        return Cache(None, 0, "cold_start")
    before = answers[-1]
    return Cache(Sent(now, 0, 0, 0, (0, before)), before, "cold_start")


def option_from(turn: Turn, proposals: Sequence[Placed], first: int, removed: int, keep_newest: int) -> Option:
    """What it costs now to apply the proposals from `first` on, which remove `removed` tokens.

    `keep_newest`: observations that are never proposed.
    """
    intact = min(turn.cache.intact, proposals[first].message) if first < len(proposals) else turn.cache.intact
    markers = _markers(turn, proposals[first].message, keep_newest) if intact < turn.cache.intact else ()
    ours = tuple(marker.message + 1 for marker in markers)
    total = turn.total - removed
    upto = _readable(turn, intact, ours)
    read = 0 if upto is None else rounded(turn.profile.cache, turn.total - turn.behind(upto), total)
    ends = (*turn.ends, *ours)
    bounded = size(turn, proposals[first:], max(ends)) if ends else 0
    return Option(first, intact, read, total, markers, _input_usd(turn, total, read, bounded), bounded, removed)


def size(turn: Turn, taken: Sequence[Placed], message: int) -> int:
    """Tokens in front of a message once these proposals are applied."""
    return turn.total - turn.behind(message) - sum(each.edit.removes for each in taken if each.message < message)


def _readable(turn: Turn, intact: int, ours: Sequence[int] = ()) -> int | None:
    sent = turn.cache.sent
    return readable(turn.profile.cache, sent, turn.conversation, intact, turn.ends, ours) if sent else None


def _input_usd(turn: Turn, total: int, read: int, bounded: int) -> float:
    """USD for the input of one turn; what is not read is written where a boundary follows it."""
    prices = turn.profile.prices_for(total)
    written = max(0, bounded - read)
    write = prices.input if prices.write is None else prices.write
    return (read * prices.read + written * write + (total - read - written) * prices.input) / MILLION


def direct_usd(turn: Turn) -> float:
    """USD for this turn's input had nothing ever been edited: same boundaries, the tokens as received."""
    upto = _readable(turn, turn.cache.intact)
    before = 0 if upto is None else turn.conversation.head.tokens + turn.index.tokens[upto]
    bounded = turn.conversation.head.tokens + turn.index.tokens[turn.ends[-1]] if turn.ends else 0
    return _input_usd(turn, turn.received, rounded(turn.profile.cache, before, turn.received), bounded)


def uncacheable(turn: Turn, option: Option, message: int) -> bool:
    """Whether an edit from `message` on leaves less in front of the last boundary than is ever cached (T10)."""
    cut_off = turn.ends and turn.ends[-1] > message
    return bool(cut_off) and rounded(turn.profile.cache, option.bounded, option.bounded + 1) == 0


def saving_usd(turn: Turn, option: Option) -> float:
    """USD that an option saves on each later turn, a price tier left behind included."""
    cached = bool(turn.ends)
    whole, less = turn.profile.prices_for(turn.total), turn.profile.prices_for(turn.total - option.removed)
    before, after = (whole.read, less.read) if cached else (whole.input, less.input)
    return (turn.total * before - (turn.total - option.removed) * after) / MILLION


def _markers(turn: Turn, message: int, keep_newest: int) -> tuple[Marker, ...]:
    """Where the unchanged part ends and, if there is room, where the next edit may begin.

    All behind this edit is written anew in one piece, so without the second marker the next edit would
    find no entry near the place where it begins. None where the client lets nothing behind the edit be
    cached: a marker there would be a fee for nothing.
    """
    rule = turn.profile.cache
    if not isinstance(rule, Breakpoints) or not turn.ends or turn.ends[-1] <= message:
        return ()
    placed = turn.conversation.head.markers + turn.index.markers
    free = rule.limit - placed - (1 if rule.automatic else 0)
    ends = (message, _next_frontier(turn.index, keep_newest))
    places = [_last_markable(turn.conversation, end) for end in ends]
    found = dict.fromkeys(place for place in places if place and place.message < turn.ends[-1])
    return tuple(found)[: max(0, free)]


def _next_frontier(index: Index, keep: int) -> int:
    """The message of the oldest observation that is still too new to be masked."""
    return index.observations[-keep].message if 0 < keep <= len(index.observations) else 0


def _last_markable(conversation: Conversation, before: int) -> Marker | None:
    """The last block in front of message `before` that may carry a marker and ends its message."""
    for index in range(before - 1, -1, -1):
        blocks = conversation.messages[index].blocks
        if blocks and blocks[-1].markable:
            return None if blocks[-1].marked else Marker(index, blocks[-1].index)
    return None


def first_legal(turn: Turn, proposals: Sequence[Placed]) -> int:
    """The first proposal that no bound reasoning follows; all before it are illegal (provider rules T1, T2)."""
    if turn.conversation.head.stand_down:
        return len(proposals)
    if turn.profile.binds_reasoning == "no":
        return 0
    last = turn.index.bound
    return next((i for i, placed in enumerate(proposals) if placed.message > last), len(proposals))

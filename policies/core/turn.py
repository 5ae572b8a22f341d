"""One turn's facts and what each choice in it costs: the arithmetic under the planner.

Rules of this room: pure, by the model's own rules, in the profile's prices. Tokens are estimates.
It says what a choice costs, never which one to take. With cache markers, what is not read is billed by
three positions (Anthropic): A the highest entry found, B the last marker with the long time to live behind
it, C the last marker: B - A is written for long, C - B for short.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from policies.core.conversation import Conversation, Kind, Role
from policies.core.edits import Placed
from policies.core.index import Force, Index, force_of
from policies.core.lineage import Lineage, Sent
from policies.core.plan import Cause, Marker, MarkerReason
from policies.core.prefix_cache import alive, boundaries, lasting, own_entries, readable, rounded, unedited_entries
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
    long: tuple[int, ...] = ()
    """Those of them that are to live long."""
    marks: tuple[Marker, ...] = ()
    """Markers that are added whatever is edited."""

    @property
    def bounds(self) -> tuple[int, ...]:
        """Prefixes at which the request with these markers reads and writes, ascending."""
        return tuple(sorted({*self.ends, *(marker.prefix for marker in self.marks)})) if self.marks else self.ends

    def behind(self, message: int) -> int:
        """Tokens of `total` from this message to the end."""
        tokens = self.index.tokens
        return tokens[-1] - tokens[message] - self.force.removed_behind(message)

    def front(self, message: int) -> int:
        """Tokens in front of this message, as received."""
        return self.conversation.head.tokens + self.index.tokens[message]

    def free_markers(self, rule: Breakpoints) -> int:
        """How many more markers the request may carry."""
        placed = self.conversation.head.markers + self.index.markers + len(self.marks)
        return max(0, rule.limit - placed - (1 if rule.automatic else 0))


def facts(
    conversation: Conversation, lineage: Lineage, profile: Profile, now: float, index: Index | None = None
) -> Turn:
    index = index or Index().extended(conversation.messages)
    force = lineage.force or force_of(lineage.placed)
    received = conversation.head.tokens + index.tokens[-1]
    ends = boundaries(profile.cache, conversation, index)
    cache = _shown(conversation, profile, _cache(conversation, lineage, profile, now, ends))
    long = lasting(conversation, index)
    return Turn(conversation, index, force, profile, cache, received, received - force.total, ends, long)


def _cache(conversation: Conversation, lineage: Lineage, profile: Profile, now: float, ends: Sequence[int]) -> Cache:
    """What can still be cached, and the cause where it is less than what was last sent."""
    if lineage.last is None:
        return _unseen(conversation, now, ends)
    sent = alive(profile.cache, lineage.last, now - lineage.last.at)
    if sent is None:
        return Cache(None, 0, "ttl_expired")
    match lineage.changed:
        case "model":
            return Cache(None, 0, "model_changed")
        case "tools":
            return Cache(None, 0, "tools_changed")
        case "system":
            return Cache(None, 0, "system_changed")
        case "parameters":
            keeps_head = isinstance(profile.cache, Breakpoints) and not profile.cache.automatic and not lineage.faster
            return Cache(sent if keeps_head else None, 0, "parameters_changed")
        case _ if sent is not lineage.last:
            return Cache(sent, lineage.common, "ttl_expired")
        case _:
            return Cache(sent, lineage.common, None if lineage.complete else "history_edited")


def _shown(conversation: Conversation, profile: Profile, cache: Cache) -> Cache:
    """What is left where the user has spoken again, and the model no longer sees its reasoning of the turn before.

    OpenAI, `reasoning.context` of openai 3.54.0: "all_turns" from GPT-5.6, "current_turn" before, if not asked for.
    """
    asked, messages = conversation.head.reasoning, conversation.messages
    drops = asked == "current_turn" or (not asked and conversation.dialect in profile.drops_reasoning)
    spoken = any(message.role is Role.USER for message in messages[cache.intact :])
    if not drops or not spoken or cache.sent is None:
        return cache
    begun = next((i for i in range(cache.intact - 1, -1, -1) if messages[i].role is Role.USER), 0)
    over = (i for i in range(begun, cache.intact) if any(b.kind is Kind.REASONING for b in messages[i].blocks))
    left = next(over, cache.intact)
    return cache if left == cache.intact else Cache(cache.sent, left, cache.cause or "turn_boundary")


def _unseen(conversation: Conversation, now: float, ends: Sequence[int]) -> Cache:
    """A conversation met for the first time. If it has a past, the provider may hold it: assume that it does.

    Not where the client's own request asks for no caching: then nobody has written its past.
    """
    answers = [i for i, message in enumerate(conversation.messages) if message.role is Role.ASSISTANT]
    if not answers or not ends:
        return Cache(None, 0, "cold_start")
    before = answers[-1]
    return Cache(Sent(now, 0, 0, 0, (0, before) if ends[-1] else (0,)), before, "cold_start")


def option_from(turn: Turn, proposals: Sequence[Placed], first: int, keep_newest: int) -> Option:
    """What it costs now to apply the proposals from `first` on.

    `keep_newest`: observations that are never proposed.
    """
    taken = proposals[first:]
    intact = min(turn.cache.intact, _changed(turn, taken)) if taken else turn.cache.intact
    cuts = _cuts(turn, proposals[first].message, keep_newest) if intact < turn.cache.intact else ()
    markers = (*turn.marks, *cuts)
    ours = tuple(marker.prefix for marker in markers)
    removed = sum(placed.edit.removes for placed in taken)
    total = turn.total - removed
    upto = _readable(turn, turn.cache.sent, intact, ours)
    read = 0 if upto is None else rounded(turn.profile.cache, turn.total - turn.behind(upto), total)
    bounded = _size_at(turn, taken, (*turn.ends, *ours))
    long = _size_at(turn, taken, long_ends(turn, markers))
    return Option(first, intact, read, total, markers, input_usd(turn, total, read, bounded, long), bounded, removed)


def _changed(turn: Turn, taken: Sequence[Placed]) -> int:
    """The first message that the provider computes again because of these edits."""
    return 0 if any(unsettles(turn, each) for each in taken) else taken[0].message


def unsettles(turn: Turn, placed: Placed) -> bool:
    """Whether an edit loses all messages, not those behind it alone: where it takes an image from Claude's prompt.

    Anthropic's guide "prompt caching", what invalidates the cache: images added or removed.
    """
    rule = turn.profile.cache
    if not isinstance(rule, Breakpoints) or rule.automatic:
        return False
    return turn.conversation.messages[placed.message].blocks[placed.block].picture == "image"


def size(turn: Turn, taken: Sequence[Placed], message: int) -> int:
    """Tokens in front of a message once these proposals are applied."""
    return turn.total - turn.behind(message) - sum(each.edit.removes for each in taken if each.message < message)


def _size_at(turn: Turn, taken: Sequence[Placed], ends: Sequence[int]) -> int:
    return size(turn, taken, max(ends)) if ends else 0


def long_ends(turn: Turn, markers: Sequence[Marker]) -> tuple[int, ...]:
    """Prefixes that are to live long, the client's and those at these markers."""
    return (*turn.long, *(marker.prefix for marker in markers if marker.long))


def _readable(turn: Turn, sent: Sent | None, intact: int, ours: Sequence[int] = ()) -> int | None:
    return readable(turn.profile.cache, sent, turn.conversation, intact, turn.ends, ours) if sent else None


def input_usd(turn: Turn, total: int, read: int, bounded: int, long: int = 0) -> float:
    """USD for the input of one turn; what is not read is written where a boundary follows it.

    `long`: tokens in front of the last boundary with the long time to live.
    """
    prices = turn.profile.prices_for(total)
    write = prices.input if prices.write is None else prices.write
    write_long = write if prices.write_long is None else prices.write_long
    lasting = max(0, long - read)
    written = max(0, bounded - read - lasting)
    fresh = total - read - lasting - written
    return (read * prices.read + lasting * write_long + written * write + fresh * prices.input) / MILLION


def direct_usd(turn: Turn) -> float:
    """USD for this turn's input with neither edits nor markers of ours, now or earlier."""
    sent = turn.cache.sent
    return _unedited_usd(turn, replace(sent, entries=own_entries(sent), explicit=()) if sent else None, ())


def unedited_usd(turn: Turn) -> float:
    """USD for this turn's input with the markers that are added whatever is edited, had nothing ever been edited."""
    sent = turn.cache.sent
    held = replace(sent, entries=unedited_entries(sent), explicit=sent.marks) if sent else None
    return _unedited_usd(turn, held, turn.marks)


def _unedited_usd(turn: Turn, sent: Sent | None, marks: Sequence[Marker]) -> float:
    ours = tuple(marker.prefix for marker in marks)
    upto = _readable(turn, sent, turn.cache.intact, ours)
    before = 0 if upto is None else turn.front(upto)
    bounded = max(map(turn.front, (*turn.ends, *ours)), default=0)
    long = max(map(turn.front, long_ends(turn, marks)), default=0)
    return input_usd(turn, turn.received, rounded(turn.profile.cache, before, turn.received), bounded, long)


def uncacheable(turn: Turn, option: Option, message: int) -> bool:
    """Whether an edit from `message` on leaves less in front of the last boundary than is ever cached (T10)."""
    cut_off = turn.bounds and turn.bounds[-1] > message
    return bool(cut_off) and rounded(turn.profile.cache, option.bounded, option.bounded + 1) == 0


def saving_usd(turn: Turn, option: Option) -> float:
    """USD that an option saves on each later turn, a price tier left behind included."""
    cached = bool(turn.bounds)
    whole, less = turn.profile.prices_for(turn.total), turn.profile.prices_for(turn.total - option.removed)
    before, after = (whole.read, less.read) if cached else (whole.input, less.input)
    return (turn.total * before - (turn.total - option.removed) * after) / MILLION


def _cuts(turn: Turn, message: int, keep_newest: int) -> tuple[Marker, ...]:
    """Where the unchanged part ends and, if there is room, where the next edit may begin.

    All behind this edit is written anew in one piece, so without the second marker the next edit would
    find no entry near the place where it begins. None where the client lets nothing behind the edit be
    cached: a marker there would be a fee for nothing.
    """
    rule, bounds = turn.profile.cache, turn.bounds
    if not isinstance(rule, Breakpoints) or not bounds or bounds[-1] <= message:
        return ()
    cut = last_markable(turn.conversation, message, "cut")
    frontier = last_markable(turn.conversation, _next_frontier(turn.index, keep_newest), "frontier")
    long = max(long_ends(turn, turn.marks), default=-1)
    found = {marker.message: marker for marker in turn.marks}
    for place in (cut, frontier):
        if place and place.message < bounds[-1]:
            found.setdefault(place.message, replace(place, long=place.prefix <= long))
    return tuple(found.values())[len(turn.marks) :][: turn.free_markers(rule)]


def _next_frontier(index: Index, keep: int) -> int:
    """The message of the oldest observation that is still too new to be masked."""
    return index.observations[-keep].message if 0 < keep <= len(index.observations) else 0


def last_markable(conversation: Conversation, before: int, reason: MarkerReason) -> Marker | None:
    """The last block in front of message `before` that may carry a marker and ends its message.

    None where it carries one of the client's.
    """
    for index in range(before - 1, -1, -1):
        blocks = conversation.messages[index].blocks
        if blocks and blocks[-1].markable:
            return None if blocks[-1].marked else Marker(index, blocks[-1].index, reason=reason)
    return None


def first_legal(turn: Turn, proposals: Sequence[Placed]) -> int:
    """The first proposal that no bound reasoning follows; all before it are illegal (provider rules T1, T2)."""
    if turn.conversation.head.stand_down:
        return len(proposals)
    if turn.profile.binds_reasoning == "no":
        return 0
    last = turn.index.bound
    return next((i for i, placed in enumerate(proposals) if placed.message > last), len(proposals))

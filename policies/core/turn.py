"""One turn's facts and what each choice in it costs: the arithmetic under the planner.

Rules of this room: pure, by the model's own rules, in the profile's prices. Tokens are estimates.
It says what a choice costs, never which one to take.
"""

from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct

from policies.core.conversation import Conversation, Kind, Role
from policies.core.edits import Placed
from policies.core.lineage import Lineage, Sent
from policies.core.plan import Cause, Marker
from policies.core.prefix_cache import boundaries, marker_count, readable, rounded
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
    removed: int = 0


class Turn(Struct, frozen=True):
    """One turn's facts: token counts per message as sent without new edits, and behind each message."""

    conversation: Conversation
    profile: Profile
    cache: Cache
    total: int
    received: int
    behind: tuple[int, ...]
    """behind[i]: tokens as sent from message i to the end; behind[len] = 0."""
    ends: tuple[int, ...]
    """Prefixes, in messages, at which the client's own request reads and writes."""


def facts(conversation: Conversation, lineage: Lineage, profile: Profile, now: float) -> Turn:
    tokens = [message.tokens for message in conversation.messages]
    received = conversation.head.tokens + sum(tokens)
    for placed in lineage.placed:
        tokens[placed.message] -= placed.edit.removes
    behind = (*reversed(list(accumulate(reversed(tokens)))), 0)
    total = conversation.head.tokens + behind[0]
    cache = _cache(conversation, lineage, profile, now)
    ends = boundaries(profile.cache, conversation)
    return Turn(conversation, profile, cache, total, received, behind, ends)


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


def option_from(turn: Turn, proposals: Sequence[Placed], first: int, keep_newest: int) -> Option:
    """What it costs now to apply the proposals from `first` on. `keep_newest`: observations never proposed."""
    chosen = proposals[first:]
    intact = min(turn.cache.intact, chosen[0].message) if chosen else turn.cache.intact
    removed = sum(placed.edit.removes for placed in chosen)
    markers = _markers(turn, chosen[0].message, keep_newest) if chosen and intact < turn.cache.intact else ()
    ours = tuple(marker.message + 1 for marker in markers)
    total = turn.total - removed
    upto = _readable(turn, intact, ours)
    read = 0 if upto is None else rounded(turn.profile.cache, turn.total - turn.behind[upto], total)
    return Option(first, intact, read, total, markers, _input_usd(turn, total, read, ours), removed)


def _readable(turn: Turn, intact: int, ours: Sequence[int] = ()) -> int | None:
    sent = turn.cache.sent
    return readable(turn.profile.cache, sent, turn.conversation, intact, turn.ends, ours) if sent else None


def _input_usd(turn: Turn, total: int, read: int, ours: Sequence[int] = ()) -> float:
    """USD for the input of one turn; what is not read is written where a boundary follows it."""
    prices = turn.profile.prices_for(total)
    ends = (*turn.ends, *ours)
    behind = turn.behind[max(ends)] if ends else total - read
    written = max(0, total - read - behind)
    write = prices.input if prices.write is None else prices.write
    return (read * prices.read + written * write + (total - read - written) * prices.input) / MILLION


def direct_usd(turn: Turn) -> float:
    """USD for this turn's input had nothing ever been edited: same boundaries, the tokens as received."""
    messages = turn.conversation.messages
    if turn.received == turn.total:
        return option_from(turn, (), 0, 0).usd
    upto = _readable(turn, turn.cache.intact)
    before = 0 if upto is None else turn.received - sum(message.tokens for message in messages[upto:])
    read = rounded(turn.profile.cache, before, turn.received)
    return _input_usd(turn, turn.received, read)


def saving_usd(turn: Turn, option: Option) -> float:
    """USD that an option saves on each later turn, a price tier left behind included."""
    cached = bool(turn.ends)
    whole, less = turn.profile.prices_for(turn.total), turn.profile.prices_for(turn.total - option.removed)
    before, after = (whole.read, less.read) if cached else (whole.input, less.input)
    return (turn.total * before - (turn.total - option.removed) * after) / MILLION


def _markers(turn: Turn, message: int, keep_newest: int) -> tuple[Marker, ...]:
    """Where the unchanged part ends and, on models that match by breakpoint, where the next edit may begin."""
    rule = turn.profile.cache
    if not isinstance(rule, Breakpoints):
        return ()
    free = rule.limit - marker_count(turn.conversation) - (1 if rule.automatic else 0)
    places = [_last_markable(turn.conversation, message)]
    if rule.automatic:
        places.append(_last_markable(turn.conversation, _next_frontier(turn.conversation, keep_newest)))
    found = dict.fromkeys(place for place in places if place is not None)
    return tuple(found)[: max(0, free)]


def _next_frontier(conversation: Conversation, keep: int) -> int:
    """The message of the oldest observation that is still too new to be masked."""
    newest = [
        index
        for index, message in enumerate(conversation.messages)
        if any(block.kind is Kind.OBSERVATION for block in message.blocks)
    ]
    return newest[-keep] if 0 < keep <= len(newest) else 0


def _last_markable(conversation: Conversation, before: int) -> Marker | None:
    """The last block in front of message `before` that may carry a marker and ends its message."""
    for index in range(before - 1, -1, -1):
        blocks = conversation.messages[index].blocks
        if blocks and blocks[-1].markable:
            return None if blocks[-1].marked else Marker(index, blocks[-1].index)
    return None


def first_legal(conversation: Conversation, profile: Profile, proposals: Sequence[Placed]) -> int:
    """The first proposal that no bound reasoning follows; all before it are illegal (provider rules T1, T2)."""
    if conversation.head.stand_down:
        return len(proposals)
    if profile.binds_reasoning == "no":
        return 0
    bound = [
        index for index, message in enumerate(conversation.messages) if any(block.bound for block in message.blocks)
    ]
    last = bound[-1] if bound else -1
    return next((i for i, placed in enumerate(proposals) if placed.message > last), len(proposals))

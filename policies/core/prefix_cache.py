"""The providers' cache rules as models: what a request can read of what earlier ones have left.

Rules of this room: a prefix is counted in messages (0: tools and system alone) and in estimated
tokens. Sources of each rule: the model profiles. Two assumptions, where no provider says: a read
keeps every shorter prefix on its path alive; an answer that was generated is not cached as input.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import assert_never

from msgspec.structs import replace

from policies.core.conversation import Conversation, Kind, Message
from policies.core.index import Index
from policies.core.lineage import Sent
from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, TokenBlocks, Units

KEPT_ENTRIES = 64
"""Prefixes remembered for each lineage; older ones are too far back for any lookback."""


def positions(messages: Sequence[Message], most: int | None = None) -> int:
    """Positions as a lookback counts them: a block each, a run of calls or of observations is one (Anthropic).

    Counted from the end, and no further than `most`.
    """
    count, behind = 0, None
    for message in reversed(messages):
        for block in reversed(message.blocks):
            if block.kind is not behind or behind not in (Kind.CALL, Kind.OBSERVATION):
                count, behind = count + 1, block.kind
                if count == most:
                    return count
    return count


def boundaries(rule: CacheRule, conversation: Conversation, index: Index) -> tuple[int, ...]:
    """Prefixes, in messages, at which the request as the client made it looks for entries and writes them."""
    count = len(conversation.messages)
    head = (0,) if conversation.head.markers > conversation.head.automatic else ()
    match rule:
        case LongestPrefix() | TokenBlocks() | Units():
            return (count,)
        case Breakpoints(automatic=automatic):
            end = (count,) if automatic or conversation.head.automatic else ()
            return tuple(sorted({*head, *index.ends, *end}))
        case _:
            assert_never(rule)


def readable(
    rule: CacheRule,
    sent: Sent,
    conversation: Conversation,
    intact: int,
    ends: Sequence[int],
    ours: Sequence[int] = (),
) -> int | None:
    """Messages of the longest prefix that can be read, or None where nothing can.

    `intact`: messages at the front that are unchanged since `sent`. `ends`: `boundaries` of the
    request. `ours`: markers to be added, as prefixes in messages. Sizes and lifetimes are the
    caller's to check.
    """
    match rule:
        case LongestPrefix() | TokenBlocks():
            return intact
        case Units():
            place = bisect_right(sent.entries, intact)
            return sent.entries[place - 1] if place else None
        case Breakpoints(automatic=False):
            found = [_behind(rule, sent.entries, conversation, intact, end) for end in (*ends, *ours)]
            return max((entry for entry in found if entry is not None), default=None)
        case Breakpoints():
            count = len(conversation.messages)
            implicit = [entry for entry in sent.entries if count - rule.lookback <= entry <= intact]
            explicit = [entry for entry in sent.explicit if entry in ours and entry <= intact]
            return max(implicit + explicit, default=None)
        case _:
            assert_never(rule)


def lasting(conversation: Conversation, index: Index) -> tuple[int, ...]:
    """Those of `boundaries` at which the client asks for the long time to live."""
    head = conversation.head
    end = (len(conversation.messages),) if head.automatic_long else ()
    return tuple(sorted({*((0,) if head.long else ()), *index.long, *end}))


def alive(rule: CacheRule, sent: Sent, gap: float) -> Sent | None:
    """What is left `gap` seconds after a request; None where nothing is."""
    if gap <= rule.ttl:
        return sent
    if not isinstance(rule, Breakpoints) or gap > (rule.long_ttl or 0.0) or not (sent.long or sent.unedited_long):
        return None
    unedited = sent.long if sent.unedited_long is None else sent.unedited_long
    return replace(
        sent,
        entries=sent.long,
        explicit=_those(sent.explicit, sent.long),
        bare=_those(own_entries(sent), unedited),
        marks=_those(sent.marks, unedited),
    )


def _those(entries: Sequence[int], left: Sequence[int]) -> tuple[int, ...]:
    return tuple(entry for entry in entries if entry in left)


def own_entries(sent: Sent) -> tuple[int, ...]:
    """The entries that the client's own markers would have left."""
    return sent.entries if sent.bare is None else sent.bare


def unedited_entries(sent: Sent) -> tuple[int, ...]:
    """The entries that the client's markers and ours would have left, had nothing been edited."""
    return tuple(sorted({*own_entries(sent), *sent.marks}))


def kept(entries: Sequence[int], intact: int, new: Sequence[int]) -> tuple[int, ...]:
    """These entries up to `intact`, and the new ones, ascending; the newest only."""
    return tuple(sorted({*(entry for entry in entries if entry <= intact), *new})[-KEPT_ENTRIES:])


def rounded(rule: CacheRule, tokens: int, total: int) -> int:
    """Tokens of a readable prefix that are really read: minimum size, step or block, what is always computed."""
    match rule:
        case LongestPrefix(step=step, minimum=minimum, holdback=holdback):
            usable = max(0, min(tokens, total - holdback))
            return usable // step * step if usable >= minimum else 0
        case TokenBlocks(size=size):
            return max(0, min(tokens, total - 1)) // size * size
        case Breakpoints(minimum=minimum) | Units(minimum=minimum):
            return tokens if tokens >= minimum else 0
        case _:
            assert_never(rule)


def _behind(rule: Breakpoints, entries: Sequence[int], conversation: Conversation, intact: int, end: int) -> int | None:
    """The nearest unchanged entry that a marker behind `end` messages finds; its own position is the first."""
    place = bisect_right(entries, min(intact, end))
    if not place:
        return None
    entry = entries[place - 1]
    far = positions(conversation.messages[entry:end], rule.lookback) >= rule.lookback
    return None if far else entry

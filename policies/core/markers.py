"""Where cache markers go, for how long, and whether they pay, whatever is edited on this turn.

A marker at the tail makes the provider write what is new (w instead of i a token), so that the next
request reads it (r instead of i). What is in front of the last marker is written anyway, so every other
marker is free: the head (tools and system, which sessions share), the stable part, the last entry where it
stands too far back to be found.

The tail is marked where that is cheaper, turn for turn, than leaving it: an unmarked token costs i; a marked one r
where the next turn finds it, and w again where not. So it pays if p (w - r) > w - i, with p the chance to be found:
`again` that the next turn comes while a short-lived entry lives, `later` while a long-lived one does, each if it goes
on from all of this request (`whole`). Where both lives pay, the long one is bought if the pauses that it outlasts
cost more. Chances are counted from the lineage's own turns. A first request without tools is a side call
(a title, a classification), of which no second turn is expected.

Rules of this room: pure. The client's markers are never moved. A marker with the short time to live never
stands in front of a long one (T8). Where the client marks its messages itself, it is left alone, but for an
entry that its own markers would not find. Where it manages its history or its cache, it is left alone.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from policies.core.conversation import Conversation, Role
from policies.core.lineage import Ledger, Lineage, Sent
from policies.core.plan import HEAD, Marker, MarkerReason
from policies.core.prefix_cache import readable
from policies.core.profile import Breakpoints
from policies.core.turn import Turn, input_usd, last_markable

QUICK = 2
"""Turns that are taken as seen before the first: each came soon, and went on from all of the one before."""


class Chances(Struct, frozen=True):
    """Of the next turn."""

    again: float
    later: float
    whole: float


class Written(Struct, frozen=True):
    """What a marker would write, in tokens."""

    new: int
    """For which the fee is due."""
    more: float
    """Of them, what the next turn is expected to find, if it comes soon."""
    lasting: float
    """What it would find after a pause, beyond what already outlasts one."""


def counted(ledger: Ledger, lineage: Lineage, rule: Breakpoints, now: float) -> Ledger:
    """The ledger with what this turn shows of its client's ways."""
    if lineage.last is None:
        return ledger
    gap, long = now - lineage.last.at, rule.long_ttl or rule.ttl
    return replace(
        ledger,
        pauses=ledger.pauses + (rule.ttl < gap <= long),
        absences=ledger.absences + (gap > long),
        rewrites=ledger.rewrites + (not lineage.complete or bool(lineage.changed)),
    )


def chances(conversation: Conversation, turns: int, ledger: Ledger, further: float) -> Chances:
    """Of the turn after this one, when `turns` came before and `further` ones are expected to follow."""
    first = all(message.role is not Role.ASSISTANT for message in conversation.messages)
    if first and not conversation.head.tools:
        return Chances(0.0, 0.0, 0.0)
    seen, comes = turns + QUICK, further / (1 + further)
    short = max(0.0, 1 - (ledger.pauses + ledger.absences) / seen)
    long = max(0.0, 1 - ledger.absences / seen)
    return Chances(comes * short, comes * long, max(0.0, 1 - ledger.rewrites / seen))


def marks(turn: Turn, lineage: Lineage, expected: Chances, allowance: float) -> tuple[Marker, ...]:
    """The markers to add. `allowance`: USD that this turn's input may cost before it pays for what is new."""
    rule, head = turn.profile.cache, turn.conversation.head
    if not isinstance(rule, Breakpoints) or head.stand_down or "prompt_cache_options" in head.names_cache:
        return ()
    tail = None if rule.automatic or _marks_messages(turn, rule) else _tail(turn, rule, expected, allowance)
    marked = replace(turn, marks=(tail,)) if tail else turn
    found = {marker.prefix: marker for marker in marked.marks}
    for place in _free(marked, lineage, rule):
        found.setdefault(place.prefix, place)
    long = max((*turn.long, *(place.prefix for place in found.values() if place.long)), default=-1)
    chosen = list(found.values())[: turn.free_markers(rule)]
    return tuple(replace(place, long=place.prefix <= long) for place in sorted(chosen, key=lambda each: each.message))


def _marks_messages(turn: Turn, rule: Breakpoints) -> bool:
    """Whether the client itself says which messages are cached."""
    return not rule.automatic and turn.ends[-1:] > (0,)


def _tail(turn: Turn, rule: Breakpoints, expected: Chances, allowance: float) -> Marker | None:
    """A marker behind the newest message, or behind what the client repeats; None where neither pays."""
    tail = last_markable(turn.conversation, len(turn.conversation.messages), "tail")
    if tail is None or _behind(turn, tail.prefix) < rule.minimum or not _affordable(turn, allowance):
        return None
    written = _written(turn, tail, expected.whole)
    short, long = _pays(turn, written, expected), _may_be_long(turn, rule) and _pays_long(turn, written, expected)
    if short or long:
        return replace(tail, long=long and (not short or _outlasts(turn, written, expected)))
    stable = _stable(turn)
    if stable and _behind(turn, stable.prefix) >= rule.minimum:
        return stable if _pays(turn, _written(turn, stable, 1.0), expected) else None
    return None


def _written(turn: Turn, place: Marker, whole: float) -> Written:
    read, upto = _reach(turn), _behind(turn, place.prefix)
    kept = whole * upto + (1 - whole) * read
    return Written(max(0, upto - read), kept - read, kept - _outlasting(turn))


def _pays(turn: Turn, written: Written, expected: Chances) -> bool:
    prices = turn.profile.prices_for(turn.total)
    write = prices.input if prices.write is None else prices.write
    return expected.again * written.more * (write - prices.read) > (write - prices.input) * written.new


def _pays_long(turn: Turn, written: Written, expected: Chances) -> bool:
    prices = turn.profile.prices_for(turn.total)
    write = prices.write_long or prices.input
    pause = expected.later - expected.again
    gained = expected.again * written.more + pause * written.lasting
    return gained * (write - prices.read) > (write - prices.input) * written.new


def _outlasts(turn: Turn, written: Written, expected: Chances) -> bool:
    """Whether the long time to live is worth what it costs above the short one."""
    prices = turn.profile.prices_for(turn.total)
    write = prices.input if prices.write is None else prices.write
    dearer = (prices.write_long or write) - write
    return (expected.later - expected.again) * written.lasting * (write - prices.read) > dearer * written.new


def _may_be_long(turn: Turn, rule: Breakpoints) -> bool:
    """Whether the model sells the long time to live, and no short-lived marker of the client stands in front."""
    sold = rule.long_ttl is not None and turn.profile.prices.write_long is not None
    return sold and (turn.conversation.head.long or not turn.ends)


def _affordable(turn: Turn, allowance: float) -> bool:
    """Whether the fees paid so far have come back, this turn's reads included."""
    sent = turn.cache.sent
    reach = _entry(sent, turn.cache.intact) if sent else None
    read = 0 if reach is None else turn.front(reach)
    bounded = max((read, *map(turn.front, turn.ends)))
    return input_usd(turn, turn.received, read, bounded) <= allowance


def _free(turn: Turn, lineage: Lineage, rule: Breakpoints) -> Iterator[Marker]:
    """Markers at entries, or in front of the last boundary, which cost nothing: the most useful first."""
    sent, head, own = turn.cache.sent, turn.conversation.head, _marks_messages(turn, rule)
    if sent:
        yield from _unreached(turn, sent, rule)
        lasting = [entry for entry in sent.long if 0 < entry <= turn.cache.intact]
        yield from _ending(turn, lasting[-1], "stable") if lasting and not own else ()
    if not lineage.complete and not own:
        stable = _stable(turn)
        yield from (stable,) if stable and stable.prefix < max(turn.bounds, default=0) else ()
    paid = bool(turn.bounds) or (sent is not None and 0 in sent.entries)
    if paid and head.markable and head.markers == head.automatic and head.tokens >= rule.minimum:
        yield Marker(HEAD, 0, reason="head")


def _unreached(turn: Turn, sent: Sent, rule: Breakpoints) -> Iterator[Marker]:
    """The end of the newest entry, where no marker would find it.

    One at the end of this very request is of the same request, or of a last message that has grown since: there
    the entry ends inside of it.
    """
    entries = sent.explicit if rule.automatic else sent.entries
    upto = min(turn.cache.intact, len(turn.conversation.messages) - 1)
    entry = max((entry for entry in entries if 0 < entry <= upto), default=0)
    ours = tuple(marker.prefix for marker in turn.marks)
    found = readable(rule, sent, turn.conversation, turn.cache.intact, turn.ends, ours)
    if entry > (found or 0) or (entry and _wide(turn, entry, rule)):
        yield from _ending(turn, entry, "lookback")


def _wide(turn: Turn, entry: int, rule: Breakpoints) -> bool:
    """Whether more blocks follow than are looked back at where a run of calls is not one position.

    Only the Claude API counts a run as one; Bedrock and Vertex are not said to.
    """
    if rule.automatic or not turn.marks:
        return False
    new = turn.conversation.messages[entry : turn.bounds[-1]]
    return sum(len(message.blocks) for message in new) >= rule.lookback


def _ending(turn: Turn, prefix: int, reason: MarkerReason) -> Iterator[Marker]:
    """A marker that ends exactly this prefix, where one may."""
    place = last_markable(turn.conversation, prefix, reason)
    if place and place.prefix == prefix:
        yield place


def _stable(turn: Turn) -> Marker | None:
    """Behind the messages that the client has repeated."""
    return last_markable(turn.conversation, turn.cache.intact, "stable")


def _behind(turn: Turn, prefix: int) -> int:
    """Tokens of a prefix as it is sent, without new edits."""
    return turn.total - turn.behind(prefix)


def _entry(sent: Sent, intact: int) -> int | None:
    return max((entry for entry in sent.entries if entry <= intact), default=None)


def _reach(turn: Turn) -> int:
    """Tokens that this turn reads."""
    entry = _entry(turn.cache.sent, turn.cache.intact) if turn.cache.sent else None
    return 0 if entry is None else _behind(turn, entry)


def _outlasting(turn: Turn) -> int:
    """Tokens of the longest entry that outlasts a pause."""
    sent = turn.cache.sent
    entries = [entry for entry in sent.long if entry <= turn.cache.intact] if sent else []
    return _behind(turn, entries[-1]) if entries else 0

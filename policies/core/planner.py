"""When does an edit pay? The verdict on every proposal, with the arithmetic.

An edit whose first change stands at block p makes the provider compute everything behind p again,
once; it saves the removed tokens' read price on every later turn. With S cached tokens from p on,
D of them removed, read price r and write price w: the price is w(S-D) - rS, the saving rD a turn.

The rule, in this order:

* nothing cached is lost (cold cache, no caching at all, a price tier left): apply everything;
* the request would not fit the model: apply everything, whatever it costs;
* else apply the pending edits from p on where all three hold:
  RENT     the savings forgone by waiting have reached a third of the price. Full ski rental (the
           whole price) is 2-competitive but buys its first batch too late: agent runs end;
  HORIZON  the saving over the turns to be expected exceeds the price. A run that has lasted t turns
           is expected to last 10 + t/3 more: run lengths have a heavy tail;
  BOUND    were the run to end right now, it would have cost at most WORST_CASE more than direct.

BOUND, proof: let A and B be the costs so far with and without edits. It holds at the start (A = B = 0).
A turn without a new edit adds no more to A than to B: it sends what direct sends, less what was
removed, and reads at least that prefix. A turn with one is only taken if A <= (1 + WORST_CASE) B
after it. So A <= (1 + WORST_CASE) B at every turn, in the model's prices. Edits that the model's
context limit forces are exempt: without them the run would have ended.

Rules of this room: pure; `now` is an argument. It must not know wire formats or stores.
"""

from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct

from policies.core.conversation import Conversation, Kind, Role
from policies.core.edits import Anchor, Arithmetic, Decision, Placed
from policies.core.lineage import Ledger, Lineage, Sent
from policies.core.plan import Cause, Loss, Marker, Plan
from policies.core.prefix_cache import boundaries, entries_after, marker_count, readable, rounded
from policies.core.profile import MILLION, Breakpoints, Profile

RENT_SHARE = 1 / 3
"""Share of the price that forgone savings must reach."""
HORIZON_FLOOR = 10
"""Further turns expected of a run that has just begun."""
HORIZON_SHARE = 1 / 3
"""Further turns expected for each turn that a run has lasted."""
WORST_CASE = 0.09
"""A session never costs more than this share above direct."""
PRESSURE = 0.80
"""Share of the limit from which "on_pressure" masks."""


class _Cache(Struct, frozen=True):
    """What the provider holds: `intact` messages of this request, and why not all that was sent."""

    sent: Sent | None
    intact: int
    cause: Cause | None


class _Option(Struct, frozen=True):
    """Applying the proposals from `first` on; `first` = len(proposals) applies none."""

    first: int
    intact: int
    read: int
    total: int
    markers: tuple[Marker, ...]
    usd: float
    removed: int = 0


class _Turn(Struct, frozen=True):
    """One turn's facts: token counts per message as sent without new edits, and behind each message."""

    conversation: Conversation
    profile: Profile
    cache: _Cache
    total: int
    received: int
    behind: tuple[int, ...]
    """behind[i]: tokens as sent from message i to the end; behind[len] = 0."""
    ends: tuple[int, ...]
    """Prefixes, in messages, at which the client's own request reads and writes."""


def plan(
    conversation: Conversation,
    lineage: Lineage,
    proposals: Sequence[Placed],
    profile: Profile,
    now: float,
    *,
    when: str = "pays",
    limit: int | None = None,
) -> Plan:
    """Decide on every proposal (oldest first). `limit`: effective context limit in tokens, None for the profile's."""
    turn = _facts(conversation, lineage, profile, now)
    keep = _option(turn, proposals, len(proposals))
    legal = _first_legal(conversation, profile, proposals)
    ledger = _rents(lineage.ledger, proposals)
    direct = _direct_usd(turn)
    chosen, reason = _choose(turn, lineage, ledger, proposals, legal, keep, direct, when, limit)
    return _answer(turn, lineage, ledger, proposals, legal, keep, chosen, reason, direct, now)


def horizon(turns: int) -> float:
    """Further turns expected of a run that has lasted this many."""
    return HORIZON_FLOOR + HORIZON_SHARE * turns


def _facts(conversation: Conversation, lineage: Lineage, profile: Profile, now: float) -> _Turn:
    tokens = [message.tokens for message in conversation.messages]
    received = conversation.head.tokens + sum(tokens)
    for placed in lineage.placed:
        tokens[placed.message] -= placed.edit.removes
    behind = (*reversed(list(accumulate(reversed(tokens)))), 0)
    total = conversation.head.tokens + behind[0]
    cache = _cache(conversation, lineage, profile, now)
    ends = boundaries(profile.cache, conversation)
    return _Turn(conversation, profile, cache, total, received, behind, ends)


def _cache(conversation: Conversation, lineage: Lineage, profile: Profile, now: float) -> _Cache:
    """What can still be cached, and the cause where it is less than what was last sent."""
    sent = lineage.last
    if sent is None:
        return _unseen(conversation, now)
    if now - sent.at > profile.cache.ttl:
        return _Cache(None, 0, "ttl_expired")
    match lineage.changed:
        case "model":
            return _Cache(None, 0, "model_changed")
        case "tools":
            return _Cache(None, 0, "tools_changed")
        case "system":
            return _Cache(None, 0, "system_changed")
        case "parameters":
            keeps_head = isinstance(profile.cache, Breakpoints) and not profile.cache.automatic
            return _Cache(sent if keeps_head else None, 0, "parameters_changed")
        case _:
            return _Cache(sent, lineage.common, None if lineage.complete else "history_edited")


def _unseen(conversation: Conversation, now: float) -> _Cache:
    """A conversation met for the first time. If it has a past, the provider may hold it: assume that it does."""
    answers = [i for i, message in enumerate(conversation.messages) if message.role is Role.ASSISTANT]
    if not answers:
        return _Cache(None, 0, "cold_start")
    before = answers[-1]
    return _Cache(Sent(now, 0, 0, 0, (0, before)), before, "cold_start")


def _option(turn: _Turn, proposals: Sequence[Placed], first: int) -> _Option:
    """What it costs now to apply the proposals from `first` on."""
    chosen = proposals[first:]
    intact = min(turn.cache.intact, chosen[0].message) if chosen else turn.cache.intact
    removed = sum(placed.edit.removes for placed in chosen)
    markers = _markers(turn, chosen[0].message) if chosen and intact < turn.cache.intact else ()
    ours = tuple(marker.message + 1 for marker in markers)
    total = turn.total - removed
    upto = _readable(turn, intact, ours)
    read = 0 if upto is None else rounded(turn.profile.cache, turn.total - turn.behind[upto], total)
    return _Option(first, intact, read, total, markers, _input_usd(turn, total, read, ours), removed)


def _readable(turn: _Turn, intact: int, ours: Sequence[int] = ()) -> int | None:
    sent = turn.cache.sent
    return readable(turn.profile.cache, sent, turn.conversation, intact, turn.ends, ours) if sent else None


def _input_usd(turn: _Turn, total: int, read: int, ours: Sequence[int] = ()) -> float:
    """USD for the input of one turn; what is not read is written where a boundary follows it."""
    prices = turn.profile.prices_for(total)
    ends = (*turn.ends, *ours)
    behind = turn.behind[max(ends)] if ends else total - read
    written = max(0, total - read - behind)
    write = prices.input if prices.write is None else prices.write
    return (read * prices.read + written * write + (total - read - written) * prices.input) / MILLION


def _direct_usd(turn: _Turn) -> float:
    """USD for this turn's input had nothing ever been edited: same boundaries, the tokens as received."""
    messages = turn.conversation.messages
    if turn.received == turn.total:
        return _option(turn, (), 0).usd
    upto = _readable(turn, turn.cache.intact)
    before = 0 if upto is None else turn.received - sum(message.tokens for message in messages[upto:])
    read = rounded(turn.profile.cache, before, turn.received)
    return _input_usd(turn, turn.received, read)


def _saving_usd(turn: _Turn, option: _Option) -> float:
    """USD that an option saves on each later turn, a price tier left behind included."""
    cached = bool(turn.ends)
    whole, less = turn.profile.prices_for(turn.total), turn.profile.prices_for(turn.total - option.removed)
    before, after = (whole.read, less.read) if cached else (whole.input, less.input)
    return (turn.total * before - (turn.total - option.removed) * after) / MILLION


def _markers(turn: _Turn, message: int) -> tuple[Marker, ...]:
    """Where the unchanged part ends and, on models that match by breakpoint, where the next edit may begin."""
    rule = turn.profile.cache
    if not isinstance(rule, Breakpoints):
        return ()
    free = rule.limit - marker_count(turn.conversation) - (1 if rule.automatic else 0)
    places = [_last_markable(turn.conversation, message)]
    if rule.automatic:
        places.append(_last_markable(turn.conversation, _next_frontier(turn.conversation)))
    found = dict.fromkeys(place for place in places if place is not None)
    return tuple(found)[: max(0, free)]


def _next_frontier(conversation: Conversation, keep: int = HORIZON_FLOOR) -> int:
    """The message of the oldest observation that is still too new to be masked."""
    newest = [
        index
        for index, message in enumerate(conversation.messages)
        if any(block.kind is Kind.OBSERVATION for block in message.blocks)
    ]
    return newest[-keep] if len(newest) >= keep else 0


def _last_markable(conversation: Conversation, before: int) -> Marker | None:
    """The last block in front of message `before` that may carry a marker and ends its message."""
    for index in range(before - 1, -1, -1):
        blocks = conversation.messages[index].blocks
        if blocks and blocks[-1].markable:
            return None if blocks[-1].marked else Marker(index, blocks[-1].index)
    return None


def _first_legal(conversation: Conversation, profile: Profile, proposals: Sequence[Placed]) -> int:
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


def _rents(ledger: Ledger, proposals: Sequence[Placed]) -> Ledger:
    """The ledger with one more turn of rent for each edit that waits, and without those that no longer do."""
    waited = dict(ledger.rents)
    rents = tuple((placed.edit.anchor, _more_rent(waited, placed)) for placed in proposals)
    return Ledger(ledger.direct_usd, ledger.actual_usd, rents, ledger.output_usd)


def _more_rent(waited: dict[Anchor, int], placed: Placed) -> int:
    """Tokens read for nothing so far. The first turn is free: the edit could not have come earlier."""
    before = waited.get(placed.edit.anchor)
    return 0 if before is None else before + placed.edit.removes


def _choose(
    turn: _Turn,
    lineage: Lineage,
    ledger: Ledger,
    proposals: Sequence[Placed],
    legal: int,
    keep: _Option,
    direct: float,
    when: str,
    limit: int | None,
) -> tuple[_Option, str]:
    """The option to take and the fixed word that says why."""
    if legal == len(proposals):
        return keep, "nothing_legal"
    whole = _option(turn, proposals, legal)
    room = (limit or turn.profile.effective_limit or turn.profile.context_limit) - (
        turn.conversation.head.max_output or 0
    )
    if when == "always":
        return whole, "always"
    if turn.total > room * (PRESSURE if when == "on_pressure" else 1.0):
        return whole, "pressure"
    if when == "on_pressure":
        return keep, "no_pressure"
    if whole.usd <= keep.usd:
        return whole, "cold" if turn.cache.sent is None else "free"
    return _best(turn, lineage, ledger, proposals, legal, keep, direct)


def _best(
    turn: _Turn,
    lineage: Lineage,
    ledger: Ledger,
    proposals: Sequence[Placed],
    legal: int,
    keep: _Option,
    direct: float,
) -> tuple[_Option, str]:
    """The batch with the largest expected gain among those that pass RENT, HORIZON and BOUND."""
    spent = ledger.actual_usd + ledger.output_usd
    allowed = (1 + WORST_CASE) * (ledger.direct_usd + ledger.output_usd + direct)
    turns = horizon(lineage.turn)
    best, gain, reason, rent = keep, 0.0, "rent", 0
    for first in range(len(proposals) - 1, legal - 1, -1):
        rent += ledger.rents[first][1]
        if first and proposals[first - 1].message == proposals[first].message:
            continue
        option = _option(turn, proposals, first)
        price = option.usd - keep.usd
        if _rent_usd(turn, rent) < RENT_SHARE * price:
            continue
        expected = _saving_usd(turn, option) * turns - price
        if expected <= 0:
            reason = "horizon" if best is keep else reason
        elif spent + option.usd > allowed:
            reason = "bound" if best is keep else reason
        elif expected > gain:
            best, gain, reason = option, expected, "pays"
    return best, reason


def _rent_usd(turn: _Turn, tokens: int) -> float:
    return tokens * turn.profile.prices_for(turn.total).read / MILLION


def _answer(
    turn: _Turn,
    lineage: Lineage,
    ledger: Ledger,
    proposals: Sequence[Placed],
    legal: int,
    keep: _Option,
    chosen: _Option,
    reason: str,
    direct: float,
    now: float,
) -> Plan:
    """The plan of a chosen option."""
    forbidden = "stand_down" if turn.conversation.head.stand_down else "bound_reasoning"
    taken = proposals[chosen.first :]
    decisions = tuple(
        Decision(placed.edit, "rejected", forbidden)
        if index < legal
        else Decision(placed.edit, "applied", reason)
        if index >= chosen.first
        else Decision(placed.edit, "deferred", "suffix" if taken else reason)
        for index, placed in enumerate(proposals)
    )
    ours = tuple(marker.message + 1 for marker in chosen.markers)
    entries, explicit = entries_after(turn.cache.sent, chosen.intact, turn.ends, ours)
    losses = _losses(turn, lineage, keep, chosen)
    return Plan(
        decisions=decisions,
        arithmetic=_arithmetic(turn, ledger, proposals, keep, chosen),
        in_force=tuple(sorted((*lineage.placed, *taken), key=lambda placed: (placed.message, placed.block))),
        markers=chosen.markers,
        prefix=_prefix(lineage, losses),
        achievable_tokens=chosen.read,
        losses=losses,
        ledger=Ledger(
            ledger.direct_usd + direct,
            ledger.actual_usd + chosen.usd,
            ledger.rents[: chosen.first],
            ledger.output_usd,
        ),
        sent=Sent(now, chosen.total, turn.received, _written(turn, chosen, entries), entries, explicit),
    )


def _written(turn: _Turn, chosen: _Option, entries: Sequence[int]) -> int:
    """Tokens of the longest prefix that the next turn could read."""
    if not entries:
        return 0
    behind = turn.behind[entries[-1]]
    return rounded(turn.profile.cache, max(0, chosen.total - behind), chosen.total + 1)


def _arithmetic(turn: _Turn, ledger: Ledger, proposals: Sequence[Placed], keep: _Option, chosen: _Option) -> Arithmetic:
    """The figures of the chosen batch, or of the whole one where none was chosen."""
    shown = chosen if chosen.removed or not proposals else _option(turn, proposals, 0)
    rent = sum(tokens for _, tokens in ledger.rents[shown.first :])
    return Arithmetic(
        suffix_tokens=max(0, keep.read - shown.read),
        removed_tokens=shown.removed,
        price_usd=shown.usd - keep.usd,
        rent_usd=_rent_usd(turn, rent),
        saving_usd=_saving_usd(turn, shown),
    )


def _losses(turn: _Turn, lineage: Lineage, keep: _Option, chosen: _Option) -> tuple[Loss, ...]:
    """What was cached by the turn before and cannot be read now, by cause."""
    found: list[Loss] = []
    before = lineage.last.written if lineage.last else 0
    if before > keep.read:
        found.append(Loss(_cause(turn), before - keep.read))
    if keep.read > chosen.read:
        found.append(Loss("policy_mask", keep.read - chosen.read))
    return tuple(found)


def _cause(turn: _Turn) -> Cause:
    """Why less can be read than was sent, leaving aside what this turn's edits change."""
    if turn.cache.cause is not None:
        return turn.cache.cause
    cached = turn.total - turn.behind[turn.cache.intact]
    return "below_minimum" if rounded(turn.profile.cache, cached, turn.total) == 0 else "lookback_exceeded"


def _prefix(lineage: Lineage, losses: Sequence[Loss]) -> str:
    if lineage.last is None:
        return "first"
    worst = max(losses, key=lambda loss: loss.tokens, default=None)
    whole = worst is None or worst.cause in ("below_minimum",)
    return "kept" if whole or worst is None else f"broken:{worst.cause}"

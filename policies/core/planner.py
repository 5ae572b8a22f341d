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
  BOUND    were the run to end right now, it would have cost at most WORST_CASE more than unedited.

BOUND, proof: let A and U be the costs so far with and without edits, output included, both with the markers
that Holdfast adds to every turn (markers.py). It holds at the start (A = U = 0). A turn without a new edit adds
no more to A than to U: it sends what U sends, less what was removed, and reads at least that prefix, since
an edit that leaves less than the provider caches at all is refused. (Where reads are in steps, what is
cut off may differ by up to one step a turn.) A turn with one is only taken if A <= (1 + WORST_CASE) U after it.
So A <= (1 + WORST_CASE) U at every turn, in the model's prices. Edits that the model's context limit forces are
exempt: without them the run would have ended. What shapes and earlier edits have saved is part of A: it is credit,
and may be risked as well.

FRESH, in that proof: edits of what was never sent cost no cache and are not weighed. A shape only removes, and
none is made that leaves less than the provider caches at all (minimum.py). A note only adds: let N be what notes
have cost so far. They count in A where a batch is weighed, so A <= (1 + WORST_CASE) U + N at every turn. N is what
their policy's settings allow (recite.py).

STAKE, with the markers: let B be the cost so far as the client would have paid it, without edits and markers of
ours. A fee for what is new on a turn is only paid if neither U nor A exceeds (1 + WORST_CASE) B without it, this
turn's reads included, and a batch only taken if A does not after it. Other markers cost nothing, so on any other
turn neither U nor A grows by more than B does. So A <= (1 + WORST_CASE) B + the fee of one turn, which is (w - i) for
each token that is new on it: a cache that is never written is never read, so the first fee cannot come from
credit. Where the client marks its own messages, no fee is paid.

Rules of this room: pure; `now` is an argument. It must not know wire formats or stores.
"""

from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from policies.core.conversation import Conversation
from policies.core.edits import FIRST_SENDING, Anchor, Arithmetic, Decision, Placed, merged
from policies.core.index import Index
from policies.core.lineage import Ledger, Lineage, Sent, with_fresh
from policies.core.liveness import asked_again, counted_again
from policies.core.markers import chances, counted, marks
from policies.core.plan import Cause, Loss, Plan
from policies.core.prefix_cache import kept, own_entries, rounded, unedited_entries
from policies.core.profile import MILLION, Breakpoints, Profile
from policies.core.turn import (
    Option,
    Turn,
    direct_usd,
    facts,
    first_legal,
    long_ends,
    option_from,
    saving_usd,
    size,
    uncacheable,
    unedited_usd,
    unsettles,
)

RENT_SHARE = 1 / 3
"""Share of the price that forgone savings must reach."""
HORIZON_FLOOR = 10
"""Further turns expected of a run that has just begun."""
HORIZON_SHARE = 1 / 3
"""Further turns expected for each turn that a run has lasted."""
WORST_CASE = 0.02
"""Share by which edits, and likewise added markers, may make a session dearer: BOUND and STAKE above."""
BATCHES = 8
"""How many longer batches are compared; the whole is nearly always the best, and comparing more costs time."""
PRESSURE = 0.80
"""Share of the limit from which "on_pressure" masks."""


class Terms(Struct, frozen=True):
    """What a policy asks of the planner."""

    when: str = "pays"
    """"pays", "always" or "on_pressure" (the mask policy's setting)."""
    limit: int | None = None
    """Effective context limit in tokens; None takes the profile's."""
    keep_newest: int = 10
    """Observations that stay; where the next edit may begin follows from it."""
    mark: bool = False
    """Whether cache markers are added where they pay (the breakpoints policy)."""


class _Case(Struct, frozen=True):
    """All that a decision rests on."""

    turn: Turn
    client: Turn
    """The same turn without anything of ours."""
    lineage: Lineage
    proposals: Sequence[Placed]
    legal: int
    """The first proposal that may be applied at all."""
    ledger: Ledger
    """Rents brought up to this turn."""
    direct: float
    """This turn's input cost as the client would have paid it."""
    unedited: float
    """The same with the markers that are added whatever is edited."""
    terms: Terms

    def take(self, first: int) -> Option:
        """Apply the proposals from `first` on."""
        return option_from(self.turn, self.proposals, first, self.terms.keep_newest)


def plan(
    conversation: Conversation,
    lineage: Lineage,
    proposals: Sequence[Placed],
    profile: Profile,
    now: float,
    terms: Terms,
    index: Index | None = None,
    fresh: Sequence[Placed] = (),
    own: tuple[Conversation, Lineage] | None = None,
) -> Plan:
    """Decide on every proposal (oldest first). `now`: seconds since the epoch at the request's start.

    `index`: of the conversation's messages, where one is at hand. `fresh`: edits of blocks that were never sent.
    They cost no cache, so they are applied at once, and the proposals count from what they leave. `own`: the request
    and its past as the client has them, where another head is sent than the client's.
    """
    lineage = with_fresh(lineage, fresh)
    turn = facts(conversation, lineage, profile, now, index)
    legal = first_legal(turn, proposals)
    client = facts(*own, profile, now, index) if own else turn
    ledger, direct = _rents(_rereads(lineage, turn), proposals), direct_usd(client)
    if terms.mark and isinstance(profile.cache, Breakpoints):
        ledger = counted(ledger, lineage, profile.cache, now)
        turn = _marked(turn, lineage, ledger, direct)
    answer = _decided(_Case(turn, client, lineage, proposals, legal, ledger, direct, unedited_usd(turn), terms), now)
    if not fresh:
        return answer
    first = (Decision(placed.edit, "applied", FIRST_SENDING) for placed in fresh)
    return replace(answer, decisions=(*first, *answer.decisions))


def _decided(case: _Case, now: float) -> Plan:
    """The plan for all proposals; where that takes none, for those that do not lose all messages."""
    keep = case.take(len(case.proposals))
    chosen, reason = _choose(case, keep)
    answer = _answer(case, keep, chosen, reason, now)
    dear = [place for place, each in enumerate(case.proposals) if unsettles(case.turn, each)]
    if chosen is not keep or not 0 < len(dear) < len(case.proposals):
        return answer
    left, rents = [case.proposals[place] for place in dear], [case.ledger.rents[place] for place in dear]
    without = _decided(_without(case, frozenset(dear)), now)
    return replace(
        without,
        decisions=(*(answer.decisions[place] for place in dear), *without.decisions),
        waiting=(*without.waiting, *left),
        ledger=replace(without.ledger, rents=(*without.ledger.rents, *rents)),
    )


def _without(case: _Case, places: frozenset[int]) -> _Case:
    """The same turn without some of the proposals."""
    left = [place for place in range(len(case.proposals)) if place not in places]
    proposals = [case.proposals[place] for place in left]
    rents = tuple(case.ledger.rents[place] for place in left)
    legal, ledger = first_legal(case.turn, proposals), replace(case.ledger, rents=rents)
    return replace(case, proposals=proposals, legal=legal, ledger=ledger)


def horizon(turns: int) -> float:
    """Further turns expected of a run that has lasted this many."""
    return HORIZON_FLOOR + HORIZON_SHARE * turns


def _marked(turn: Turn, lineage: Lineage, ledger: Ledger, direct: float) -> Turn:
    """The turn with the markers that pay whatever is edited."""
    expected = chances(turn.conversation, lineage.turn, ledger, horizon(lineage.turn))
    spent = ledger.direct_usd + direct + ledger.output_usd
    dearer = max(ledger.markers_usd, ledger.actual_usd - ledger.direct_usd)
    return replace(turn, marks=marks(turn, lineage, expected, direct - dearer + WORST_CASE * spent))


def _rereads(lineage: Lineage, turn: Turn) -> Ledger:
    """The ledger with what this turn shows anew of what was masked."""
    ledger = lineage.ledger
    tools = asked_again(turn.index, turn.force, lineage.common) if lineage.last else ()
    return replace(ledger, rereads=counted_again(ledger.rereads, tools)) if tools else ledger


def _rents(ledger: Ledger, proposals: Sequence[Placed]) -> Ledger:
    """The ledger with one more turn of rent for each edit that waits, and without those that no longer do."""
    if not proposals:
        return ledger if not ledger.rents else replace(ledger, rents=())
    waited = dict(ledger.rents)
    rents = tuple((placed.edit.anchor, _more_rent(waited, placed)) for placed in proposals)
    return replace(ledger, rents=rents)


def _more_rent(waited: dict[Anchor, int], placed: Placed) -> int:
    """Tokens read for nothing so far. The first turn is free: the edit could not have come earlier."""
    before = waited.get(placed.edit.anchor)
    return 0 if before is None else before + placed.edit.removes


def _choose(case: _Case, keep: Option) -> tuple[Option, str]:
    """The option to take and the fixed word that says why."""
    if case.legal == len(case.proposals):
        return keep, "none"
    turn, terms = case.turn, case.terms
    whole = case.take(case.legal)
    limit = turn.profile.limit(terms.limit)
    if terms.when == "always":
        return whole, "always"
    if turn.total > limit * (PRESSURE if terms.when == "on_pressure" else 1.0):
        return whole, "pressure"
    if terms.when == "on_pressure":
        return keep, "no_pressure"
    if whole.usd <= keep.usd and not _uncacheable(case, whole):
        return whole, "cold" if turn.cache.sent is None else "free"
    return _best(case, keep)


def _best(case: _Case, keep: Option) -> tuple[Option, str]:
    """The batch with the largest expected gain among those that pass RENT, HORIZON and BOUND."""
    best, gain, reason = keep, 0.0, "rent"
    rents = (*accumulate((tokens for _, tokens in reversed(case.ledger.rents)), initial=0),)[::-1]
    for first in _beginnings(case):
        option = case.take(first)
        price = option.usd - keep.usd
        if _rent_usd(case.turn, rents[first]) < RENT_SHARE * price:
            continue
        expected = saving_usd(case.turn, option) * horizon(case.lineage.turn) - price
        if refused := _refusal(case, option, expected):
            reason = refused if best is keep else reason
        elif expected > gain:
            best, gain, reason = option, expected, "pays"
    return best, reason


def _beginnings(case: _Case) -> list[int]:
    """Where a batch may begin, each at the start of a message: the whole, a few shorter ones, and short ones at the
    tail, which cost little, since little stands behind them, where the whole would pass the bound."""
    count = len(case.proposals)
    step = max(1, (count - case.legal) // BATCHES)
    tail = (count - (1 << power) for power in range((count - case.legal).bit_length()))
    return [
        first
        for first in sorted({*range(case.legal, count, step), *tail})
        if first == case.legal or case.proposals[first - 1].message != case.proposals[first].message
    ]


def _refusal(case: _Case, option: Option, expected: float) -> str:
    """Why a batch is not taken although it has paid its rent; empty where it may be."""
    if _uncacheable(case, option):
        return "below_minimum"
    if expected <= 0:
        return "horizon"
    spent = case.ledger.actual_usd + option.usd + case.ledger.output_usd
    direct = case.ledger.direct_usd + case.direct + case.ledger.output_usd
    markers = case.ledger.markers_usd + case.unedited - case.direct
    return "bound" if spent > (1 + WORST_CASE) * (direct + min(0.0, markers)) else ""


def _uncacheable(case: _Case, option: Option) -> bool:
    return uncacheable(case.turn, option, case.proposals[option.first].message)


def _rent_usd(turn: Turn, tokens: int) -> float:
    return tokens * turn.profile.prices_for(turn.total).read / MILLION


def _answer(case: _Case, keep: Option, chosen: Option, reason: str, now: float) -> Plan:
    """The plan of a chosen option."""
    ledger = case.ledger
    taken = case.proposals[chosen.first :]
    losses = _losses(case, keep, chosen)
    return Plan(
        decisions=_decisions(case, chosen, reason),
        arithmetic=_arithmetic(case, keep, chosen),
        in_force=merged(case.lineage.placed, taken),
        waiting=tuple(case.proposals[: chosen.first]),
        markers=chosen.markers,
        prefix=_prefix(case.lineage, losses),
        achievable_tokens=chosen.read if case.lineage.last else 0,
        losses=losses,
        actual_usd=chosen.usd,
        direct_usd=case.direct,
        ledger=replace(
            ledger,
            direct_usd=ledger.direct_usd + case.direct,
            actual_usd=ledger.actual_usd + chosen.usd,
            markers_usd=ledger.markers_usd + case.unedited - case.direct,
            rents=ledger.rents[: chosen.first],
        ),
        sent=_sent(case, chosen, taken, now),
    )


def _sent(case: _Case, chosen: Option, taken: Sequence[Placed], now: float) -> Sent:
    """What the provider holds once this request has been served."""
    turn, client = case.turn, case.client
    before, theirs = (each.cache.sent or Sent(now, 0, 0) for each in (turn, client))
    ours, marks = (tuple(marker.prefix for marker in each) for each in (chosen.markers, turn.marks))
    entries = kept(before.entries, chosen.intact, (*turn.ends, *ours))
    bare = kept(own_entries(theirs), client.cache.intact, client.ends)
    long = _long(before.long, before.entries, chosen.intact, long_ends(turn, chosen.markers))
    known = before.long if before.unedited_long is None else before.unedited_long
    unedited_long = _long(known, unedited_entries(before), turn.cache.intact, long_ends(turn, turn.marks))
    return Sent(
        now,
        chosen.total,
        client.received,
        _written(turn, taken, entries),
        entries,
        explicit=kept(before.explicit, chosen.intact, ours),
        long=long,
        bare=None if bare == entries else bare,
        marks=kept(before.marks, turn.cache.intact, marks),
        unedited_long=None if unedited_long == long else unedited_long,
    )


def _long(before: Sequence[int], entries: Sequence[int], intact: int, ends: Sequence[int]) -> tuple[int, ...]:
    """Long-lived entries after a request with these long boundaries: what is read is not written again."""
    read = max((entry for entry in entries if entry <= intact), default=-1)
    return kept(before, intact, [end for end in ends if end > read])


def _decisions(case: _Case, chosen: Option, reason: str) -> tuple[Decision, ...]:
    """A verdict for each proposal. What stands before a batch that is taken waits: its suffix is dearer."""
    forbidden = "stand_down" if case.turn.conversation.head.stand_down else "bound_reasoning"
    waits = "suffix" if chosen.removed else reason
    illegal = [Decision(placed.edit, "rejected", forbidden) for placed in case.proposals[: case.legal]]
    later = [Decision(placed.edit, "deferred", waits) for placed in case.proposals[case.legal : chosen.first]]
    taken = [Decision(placed.edit, "applied", reason) for placed in case.proposals[chosen.first :]]
    return (*illegal, *later, *taken)


def _written(turn: Turn, taken: Sequence[Placed], entries: Sequence[int]) -> int:
    """Tokens of the longest prefix that the next turn could read."""
    if not entries:
        return 0
    tokens = size(turn, taken, entries[-1])
    return rounded(turn.profile.cache, tokens, tokens + 1)


def _arithmetic(case: _Case, keep: Option, chosen: Option) -> Arithmetic:
    """The figures of the chosen batch, or of the whole one where none was chosen."""
    if not case.proposals:
        return Arithmetic()
    shown = chosen if chosen.removed else case.take(0)
    rent = sum(tokens for _, tokens in case.ledger.rents[shown.first :])
    return Arithmetic(
        suffix_tokens=max(0, keep.read - shown.read),
        removed_tokens=shown.removed,
        price_usd=shown.usd - keep.usd,
        rent_usd=_rent_usd(case.turn, rent),
        saving_usd=saving_usd(case.turn, shown),
    )


def _losses(case: _Case, keep: Option, chosen: Option) -> tuple[Loss, ...]:
    """What was cached by the turn before and cannot be read now, by cause."""
    found: list[Loss] = []
    before = case.lineage.last.written if case.lineage.last else 0
    if case.turn.cache.cause is None:  # the end that engines always compute again is no loss
        before = rounded(case.turn.profile.cache, before, case.turn.total) or before
    if before > keep.read:
        found.append(Loss(_cause(case.turn), before - keep.read))
    if keep.read > chosen.read:
        found.append(Loss("policy_mask", keep.read - chosen.read))
    return tuple(found)


def _cause(turn: Turn) -> Cause:
    """Why less can be read than was sent, leaving aside what this turn's edits change."""
    if turn.cache.cause is not None:
        return turn.cache.cause
    cached = turn.total - turn.behind(turn.cache.intact)
    return "below_minimum" if rounded(turn.profile.cache, cached, turn.total) == 0 else "lookback_exceeded"


def _prefix(lineage: Lineage, losses: Sequence[Loss]) -> str:
    if lineage.last is None:
        return "first"
    worst = max(losses, key=lambda loss: loss.tokens, default=None)
    return "kept" if worst is None else f"broken:{worst.cause}"

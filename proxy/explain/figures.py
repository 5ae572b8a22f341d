"""A turn and a session as figures: shares, dollars, and for each planned rewrite when it will have paid for itself.

Rules of this room: values only; not reported is None and never 0.
"""

from collections.abc import Sequence

from msgspec import Struct

from policies.core.edits import FIRST_SENDING
from policies.core.outcome import Lost, Outcome, Step, Story
from proxy.explain.looking import Turn


class Line(Struct, frozen=True):
    """One turn in short."""

    turn: int
    at: float
    input: int | None
    read: float | None
    """Share of the input."""
    achievable: float | None
    cost: float | None
    unit: str
    applied: dict[str, int]
    """New rewrites by kind."""
    lost: Lost | None
    """The largest loss."""
    place: str
    """Where what was sent first differs; empty where nothing was changed."""
    prefix: str


class Rewrite(Struct, frozen=True):
    """One proposal with its share of what its batch costs and saves."""

    step: Step
    price: float | None = None
    """Once; negative where it saves at once. None: it is in no batch that was priced."""
    saving: float | None = None
    """On each later turn."""
    payback: float | None = None
    """Turns until the saving has made up for the price."""


class Total(Struct, frozen=True):
    """A session in short."""

    session: str
    agent: str
    model: str
    turns: int
    last: float
    input: int
    read: float | None
    cost: float
    saved: float
    unit: str


def story_of(turn: Turn) -> Story:
    """Empty for a turn that was kept before stories were, or whose answer was never seen."""
    return (turn.outcome.story if turn.outcome else None) or Story()


def line_of(turn: Turn) -> Line:
    story, outcome = story_of(turn), turn.outcome or Outcome(0)
    worst = max(story.losses, key=lambda lost: lost.tokens, default=None)
    places = {str(each.cause): each.where.place for each in story.breaks}
    applied: dict[str, int] = {}
    for tally in story.tallies:
        if tally.verdict == "applied":
            applied[tally.kind] = applied.get(tally.kind, 0) + tally.count
    for kept in story.heads:
        if kept.verdict == "applied":
            applied[kept.kind] = applied.get(kept.kind, 0) + 1
    return Line(
        turn=turn.number,
        at=turn.record.at,
        input=outcome.input,
        read=share(outcome.cache_read, outcome.input),
        achievable=share(story.achievable, outcome.input) if outcome.cache_read is not None else None,
        cost=outcome.cost_usd if outcome.input is not None else None,
        unit=story.unit,
        applied=applied,
        lost=worst,
        place=places.get(worst.cause, "") if worst else next(iter(places.values()), ""),
        prefix=story.prefix,
    )


def rewrites_of(story: Story) -> tuple[Rewrite, ...]:
    """Each proposal that is listed. Priced are those of the batch that was taken, else of the one that waits.

    What was changed before its first sending is in no batch: it costs no cache.
    """
    taken = any(tally.verdict == "applied" and tally.reason != FIRST_SENDING for tally in story.tallies)
    priced = "applied" if taken else "deferred"
    return tuple(
        _priced(story, step) if step.verdict == priced and step.reason != FIRST_SENDING else Rewrite(step)
        for step in story.steps
    )


def _priced(story: Story, step: Step) -> Rewrite:
    sums = story.arithmetic
    part = step.removes / sums.removed_tokens if sums.removed_tokens else 0.0
    return Rewrite(step, sums.price_usd * part, sums.saving_usd * part, payback(sums.price_usd, sums.saving_usd))


def payback(price: float, saving: float) -> float | None:
    """Turns; 0 where it saves at once, None where it never pays."""
    if price <= 0:
        return 0.0
    return price / saving if saving > 0 else None


def total_of(name: str, turns: Sequence[Turn]) -> Total:
    """What is not reported adds nothing, and a rate is of the turns whose reads were reported."""
    outcomes = [turn.outcome for turn in turns if turn.outcome is not None]
    told = [story_of(turn) for turn in turns]
    read = [(each.cache_read, each.input or 0) for each in outcomes if each.cache_read is not None]
    return Total(
        session=name,
        agent=next((story.agent for story in told if story.agent), "unknown"),
        model=max(turns, key=lambda turn: turn.record.at).record.model,
        turns=len(turns),
        last=max(turn.record.at for turn in turns),
        input=sum(each.input or 0 for each in outcomes),
        read=share(sum(tokens for tokens, _ in read), sum(size for _, size in read)) if read else None,
        cost=sum(each.cost_usd for each in outcomes),
        saved=sum(each.direct_usd - each.cost_usd for each in outcomes if each.direct_usd is not None),
        unit=next((story.unit for story in told if story.upstream), "usd"),
    )


def share(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else part / whole

"""A plan in short, as it is kept for whoever asks later why a turn cost what it cost.

Rules of this room: values in, values out; bounded in size. It must not know stores, nor how a story is shown.
"""

from collections.abc import Iterator

from policies.core.edits import EditKind, Verdict
from policies.core.lineage import Sent
from policies.core.outcome import STEPS, Step, Story, Tally
from policies.core.plan import Plan
from policies.core.planner import horizon
from proxy.reading import Seen
from proxy.reckoning import Reckoned


def story_of(plan: Plan, seen: Seen, turn: int, before: Sent | None, reckoned: Reckoned | None) -> Story:
    """`before`: what the provider saw last on this lineage. Whose request it was, the caller fills in."""
    return Story(
        unit=seen.profile.unit,
        prefix=plan.prefix,
        tokens=plan.sent.tokens,
        received=plan.sent.received_tokens,
        cached=before.written if before else 0,
        age=plan.sent.at - before.at if before else None,
        lives=seen.profile.cache.ttl,
        achievable=reckoned.achievable if reckoned else plan.achievable_tokens,
        losses=reckoned.losses if reckoned else (),
        breaks=plan.breaks,
        tallies=tallies(plan),
        steps=tuple(_steps(plan, seen)),
        arithmetic=plan.arithmetic,
        turns=horizon(turn),
        heads=plan.heads,
        replayed=len(plan.replayed),
        markers=len(plan.markers),
    )


def tallies(plan: Plan, reason: str = "") -> tuple[Tally, ...]:
    """The decisions that are alike, counted. `reason`: one for all, in place of their own."""
    sums: dict[tuple[EditKind, Verdict, str], tuple[int, int]] = {}
    for decision in plan.decisions:
        name = (decision.edit.kind, decision.verdict, reason or decision.reason)
        count, removes = sums.get(name, (0, 0))
        sums[name] = count + 1, removes + decision.edit.removes
    return tuple(Tally(*name, *each) for name, each in sums.items())


def _steps(plan: Plan, seen: Seen) -> Iterator[Step]:
    places = {placed.edit.anchor: placed for placed in (*plan.waiting, *plan.in_force)}
    for decision in plan.decisions[:STEPS]:
        edit, placed = decision.edit, places.get(decision.edit.anchor)
        block = seen.trail.messages[placed.message].blocks[placed.block] if placed else None
        yield Step(
            edit.kind,
            decision.verdict,
            decision.reason,
            edit.removes,
            seen.lead + placed.message if placed else -1,
            block.tool if block else "",
        )

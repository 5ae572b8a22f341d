"""Every recorded request: untouched with policies off, legal and accounted for with policies on."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from policies.core.edits import Edit, compose
from policies.mask import Mask
from policies.policy import Policy
from proxy import exchange
from proxy.archive.memory import MemoryArchive
from proxy.dialects.registry import recognise
from proxy.dialects.slices import split
from proxy.exchange import Context, Prepared, Request
from proxy.memo import Memo
from proxy.profiles import profile_for
from proxy.store.memory import MemoryStore
from tests.end_to_end.recorded import ELSEWHERE, FILES, PROFILES, Line, known, lines, refusal
from tests.end_to_end.running import COUNTERS, NOW

OFF = Policy(name="off", mode="off")
DEFAULT = Policy(name="default")
EAGER = Policy(name="eager", mask=Mask(keep_newest=1, min_tokens=61, keep_errors=False, when="always"))
"""Masks whatever may be masked, whether it pays or not, so that there is something to judge."""
WAYS = {"default": (DEFAULT, 0.0), "default, cache cold": (DEFAULT, 90_000.0), "eager": (EAGER, 0.0)}
"""A policy, and the seconds between two requests: when the cache is cold, every edit pays."""

OUTSIDE = -1
"""In place of a message: a marker on the head, where that stands outside of the list, or an added field."""

every_file = pytest.mark.parametrize("file", FILES)


@dataclass
class Faults:
    """A witness that keeps what was given up."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    def accounted(self, settled: exchange.Settled) -> None: ...

    def degraded(self, what: str, reason: str) -> None:
        self.seen.append((what, reason))


def context(policy: Policy, faults: Faults) -> Context:
    return Context(
        store=MemoryStore(),
        archive=MemoryArchive(),
        memo=Memo(seed=1),
        profile=lambda model, upstream: profile_for(PROFILES, model),
        counter=COUNTERS.counter,
        policy=lambda request, model: policy,
        witness=faults,
    )


def prepared(rows: Sequence[Line], policy: Policy, gap: float = 0.0) -> tuple[list[tuple[Line, Prepared]], Faults]:
    """Each request that creates an answer, as one tenant sends them one after another."""
    faults = Faults()
    within = context(policy, faults)

    async def all_of_them() -> list[tuple[Line, Prepared]]:
        found: list[tuple[Line, Prepared]] = []
        for line in rows:
            dialect = recognise(line.path) if line.method == "POST" else None
            if dialect is not None:
                request = Request("recorded", dialect, line.path, line.body, b"one tenant")
                found.append((line, await exchange.prepare(request, within, NOW + gap * len(found))))
        return found

    return asyncio.run(all_of_them()), faults


def test_every_recorded_file_is_listed(shared: Path) -> None:
    there = {path.relative_to(shared).as_posix().removesuffix(".jsonl.gz") for path in shared.glob("c*/*.jsonl.gz")}
    assert there == {*FILES, *(f"captures/{name}" for name in ELSEWHERE)}


@every_file
def test_with_policies_off_the_very_same_object_leaves(shared: Path, file: str) -> None:
    found, faults = prepared(lines(shared, file), OFF)
    assert [line.number for line, done in found if done.body is not line.body] == []
    assert faults.seen == []


@every_file
@pytest.mark.parametrize("way", WAYS)
def test_with_policies_on_it_is_legal_and_every_change_has_its_entry(shared: Path, file: str, way: str) -> None:
    found, faults = prepared(lines(shared, file), *WAYS[way])
    assert faults.seen == []
    complaints = [f"{file}:{line.number}: {what}" for line, done in found for what in wrong(line, done)]
    assert complaints == []


def wrong(line: Line, done: Prepared) -> Iterator[str]:
    """What is not as it should be with one request."""
    if done.planned is None or not touched(done):
        if done.body is not line.body:
            yield "no entry, yet other bytes"
        return
    yield from unexplained(line, done)
    if any(index > first_edit(done) for index in bound_reasoning(done)):
        yield "edited before reasoning that is bound to its prefix"
    seals, dialect = known(line.body), done.request.dialect.name
    if not refusal(dialect, line, line.body, seals) and (why := refusal(dialect, line, done.body, seals)):
        yield f"legal before, refused now: {why}"


def touched(done: Prepared) -> set[int]:
    """The messages that the plan says it changes, as indices into the body's list."""
    assert done.planned
    plan, lead = done.planned.plan, done.planned.seen.lead
    edits = {placed.message for placed in plan.in_force}
    markers = (marker.message for marker in plan.markers)
    outside = {OUTSIDE} if plan.members or kept_head(done) else set()
    return {lead + index for index in (*edits, *plan.replayed, *markers)} | outside | kept_leads(done)


def kept_head(done: Prepared) -> bool:
    """Whether the head went out as it was sent before."""
    return done.plan is not None and any(kept.verdict == "applied" for kept in done.plan.heads)


def kept_leads(done: Prepared) -> set[int]:
    """The system messages at the front of the list, where they belong to a head that was kept."""
    return set(range(done.planned.seen.lead)) if done.planned and kept_head(done) else set()


def unexplained(line: Line, done: Prepared) -> Iterator[str]:
    """Differences that the plan does not name, and edits that it names but does not make."""
    key, changed = done.request.dialect.list_key, touched(done)
    before, after = split(line.body, key), split(done.body, key)
    heads = [done.request.dialect.head(cut.rest, line.path, len) for cut in (before, after)]
    if OUTSIDE not in changed and before.rest != after.rest or len(before.elements) != len(after.elements):
        yield "changed outside the messages"
        return
    same = (heads[0].tools_hash, heads[0].system_hash) == (heads[1].tools_hash, heads[1].system_hash)
    if not same and not kept_head(done):
        yield "the head says something else"
    differs = {
        index
        for index, (old, new) in enumerate(zip(before.elements, after.elements, strict=True))
        if bytes(old) != bytes(new)
    }
    if differs - changed:
        yield f"messages {sorted(differs - changed)} changed without an entry"
    yield from missing(done, [bytes(one) for one in after.elements])


def missing(done: Prepared, after: list[bytes]) -> Iterator[str]:
    """What the edits of each block come to, where it does not stand in what was sent."""
    assert done.planned
    blocks: dict[tuple[int, int], list[Edit]] = {}
    for placed in done.planned.plan.in_force:
        blocks.setdefault((placed.message, placed.block), []).append(placed.edit)
    for (message, _), edits in blocks.items():
        made, raw = compose(edits), after[done.planned.seen.lead + message]
        for text in (*([] if made.text is None else [made.text]), *made.notes):
            if msgspec.json.encode(text)[1:-1] not in raw and json.dumps(text).encode()[1:-1] not in raw:
                yield f"the edit of message {message} was not made"


def first_edit(done: Prepared) -> int:
    assert done.planned
    return min((placed.message for placed in done.planned.plan.in_force), default=10**9)


def bound_reasoning(done: Prepared) -> list[int]:
    assert done.planned
    if done.planned.seen.profile.binds_reasoning == "no":
        return []
    messages = done.planned.seen.conversation.messages
    return [index for index, message in enumerate(messages) if any(block.bound for block in message.blocks)]


def test_the_recorded_requests_are_enough_to_judge_by(shared: Path) -> None:
    """That the tests above are not empty: most originals are legal here, and eager masking edits many."""
    legal = edited = total = 0
    for file in FILES:
        for line, done in prepared(lines(shared, file), EAGER)[0]:
            total += 1
            if done.planned is None:
                continue
            legal += not refusal(done.request.dialect.name, line, line.body, known(line.body))
            edited += bool(done.planned.plan.in_force)
    print(f"{total} requests, {legal} legal as recorded, {edited} edited by the eager policy")
    assert total > 600
    assert legal > 0.8 * total
    assert edited > 100

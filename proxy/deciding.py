"""One turn being decided: what the policies propose, what the plan says, and what is kept of it before it leaves.

First come the edits of what was never sent (fresh.py: shapes, notes at the tail), which are applied at once; then
the proposals that wait for their moment, which count from what those leave.

Rules of this room: a plan that cannot be kept, read back or checked is given up, and the turn goes on
with what was in force before it; the worst case is the original bytes. It must not know HTTP.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec.structs import replace

from policies.breakpoints import KEY
from policies.core.edits import Decision, Edit, Placed, locate
from policies.core.health import answered
from policies.core.index import force_of
from policies.core.lineage import Lineage, Record, held_after, with_fresh
from policies.core.minimum import cacheable
from policies.core.plan import Plan
from policies.core.planner import Terms, plan
from policies.core.profile import Profile
from policies.mask import Mask
from policies.policy import Policy
from policies.routes import mask_for
from proxy.archive import Archive
from proxy.comparing import Asked, news_of
from proxy.describing import reader
from proxy.dialects import Count
from proxy.diverging import breaks, said
from proxy.errors import StoreError
from proxy.fresh import fresh
from proxy.judging import begin_of
from proxy.lineages import Place, hashes_of
from proxy.memo import Memo, Turn
from proxy.opening import Opening
from proxy.originals import abouts, in_folder
from proxy.pinning import Chosen, unchanged
from proxy.reading import LARGE, Seen
from proxy.store import Store
from proxy.writing import Illegal, original, replays, write

log = logging.getLogger("holdfast.deciding")

PATIENCE = 2.0
"""Seconds for a write to store or archive that should take a millisecond."""

Mode = Literal["enforce", "shadow", "off"]


class Degraded(Protocol):
    """Who is told what was left undone. Never raises."""

    def degraded(self, what: str, reason: str) -> None:
        """Something was left undone so that the request could go on. Both are short fixed words."""
        ...


class Rooms(Protocol):
    """What keeps a turn."""

    @property
    def store(self) -> Store: ...

    @property
    def archive(self) -> Archive: ...

    @property
    def memo(self) -> Memo: ...

    @property
    def witness(self) -> Degraded: ...

    @property
    def counter(self) -> Callable[[Profile], Count]:
        """By profile: how tokens are counted."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Case:
    """One turn while it is being decided."""

    rooms: Rooms
    asked: Asked
    """As received."""
    chosen: Chosen
    """Under the head that is sent."""
    place: Place
    lineage: Lineage
    policy: Policy
    mode: Mode
    now: float
    rewritten: dict[int, bytes]
    """Messages as edited on the turn before; brought up to this turn when the body is written."""

    @property
    def seen(self) -> Seen:
        """Under the head that is sent."""
        return self.chosen.seen

    @property
    def body(self) -> bytes:
        """Likewise."""
        return self.chosen.body

    offered: bool = False
    """A tool of Holdfast's own was added to the client's."""


def tell(witness: Degraded, what: str, reason: str) -> None:
    """Count what was left undone; where even counting fails, the request goes on."""
    with suppress(Exception):
        witness.degraded(what, reason)


def _by_tool(policy: Policy) -> Callable[[str], Mask] | None:
    return (lambda tool: mask_for(policy, tool)) if policy.per_tool else None


async def deciding(case: Case) -> Plan:
    """`decide`, in a thread where so much is new that it would hold up every other stream."""
    new = case.seen.trail.messages[case.lineage.common :]
    large = sum(len(message.raw) for message in new) > LARGE
    return await asyncio.to_thread(decide, case) if large else decide(case)


def decide(case: Case, *, new: bool = True) -> Plan:
    """The plan. `new` False: what is in force stays, nothing is added."""
    proposals: Sequence[Placed] = ()
    first: tuple[Placed, ...] = ()
    left: tuple[Decision, ...] = ()
    if new and case.mode != "off" and case.place.retry is None:
        opening = _opening(case)
        first = in_folder(fresh(opening), case.rooms.archive.folder)
        first, left = cacheable(case.seen.conversation, case.lineage, first, case.seen.profile, case.seen.trail.index)
        proposals = case.policy.mask.propose(
            case.seen.conversation,
            with_fresh(case.lineage, first),
            _by_tool(case.policy),
            case.seen.trail.index,
            reader(opening),
        )
        proposals = in_folder(proposals, case.rooms.archive.folder)
    mark = new and case.mode != "off" and case.policy.breakpoints.auto
    terms = Terms(case.policy.mask.when, case.policy.limits.effective, case.policy.mask.keep_newest, mark)
    seen, asked = case.seen, case.asked
    own = None if seen is asked.seen else (asked.seen.conversation, asked.lineage)
    decided = plan(
        seen.conversation, case.lineage, proposals, seen.profile, case.now, terms, seen.trail.index, first, own
    )
    decided = replace(
        decided,
        decisions=(*left, *decided.decisions),
        heads=case.chosen.heads,
        withdrawn=case.chosen.withdrawn,
    )
    if new and case.place.retry:
        decided = replace(decided, markers=case.place.retry.markers or decided.markers)
    if new and case.mode == "enforce":
        decided = _with_members(case, decided)
    if case.mode == "enforce" and case.policy.stabilize.replay:
        return replace(decided, replayed=replays(case.seen))
    return decided


def _opening(case: Case) -> Opening:
    seen = case.seen
    # What stands before the newest answer was read by other ways, and reasoning may be bound to it.
    begin = max(begin_of(seen, case.place, case.lineage), answered(seen.conversation))
    return Opening(
        seen, case.place, case.lineage, case.policy, begin, case.rooms.counter(seen.profile), case.chosen.notes
    )


def _with_members(case: Case, decided: Plan) -> Plan:
    """With the fields and headers by which the request finds its cache."""
    parent = case.place.retry or case.place.parent
    root = parent.record.root if parent else case.place.key
    conversation, profile = case.seen.conversation, case.seen.profile
    asked = conversation, case.lineage, profile, root
    members, headers = case.policy.breakpoints.members(*asked), case.policy.breakpoints.headers(*asked)
    key = dict(members).get(KEY, "") or dict(headers).get(profile.cache_header, "")
    return replace(decided, members=members, headers=headers, sent=replace(decided.sent, key=key))


async def commit(case: Case, decided: Plan) -> tuple[Plan, bytes, Turn]:
    """Make the plan durable and turn it into bytes; give up what cannot be kept, checked or read back."""
    final, body, turn = await _committed(case, decided)
    parent = case.place.retry or case.place.parent
    if found := breaks(case.asked.seen, case.asked.lineage, parent, final, case.lineage.changed):
        final = replace(final, breaks=found)
    return final, body, turn or _remember(case, final)


async def _committed(case: Case, decided: Plan) -> tuple[Plan, bytes, Turn | None]:
    if case.mode != "enforce":
        return decided, case.asked.body, None
    step = "archive_put"
    try:
        body = write(case.seen, case.body, decided, case.rewritten)
        if not decided.applied:
            return decided, body, None
        await _archive(case, decided)
        step = "put"
        turn = await _keep(case, decided)
        if turn.record.edits != _added(decided):
            decided = _adopted(decided, turn)
            case.rewritten.clear()
            body = write(case.seen, case.body, decided, case.rewritten)
        return decided, body, turn
    except Illegal as error:
        log.warning("a rewrite breaks a rule and is not sent: %s", error.rule)
        tell(case.rooms.witness, "rule", error.rule)
    except (StoreError, TimeoutError) as error:
        log.warning("edits cannot be kept, so none are added: %s", error)
        tell(case.rooms.witness, "store", step)
    return _without(case)


def _without(case: Case) -> tuple[Plan, bytes, Turn | None]:
    """The same turn with nothing new; the original where what is in force is itself the trouble."""
    if case.chosen.notes:  # without its note another head would keep something from the model
        case = _as_it_came(case)
    fallback = decide(case, new=False)
    case.rewritten.clear()
    try:
        return fallback, write(case.seen, case.body, fallback, case.rewritten), None
    except Illegal:
        case.rewritten.clear()
        case = _as_it_came(case)
        none = replace(case.lineage, placed=(), force=None, waiting=())
        return decide(dataclasses.replace(case, lineage=none, mode="off"), new=False), case.body, None


def _as_it_came(case: Case) -> Case:
    """The turn under the client's own head."""
    chosen = unchanged(case.asked)
    return dataclasses.replace(case, chosen=chosen, lineage=chosen.lineage)


async def _archive(case: Case, decided: Plan) -> None:
    """INVARIANT: RECOVERABLE; what is elided is kept before the request leaves."""
    new = {decision.edit for decision in decided.applied if decision.edit.archive_id}
    taken = [placed for placed in decided.in_force if placed.edit in new]
    if not taken:
        return
    texts = [original(case.seen, placed) for placed in taken]
    about = tuple(abouts(case.seen, taken, _session(case)))
    async with asyncio.timeout(PATIENCE):
        ids = await case.rooms.archive.put(case.lineage.tenant, texts, case.now, about)
    if ids != tuple(placed.edit.archive_id for placed in taken):
        raise StoreError("the archive names an original otherwise than its placeholder does")


async def _keep(case: Case, decided: Plan) -> Turn:
    """INVARIANT: STICKY; a turn that adds edits is in the store before it is sent, and the first write wins."""
    record = _record(case, decided)
    async with asyncio.timeout(PATIENCE):
        stored = await case.rooms.store.put(record)
    placed = decided.in_force
    if stored.edits != record.edits:
        earlier = [item.edit for item in case.lineage.placed]
        placed = locate(case.seen.conversation.messages, (*earlier, *stored.edits))
    turn = _turn(case, decided, stored, placed)
    turn.stored = True
    return turn


def _adopted(decided: Plan, turn: Turn) -> Plan:
    """The plan with the edits of the replica that was first."""
    taken = tuple(Decision(edit, "applied", "adopted") for edit in turn.record.edits)
    return replace(decided, decisions=taken, in_force=turn.placed)


def _remember(case: Case, decided: Plan) -> Turn:
    """Keep a turn that adds no edits in memory; the store gets it when it is settled."""
    if case.place.retry is not None:
        return case.place.retry
    return _turn(case, decided, _record(case, decided), decided.in_force)


def _turn(case: Case, decided: Plan, record: Record, placed: tuple[Placed, ...]) -> Turn:
    """The turn as the memo keeps it, so that the next one begins where it ended."""
    force, parent = case.lineage.force if placed is case.lineage.placed else None, case.place.parent
    received = {**(parent.said if parent else {}), **record.said}
    news, listed = news_of(case.asked) if case.policy.tools.catalogue else ("", frozenset())
    turn = Turn(
        record,
        placed,
        decided.ledger,
        force=force or force_of(placed),
        waiting=decided.waiting,
        keys=case.seen.trail.keys,
        rewritten=case.rewritten,
        markers=decided.markers,
        said=received,
        held=held_after(parent.sent_as(case.mode) if parent else {}, received, record.held),
        news=news,
        listed=listed,
    )
    case.rooms.memo.record(case.seen.tree, case.seen.trail, turn, case.place.parent)
    return turn


def _record(case: Case, decided: Plan) -> Record:
    seen, parent = case.asked.seen, case.place.parent.record if case.place.parent else None
    head, base, nodes = seen.conversation.head, case.place.common, seen.trail.nodes
    return Record(
        key=case.place.key,
        tenant=case.lineage.tenant,
        prefix=nodes[-1].prefix,
        parent=parent.key if parent else None,
        root=_root(case),
        session=_session(case),
        turn=case.lineage.turn + 1,
        at=case.now,
        model=head.model,
        head=hashes_of(head),
        base=base,
        count=len(nodes),
        sent=tuple(node.message.raw for node in nodes[base:]),
        edits=_added(decided),
        ledger=decided.ledger,
        last=decided.sent,
        mode=case.mode,
        offered=case.offered,
        said=said(seen, case.place.parent),
        held=dict(case.chosen.held),
        sent_head=hashes_of(case.seen.conversation.head) if case.chosen.held else None,
    )


def _added(decided: Plan) -> tuple[Edit, ...]:
    return tuple(decision.edit for decision in decided.applied)


def _root(case: Case) -> bytes:
    return case.place.parent.record.root if case.place.parent else case.place.key


def _session(case: Case) -> str:
    """As the client calls it, or by the beginning of its lineage."""
    return case.lineage.session or _root(case).hex()[:12]

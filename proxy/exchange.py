"""The one driver: `prepare` before a request leaves, `settle` after its answer has passed.

Shared by every front end and by replay. Neither ever raises: the worst case of `prepare` is the
original bytes, of `settle` a lost number. It must not know HTTP: a front end hands over the body,
decoded, and what it found in headers.
"""

import asyncio
import dataclasses
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from msgspec.structs import replace

from policies.core.edits import Decision, Edit, Placed, locate
from policies.core.lineage import Lineage, Outcome, Record
from policies.core.plan import Plan
from policies.core.planner import Terms, plan
from policies.core.profile import Profile
from policies.core.usage import Usage, input_cost, output_cost
from policies.mask import Mask
from policies.policy import Policy
from policies.routes import in_holdout, mask_for
from proxy.archive import Archive
from proxy.dialects import Count, Dialect
from proxy.errors import DialectError, StoreError
from proxy.lineages import Place, head_key, lineage_at, place_key, resolve
from proxy.memo import Memo, Turn
from proxy.reading import Seen, read
from proxy.store import Store
from proxy.writing import Illegal, original, replays, write

log = logging.getLogger("holdfast.exchange")

PATIENCE = 2.0
"""Seconds for a write to store or archive that should take a millisecond."""

Mode = Literal["enforce", "shadow", "off"]


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request that creates a model answer, as a front end hands it over. Never shown: it holds a credential."""

    upstream: str
    """The configured upstream's name."""
    dialect: Dialect
    path: str
    """Below the upstream, for instance "/v1/messages"."""
    body: bytes
    """Decoded (no content encoding)."""
    credential: bytes = b""
    """The whole credential as sent; only its HMAC is ever kept."""
    session: str = ""
    """What the client calls this session, from a header; empty where it says nothing."""
    agent: str = "unknown"
    policy: str = ""
    """Policy asked for by header: a configured name, "off", or empty."""


@dataclass(frozen=True, slots=True, repr=False)
class Planned:
    """What `settle` needs to know of a turn that was planned."""

    tenant: bytes
    seen: Seen
    policy: Policy
    mode: Mode
    plan: Plan
    turn: Turn


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """What goes upstream. `body` is the very same object as the request's where nothing was edited."""

    request: Request
    body: bytes
    headers: tuple[tuple[str, str], ...]
    """Response headers to add: x-holdfast-session, -turn, -plan, or x-holdfast-passthrough."""
    passthrough: str = ""
    """Why nothing could be planned; empty where the request was planned."""
    planned: Planned | None = None

    @property
    def plan(self) -> Plan | None:
        return self.planned.plan if self.planned else None


@dataclass(frozen=True, slots=True, repr=False)
class Settled:
    """One exchange as accounted for. Costs are in the profile's unit; None where usage was not reported."""

    prepared: Prepared
    usage: Usage | None
    status: int
    actual: float | None = None
    direct: float | None = None
    """What it would have cost without Holdfast: as reported, plus what the plan says its edits changed."""


class Witness(Protocol):
    """Counts what happens. Never raises."""

    def accounted(self, settled: Settled) -> None: ...

    def degraded(self, what: str, reason: str) -> None:
        """Something was left undone so that the request could go on. Both are short fixed words."""
        ...


@dataclass(slots=True, repr=False)
class Context:
    """Everything the driver uses that is not in the request."""

    store: Store
    archive: Archive
    memo: Memo
    profile: Callable[[str, str], Profile]
    """By model name and upstream name."""
    counter: Callable[[Profile], Count]
    policy: Callable[[Request, str], Policy]
    """By request and model name."""
    witness: Witness
    tenant_key: bytes = b"holdfast"
    """Key of the HMAC that makes a tenant of a credential."""
    tenants: dict[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Case:
    """One turn while it is being decided."""

    request: Request
    context: Context
    seen: Seen
    place: Place
    lineage: Lineage
    policy: Policy
    mode: Mode
    now: float


async def prepare(request: Request, context: Context, now: float) -> Prepared:
    """Decide what is sent. Never raises. `now`: seconds since the epoch at the request's start."""
    try:
        return await _prepare(request, context, now)
    except DialectError as error:
        return _passed(request, error.reason)
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # INVARIANT: FAIL-OPEN; a tokenizer's panic is no Exception
        log.exception("a fault while planning; the original request is sent")
        context.witness.degraded("prepare", type(fault).__name__)
        return _passed(request, "fault")


async def settle(prepared: Prepared, context: Context, usage: Usage | None, now: float, *, status: int = 200) -> None:
    """Account for an answer that has passed. Never raises. `usage`: as reported, None where it was not."""
    try:
        await _settle(prepared, context, usage, status)
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # INVARIANT: FAIL-OPEN
        log.exception("a fault while accounting; the answer was relayed, its numbers are lost")
        context.witness.degraded("settle", type(fault).__name__)


def tenant_of(context: Context, credential: bytes) -> bytes:
    """HMAC of the whole credential (32 bytes). INVARIANT: ISOLATED."""
    tenant = context.tenants.get(credential)
    if tenant is None:
        if len(context.tenants) >= 10_000:
            context.tenants.clear()
        tenant = hmac.digest(context.tenant_key, credential, "sha256")
        context.tenants[credential] = tenant
    return tenant


async def _prepare(request: Request, context: Context, now: float) -> Prepared:
    tenant = tenant_of(context, request.credential)
    seen = await read(
        request.dialect,
        request.body,
        request.path,
        tenant,
        request.upstream,
        context.memo,
        lambda model: context.profile(model, request.upstream),
        context.counter,
    )
    if not seen.path:
        return _passed(request, "no_messages")
    policy = context.policy(request, seen.conversation.head.model)
    place = await _place(context, tenant, seen)
    mode = _mode(policy, place)
    case = Case(
        request, context, seen, place, lineage_at(seen, place, tenant, request.session, mode), policy, mode, now
    )
    decided, body, turn = await _commit(case, _decide(case))
    turn = turn or _remember(case, decided)
    planned = Planned(tenant, seen, policy, mode, decided, turn)
    return Prepared(request, body, _headers(turn.record, decided, mode), planned=planned)


async def _place(context: Context, tenant: bytes, seen: Seen) -> Place:
    """Where the request stands; a new lineage where the store fails."""
    try:
        return await resolve(seen, tenant, context.memo, context.store, context.counter(seen.profile))
    except (StoreError, TimeoutError) as error:
        log.warning("the store cannot be read, the lineage starts anew: %s", error)
        context.witness.degraded("store", "find")
        return Place(place_key(seen))


def _mode(policy: Policy, place: Place) -> Mode:
    if policy.mode != "enforce" or policy.holdout == 0.0:
        return policy.mode
    root = place.parent.record.root if place.parent else place.key
    return "shadow" if in_holdout(root.hex(), policy.holdout) else "enforce"


def _by_tool(policy: Policy) -> Callable[[str], Mask] | None:
    return (lambda tool: mask_for(policy, tool)) if policy.per_tool else None


def _decide(case: Case, *, new: bool = True) -> Plan:
    """The plan. `new` False: what is in force stays, nothing is added."""
    proposals: Sequence[Placed] = ()
    if new and case.mode != "off" and case.place.retry is None:
        proposals = case.policy.mask.propose(case.seen.conversation, case.lineage, _by_tool(case.policy))
    terms = Terms(case.policy.mask.when, case.policy.limits.effective, case.policy.mask.keep_newest)
    decided = plan(case.seen.conversation, case.lineage, proposals, case.seen.profile, case.now, terms)
    if case.mode == "enforce" and case.policy.stabilize.replay:
        return replace(decided, replayed=replays(case.seen))
    return decided


async def _commit(case: Case, decided: Plan) -> tuple[Plan, bytes, Turn | None]:
    """Make the plan durable and turn it into bytes; give up what cannot be kept, checked or read back."""
    if case.mode != "enforce":
        return decided, case.request.body, None
    try:
        body = write(case.seen, case.request.body, decided)
        if not decided.applied:
            return decided, body, None
        await _archive(case, decided)
        turn = await _keep(case, decided)
        if turn.record.edits != _added(decided):
            decided = _adopted(decided, turn)
            body = write(case.seen, case.request.body, decided)
        return decided, body, turn
    except Illegal as error:
        log.warning("a rewrite breaks a rule and is not sent: %s", error.rule)
        case.context.witness.degraded("rule", error.rule)
    except (StoreError, TimeoutError) as error:
        log.warning("edits cannot be kept, so none are added: %s", error)
        case.context.witness.degraded("store", "put")
    return _without(case)


def _without(case: Case) -> tuple[Plan, bytes, Turn | None]:
    """The same turn with nothing new; the original where what is in force is itself the trouble."""
    fallback = _decide(case, new=False)
    try:
        return fallback, write(case.seen, case.request.body, fallback), None
    except Illegal:
        bare = dataclasses.replace(case, lineage=replace(case.lineage, placed=()), mode="off")
        return _decide(bare, new=False), case.request.body, None


async def _archive(case: Case, decided: Plan) -> None:
    """INVARIANT: RECOVERABLE; what is elided is kept before the request leaves."""
    new = {decision.edit.anchor for decision in decided.applied}
    taken = [placed for placed in decided.in_force if placed.edit.anchor in new]
    texts = [original(case.seen, placed) for placed in taken]
    async with asyncio.timeout(PATIENCE):
        ids = await case.context.archive.put(case.lineage.tenant, texts, case.now)
    if ids != tuple(placed.edit.archive_id for placed in taken):
        raise StoreError("the archive names an original otherwise than its placeholder does")


async def _keep(case: Case, decided: Plan) -> Turn:
    """INVARIANT: STICKY; a turn that adds edits is in the store before it is sent, and the first write wins."""
    record = _record(case, decided)
    async with asyncio.timeout(PATIENCE):
        stored = await case.context.store.put(record)
    placed = decided.in_force
    if stored.edits != record.edits:
        earlier = [item.edit for item in case.lineage.placed]
        placed = locate(case.seen.conversation.messages, (*earlier, *stored.edits))
    turn = Turn(stored, placed, decided.ledger, stored=True)
    case.context.memo.record(case.seen.path, turn, head_key(case.seen.conversation.head))
    return turn


def _adopted(decided: Plan, turn: Turn) -> Plan:
    """The plan with the edits of the replica that was first."""
    taken = tuple(Decision(edit, "applied", "adopted") for edit in turn.record.edits)
    return replace(decided, decisions=taken, in_force=turn.placed)


def _remember(case: Case, decided: Plan) -> Turn:
    """Keep a turn that adds no edits in memory; the store gets it when it is settled."""
    if case.place.retry is not None:
        return case.place.retry
    turn = Turn(_record(case, decided), decided.in_force, decided.ledger)
    case.context.memo.record(case.seen.path, turn, head_key(case.seen.conversation.head))
    return turn


def _record(case: Case, decided: Plan) -> Record:
    seen, parent = case.seen, case.place.parent.record if case.place.parent else None
    head, base = seen.conversation.head, case.lineage.common
    root = parent.root if parent else case.place.key
    return Record(
        key=case.place.key,
        tenant=case.lineage.tenant,
        prefix=seen.path[-1].node.prefix,
        parent=parent.key if parent else None,
        root=root,
        session=case.lineage.session or root.hex()[:12],
        turn=case.lineage.turn + 1,
        at=case.now,
        model=head.model,
        head=(head.tools_hash, head.system_hash, head.parameters_hash),
        base=base,
        count=len(seen.path),
        sent=tuple(step.node.message.raw for step in seen.path[base:]),
        edits=_added(decided),
        ledger=decided.ledger,
        last=decided.sent,
        mode=case.mode,
    )


def _added(decided: Plan) -> tuple[Edit, ...]:
    return tuple(decision.edit for decision in decided.applied)


async def _settle(prepared: Prepared, context: Context, usage: Usage | None, status: int) -> None:
    planned = prepared.planned
    if planned is None:
        context.witness.accounted(Settled(prepared, usage, status))
        return
    settled = _costed(prepared, planned, usage, status)
    context.witness.accounted(settled)
    turn = planned.turn
    if usage is not None:
        spent = turn.ledger.output_usd + output_cost(planned.seen.profile, usage)
        turn.ledger = replace(turn.ledger, output_usd=spent)
    await _persist(context, planned.tenant, turn, usage, status, settled.actual or 0.0)


def _costed(prepared: Prepared, planned: Planned, usage: Usage | None, status: int) -> Settled:
    if usage is None or usage.input is None:
        return Settled(prepared, usage, status)
    profile = planned.seen.profile
    actual = input_cost(profile, usage) + output_cost(profile, usage)
    edited = planned.plan.sent.tokens != planned.plan.sent.received_tokens and planned.mode == "enforce"
    direct = actual + (planned.plan.direct_usd - planned.plan.actual_usd if edited else 0.0)
    return Settled(prepared, usage, status, actual, direct)


async def _persist(context: Context, tenant: bytes, turn: Turn, usage: Usage | None, status: int, cost: float) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            if not turn.stored:
                await context.store.put(replace(turn.record, ledger=turn.ledger))
                turn.stored = True
            seen = usage or Usage()
            outcome = Outcome(status, seen.input, seen.cache_read, seen.cache_write, seen.output, cost)
            await context.store.put_outcome(tenant, turn.record.key, outcome)
    except (StoreError, TimeoutError) as error:
        log.warning("a turn cannot be kept; after a restart its lineage begins one turn earlier: %s", error)
        context.witness.degraded("store", "settle")


def _headers(record: Record, decided: Plan, mode: Mode) -> tuple[tuple[str, str], ...]:
    summary = decided.summary() if mode == "enforce" else f"mode={mode}; {decided.summary()}"
    return (
        ("x-holdfast-session", _visible(record.session)),
        ("x-holdfast-turn", str(record.turn)),
        ("x-holdfast-plan", summary),
    )


def _passed(request: Request, reason: str) -> Prepared:
    return Prepared(request, request.body, (("x-holdfast-passthrough", reason),), passthrough=reason)


def _visible(name: str) -> str:
    """A session's name as a header value."""
    return "".join(char if " " <= char <= "~" else "?" for char in name)[:200]

"""The one driver: `prepare` before a request leaves, `settle` after its answer has passed.

Shared by every front end and by replay. Neither ever raises: the worst case of `prepare` is the
original bytes, of `settle` a lost number. It must not know HTTP: a front end hands over the body,
decoded, and what it found in headers.
"""

import asyncio
import dataclasses
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from policies.core.health import Signal
from policies.core.lineage import Lineage, Record, Sent
from policies.core.outcome import Outcome
from policies.core.plan import Plan
from policies.core.profile import Profile
from policies.core.usage import Usage, input_cost, output_cost
from policies.policy import Policy
from policies.routes import in_holdout
from proxy.answering.offering import answered_here, fits, offered, tool_cost, with_tool
from proxy.archive import Archive
from proxy.comparing import Asked
from proxy.deciding import PATIENCE, Case, Degraded, Mode, commit, deciding, tell
from proxy.diagnosing import asking, question
from proxy.dialects import Count, Dialect
from proxy.errors import DialectError, StoreError
from proxy.judging import begin_of, health_of
from proxy.lineages import Place, lineage_at, remembered, resolve
from proxy.memo import Memo, Turn
from proxy.pinning import choose
from proxy.reading import Reader, Seen
from proxy.reckoning import Reckoned, reckon
from proxy.resuming import resumed
from proxy.store import Store
from proxy.storytelling import story_of
from proxy.teaching import learned, teach

log = logging.getLogger("holdfast.exchange")


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
    signed: bool = False
    """A signature covers the body: it is measured, never edited, and nothing is remembered of it."""
    answers: bool = False
    """The front end can send further requests for this one: to answer calls of tools, or without a question."""


@dataclass(frozen=True, slots=True, repr=False)
class Planned:
    """What `settle` needs to know of a turn that was planned."""

    tenant: bytes
    seen: Seen
    policy: Policy
    mode: Mode
    plan: Plan
    turn: Turn
    before: Sent | None = None
    """What the provider saw last on this lineage."""
    reported: int | None = None
    """The size of that, as the provider reported it."""
    begin: int = 0
    """The first message that the turn before did not hold."""
    again: bool = False
    """The same request was planned before."""


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
    answers: frozenset[str] = frozenset()
    """Tools whose calls Holdfast answers; the agent sees none of them."""
    plain: bytes | None = None
    """The same without a question to the provider, to be sent where that is refused; None: nothing is asked."""
    refused: bool = False
    """It was answered without that question alone, once its answer has passed."""
    further: tuple[Usage, ...] = ()
    """Of the requests that it made for this, once its answer has passed."""

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
    """What it would have cost without Holdfast: see `_direct`."""
    reckoned: Reckoned | None = None
    """What the cache gave and lost; None where that is not known, or nothing was sent as planned."""
    health: tuple[Signal, ...] = ()
    """Signs of trouble in the context that began with this turn."""

    @property
    def unmeasured(self) -> bool:
        """Whether the provider answered and stated no usage: in a stream, where the client did not ask for it."""
        return 200 <= self.status < 300 and (self.usage is None or self.usage.input is None)


class Witness(Degraded, Protocol):
    """Counts what happens. Never raises."""

    def accounted(self, settled: Settled) -> None: ...


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
    unasked: set[str] = field(default_factory=set)
    """Upstreams that have refused a question for their diagnosis."""


async def prepare(request: Request, context: Context, now: float) -> Prepared:
    """Decide what is sent. Never raises. `now`: seconds since the epoch at the request's start."""
    try:
        return await _prepare(request, context, now)
    except DialectError as error:
        return passed(request, error.reason)
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # INVARIANT: FAIL-OPEN; a tokenizer's panic is no Exception
        log.exception("a fault while planning; the original request is sent")
        tell(context.witness, "prepare", type(fault).__name__)
        return passed(request, "fault")


async def settle(prepared: Prepared, context: Context, usage: Usage | None, now: float, *, status: int = 200) -> None:
    """Account for an answer that has passed. Never raises. `usage`: as reported, None where it was not."""
    try:
        await _settle(prepared, context, usage, status)
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # INVARIANT: FAIL-OPEN
        log.exception("a fault while accounting; the answer was relayed, its numbers are lost")
        tell(context.witness, "settle", type(fault).__name__)


def tenant_of(context: Context, credential: bytes) -> bytes:
    """HMAC of the whole credential (32 bytes). INVARIANT: ISOLATED."""
    tenant = context.tenants.get(credential)
    if tenant is None:
        if len(context.tenants) >= 10_000:
            context.tenants.clear()
        tenant = hmac.digest(context.tenant_key, credential, "sha256")
        context.tenants[credential] = tenant
    return tenant


def passed(request: Request, reason: str) -> Prepared:
    """A request that is sent as it came, and why nothing looks into it."""
    return Prepared(request, request.body, (("x-holdfast-passthrough", reason),), passthrough=reason)


async def _prepare(request: Request, context: Context, now: float) -> Prepared:
    if request.signed:
        raise DialectError("signed_body")
    tenant = tenant_of(context, request.credential)
    reader = Reader(
        context.memo,
        tenant,
        request.upstream,
        lambda model: context.profile(model, request.upstream),
        context.counter,
    )
    seen = await reader.read(request.dialect, request.body, request.path)
    if not seen.trail.nodes:
        return passed(request, "no_messages")
    policy = context.policy(request, seen.conversation.head.model)
    place = await _place(context, tenant, seen)
    mode, body = _mode(policy, place), request.body
    may = request.answers and mode == "enforce"
    has_tool = offered(seen, place, request.path, may and policy.recall.inject)
    offering = may and has_tool and fits(seen, request.path)
    if offering:
        body = with_tool(seen, body)
        seen = await reader.read(request.dialect, body, request.path)
        place = await _place(context, tenant, seen)
    place = resumed(seen, place, context.memo, replayed=mode == "enforce" and policy.stabilize.replay)
    lineage = lineage_at(seen, place, tenant, request.session, mode)
    taught = await learned(context, seen, place, policy, mode, (tenant, request.agent), now)
    asked = Asked(reader, seen, place, lineage, policy, mode, body, request.path, now, taught)
    chosen = choose(asked, lambda rule: tell(context.witness, "rule", rule))
    seen, lineage = chosen.seen, chosen.lineage
    case = Case(context, asked, chosen, place, lineage, policy, mode, now, _rewritten(seen, place, lineage), has_tool)
    decided, body, turn = await commit(case, await deciding(case))
    begin, again = begin_of(seen, place, lineage), place.retry is not None
    last = place.retry or place.parent
    reported = last.input if last else None
    planned = Planned(tenant, seen, policy, mode, decided, turn, lineage.last, reported, begin, again)
    headers = _headers(turn.record, decided, mode)
    if decided.losses:
        log.info("cached input is lost: session `%s`, turn %s, %s", *(value for _, value in headers))
    answers = answered_here(seen, request.path, offering, decided.withdrawn) if request.answers else frozenset()
    prepared = Prepared(request, body, headers, planned=planned, answers=answers)
    asks = policy.explain.ask_provider and mode == "enforce" and request.answers
    return _asking(prepared, seen, place) if asks and request.upstream not in context.unasked else prepared


def _asking(prepared: Prepared, seen: Seen, place: Place) -> Prepared:
    """With the question why the provider has missed its cache, where it can be asked."""
    member = question(seen, prepared.request.path, place.parent.answer if place.parent else "")
    if not member:
        return prepared
    *headers, (name, plan) = prepared.headers
    told = (*headers, (name, f"{plan}; asks=diagnosis"))
    return dataclasses.replace(prepared, body=asking(prepared.body, member), headers=told, plain=prepared.body)


def _rewritten(seen: Seen, place: Place, lineage: Lineage) -> dict[int, bytes]:
    """The edited messages of the turn before, as far as this request spells them as that one did."""
    turn = place.retry or place.parent
    if turn is None or lineage.placed is not turn.placed:
        return {}
    now, before = seen.trail.keys, turn.keys
    return {index: raw for index, raw in turn.rewritten.items() if now[index] == before[index]}


async def _place(context: Context, tenant: bytes, seen: Seen) -> Place:
    """Where the request stands; as far as this process knows where the store fails."""
    try:
        return await resolve(seen, tenant, context.memo, context.store, context.counter(seen.profile))
    except (StoreError, TimeoutError) as error:
        log.warning("the store cannot be read, so only what this process knows counts: %s", error)
        tell(context.witness, "store", "find")
        return remembered(seen, context.memo)


def _mode(policy: Policy, place: Place) -> Mode:
    if policy.mode != "enforce" or policy.holdout == 0.0 or (place.parent and place.parent.record.offered):
        return policy.mode
    root = place.parent.record.root if place.parent else place.key
    return "shadow" if in_holdout(root.hex(), policy.holdout) else "enforce"


async def _settle(prepared: Prepared, context: Context, usage: Usage | None, status: int) -> None:
    planned = prepared.planned
    settled = _judged(prepared, planned, usage, status) if planned else Settled(prepared, usage, status)
    if settled.unmeasured:
        log.info("an answer of upstream `%s` states no usage, so it is in no figure", prepared.request.upstream)
    context.witness.accounted(settled)
    if prepared.refused:
        context.unasked.add(prepared.request.upstream)
        log.warning(
            "upstream `%s` refuses a question for its diagnosis: it is asked no more", prepared.request.upstream
        )
        tell(context.witness, "rule", "diagnosis_refused")
    if planned is None:
        return
    turn = planned.turn
    if settled.health and not planned.again:
        signs = ", ".join(f"{one.sign} ({one.what})" for one in settled.health)
        where = _visible(turn.record.session), turn.record.turn
        log.info("signs of trouble in a context: session `%s`, turn %s, %s", *where, signs)
    if usage is not None:
        turn.answer, turn.input = usage.answer or "", usage.input
        spent = turn.ledger.output_usd + output_cost(planned.seen.profile, usage)
        turn.ledger = replace(turn.ledger, output_usd=spent)
    await _persist(context, planned, _outcome(settled, planned), prepared.request.agent)


def _health(planned: Planned) -> tuple[Signal, ...]:
    """What begins with the turn, by what was sent."""
    in_force = planned.plan.in_force if planned.mode == "enforce" else ()
    limit = planned.seen.profile.limit(planned.policy.limits.effective)
    return health_of(planned.seen, in_force, limit, planned.begin)


def _judged(prepared: Prepared, planned: Planned, usage: Usage | None, status: int) -> Settled:
    return dataclasses.replace(_costed(prepared, planned, usage, status), health=_health(planned))


def _costed(prepared: Prepared, planned: Planned, usage: Usage | None, status: int) -> Settled:
    if usage is None or usage.input is None:
        return Settled(prepared, usage, status)
    profile = planned.seen.profile
    actual = input_cost(profile, usage) + output_cost(profile, usage)
    sent = planned.mode != "shadow" and status < 400
    reckoned = reckon(planned.plan, profile, usage, planned.reported) if sent else None
    further = sum(input_cost(profile, one) + output_cost(profile, one) for one in prepared.further)
    direct = _direct(planned, usage, actual) - tool_cost(planned.seen, prepared.answers, usage)
    return Settled(prepared, usage, status, actual + further, direct, reckoned)


def _direct(planned: Planned, usage: Usage, actual: float) -> float:
    """What the call would have cost without Holdfast.

    Where only edits made a difference: as reported, plus what they changed by the plan's estimate, brought to
    the size that the provider reported. Where markers did, what was reported is no measure of a request
    without them, so the estimate stands alone: a read that was planned and did not come is not counted as saved.
    """
    plan = planned.plan
    if planned.mode != "enforce":
        return actual
    scale = (usage.input or 0) / max(1, plan.sent.tokens)
    if plan.ledger.markers_usd:  # INVARIANT: HONEST
        return plan.direct_usd * scale + output_cost(planned.seen.profile, usage)
    edited = plan.sent.tokens != plan.sent.received_tokens
    return actual + (plan.direct_usd - plan.actual_usd) * scale if edited else actual


def _outcome(settled: Settled, planned: Planned) -> Outcome:
    request, usage = settled.prepared.request, settled.usage or Usage()
    story = story_of(planned.plan, planned.seen, planned.turn.record.turn, planned.before, settled.reckoned)
    return Outcome(
        settled.status,
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.output,
        settled.actual or 0.0,
        settled.direct,
        replace(
            story,
            agent=request.agent,
            upstream=request.upstream,
            dialect=request.dialect.name,
            policy=planned.policy.name,
            health=settled.health,
            diagnosis=usage.diagnosis or "",
        ),
    )


async def _persist(context: Context, planned: Planned, outcome: Outcome, agent: str) -> None:
    turn = planned.turn
    try:
        async with asyncio.timeout(PATIENCE):
            if not turn.stored:
                kept = await context.store.put(replace(turn.record, ledger=turn.ledger))
                turn.keep(kept, planned.seen.conversation.messages)
            await context.store.put_outcome(planned.tenant, turn.record.key, outcome)
            if 200 <= outcome.status < 300:
                await teach(context, planned.seen, turn, planned.plan, (planned.tenant, agent))
    except (StoreError, TimeoutError) as error:
        log.warning("a turn cannot be kept; after a restart its lineage begins one turn earlier: %s", error)
        tell(context.witness, "store", "settle")


def _headers(record: Record, decided: Plan, mode: Mode) -> tuple[tuple[str, str], ...]:
    summary = decided.summary() if mode == "enforce" else f"mode={mode}; {decided.summary()}"
    return (
        ("x-holdfast-session", _visible(record.session)),
        ("x-holdfast-turn", str(record.turn)),
        ("x-holdfast-plan", summary),
    )


def _visible(name: str) -> str:
    """A session's name as a header value."""
    return "".join(char if " " <= char <= "~" else "?" for char in name)[:200]

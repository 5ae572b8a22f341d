"""Which head is sent: the client's, or the one that the provider holds.

Rules of this room: the answer follows from the head last sent, the head received, the settings and what the
provider still caches, so it is the same after a restart, on another replica and in a fork; a retry sends what
its first try sent. A head is put back in the bytes of its first sending and read back; where anything else
came out of it, the client's own goes. Policies say what may be kept, the planner what keeping it saves.
"""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from policies.core.conversation import Head
from policies.core.edits import Verdict
from policies.core.heads import Part
from policies.core.lineage import Lineage
from policies.core.notes import Note, tail
from policies.core.plan import Kept, Plan
from policies.core.planner import Terms, horizon, plan
from policies.core.profile import MILLION, Breakpoints
from policies.stabilize import is_drift, note
from proxy.comparing import Asked, Parts, catalogued, differing, listed_again
from proxy.dialects.head_bytes import leads_of, part_values, with_values
from proxy.diverging import parts_of
from proxy.errors import DialectError
from proxy.judging import begin_of
from proxy.lineages import changed, first_picture
from proxy.memo import Turn
from proxy.reading import Seen
from proxy.writing import Illegal

log = logging.getLogger("holdfast.pinning")


FREE = ("respelled", "added")
"""Ways in which a head differs that are put right wherever that costs nothing: it is the same to the model."""


@dataclass(frozen=True, slots=True, repr=False)
class Chosen:
    """A turn under the head that is sent."""

    seen: Seen
    body: bytes
    lineage: Lineage
    """`changed` says in what the head sent differs from the one sent before."""
    heads: tuple[Kept, ...] = ()
    notes: tuple[Note, ...] = ()
    held: Parts = field(default_factory=dict)
    """For the record: the parts that are sent otherwise than received."""
    withdrawn: tuple[str, ...] = ()
    """Tools that are listed although the client has withdrawn them. They are disallowed."""


def choose(asked: Asked, violated: Callable[[str], None]) -> Chosen:
    """The head to send. `violated` is told the rule that a rewritten head broke; then the client's own is sent."""
    turn, plain = asked.turn, unchanged(asked)
    taught = asked.taught.head or asked.taught.tools
    if (turn is None and not taught) or asked.mode == "off" or asked.seen.conversation.head.stand_down:
        return plain
    try:
        if turn is None:
            return _begun(asked, plain)
        return _again(asked, turn, plain) if asked.place.retry else _chosen(asked, turn, plain)
    except (Illegal, DialectError, ValueError) as error:
        rule = error.rule if isinstance(error, Illegal) else "head_unreadable"
        log.warning("a head cannot be sent as before, and the client's own is: %s", rule)
        violated(rule)
        return plain


def unchanged(asked: Asked) -> Chosen:
    """The turn under the client's own head."""
    return Chosen(asked.seen, asked.body, _against(asked, asked.seen))


def _against(asked: Asked, seen: Seen) -> Lineage:
    """The lineage as it goes on under this head: what counts is how it differs from the one last sent."""
    turn = asked.turn
    if turn is None or (seen is asked.seen and turn.record.sent_head is None):
        return asked.lineage
    record = turn.record
    sent = record.sent_head if record.mode == asked.mode else None
    differs = changed(seen.conversation.head, record.model, sent or record.head)
    new = asked.place.retry is None and first_picture(seen, asked.place.common)
    return replace(asked.lineage, changed=differs or ("parameters" if new else ""))


def _again(asked: Asked, turn: Turn, plain: Chosen) -> Chosen:
    """A retry: what its first try sent."""
    received, held = parts_of(asked.seen), turn.record.held
    parts = [Part(name, target=turn.held[name]) for name in held if name == "system"]
    if "tools" in held:
        parts.append(listed_again(asked, turn.held["tools"], received["tools"]))
    if not parts:
        return plain
    return dataclasses.replace(_under(asked, parts), heads=_verdicts(parts, "applied", "again"))


def _begun(asked: Asked, plain: Chosen) -> Chosen:
    """A session that begins: with all tools that its agent came to list before, where that pays."""
    whole = catalogued(asked) if asked.taught.tools else None
    if whole is None:
        return _shared(asked, plain)
    if not whole.refusal:
        begun, tokens = _under(asked, [whole]), asked.seen.conversation.head.tokens
        prices = asked.seen.profile.prices_for(tokens)
        more = begun.seen.conversation.head.tokens - tokens
        if asked.taught.growth.outweighs(more, prices, horizon(asked.lineage.turn)):
            return dataclasses.replace(begun, heads=_verdicts([whole], "applied", ""))
    found = _shared(asked, plain)
    return dataclasses.replace(found, heads=(*_verdicts([whole], "rejected", "costs_more"), *found.heads))


def _shared(asked: Asked, plain: Chosen) -> Chosen:
    """A session that begins: with the head of the one before, where only what changes by itself is another.

    Not where a working directory or a git status is another: that is what the model looks for in its system prompt.
    """
    parts = differing(asked, _cut(asked.seen))
    if not parts or any(part.refusal or not part.volatile for part in parts):
        return plain
    pinned = _noted(asked, _under(asked, parts), note([part.drift for part in parts], ""))
    head, profile = asked.seen.conversation.head, asked.seen.profile
    prices = profile.prices_for(head.tokens)
    saved = head.tokens * (prices.input - prices.read) / MILLION
    if pinned is None or saved <= _price(asked, pinned, head.tokens):
        return plain
    return dataclasses.replace(pinned, heads=_verdicts(parts, "applied", "session", head.tokens))


def _chosen(asked: Asked, turn: Turn, plain: Chosen) -> Chosen:
    if asked.seen.conversation.head.model != turn.record.model:
        return plain
    if not turn.record.held and _same_bytes(asked):
        return plain
    parts = differing(asked, _cut(asked.seen))
    kept = [part for part in parts if not part.refusal]
    said = note([part.drift for part in kept], _last_note(asked.lineage) if turn.record.held else "")
    if not kept:
        back = _noted(asked, plain, said if not parts else "")
        return dataclasses.replace(back or plain, heads=_verdicts(parts, "rejected", ""))
    pinned = _noted(asked, _under(asked, kept), said)
    if pinned is None:
        return dataclasses.replace(plain, heads=_verdicts(parts, "rejected", "no_place"))
    return _cheaper(asked, plain, pinned, parts)


def _same_bytes(asked: Asked) -> bool:
    """Whether tools and system are those that the provider holds, byte for byte."""
    return all(asked.held.get(name) == raw for name, raw in _cut(asked.seen).items())


def _cut(seen: Seen) -> dict[str, bytes]:
    """Tools and system, in bytes."""
    return seen.dialect.cut_head(seen.cut, seen.lead)


def _under(asked: Asked, parts: Sequence[Part]) -> Chosen:
    """The turn with these parts for its head, read back. Raises Illegal or DialectError."""
    seen, dialect = asked.seen, asked.seen.dialect
    values = {path: raw for part in parts for path, raw in part.values.items()}
    leads: list[bytes] = []
    for part in parts:
        values |= part_values(getattr(dialect.fields, part.name), part.target)
        leads += leads_of(dialect.list_key, part.target) if part.name == "system" else []
    body = with_values(asked.body, seen.cut, values, leads)
    found = asked.reader.with_head(seen, body, asked.path)
    _check(asked, found, parts)
    withdrawn = tuple(name for part in parts for name in part.withdrawn)
    return Chosen(found, body, _against(asked, found), held=_held(asked, found, parts), withdrawn=withdrawn)


def _held(asked: Asked, found: Seen, parts: Sequence[Part]) -> Parts:
    """The parts that are sent otherwise than received; as empty bytes those that are sent as before."""
    sent = {part.name: part.target for part in parts}
    if found.conversation.head.parameters_hash != asked.seen.conversation.head.parameters_hash:
        sent["parameters"] = parts_of(found)["parameters"]
    before = asked.held if asked.turn else {}
    return {name: b"" if raw == before.get(name) else raw for name, raw in sent.items()}


def _check(asked: Asked, found: Seen, parts: Sequence[Part]) -> None:
    """INVARIANT: LEGAL; what is sent, read back, is what was chosen, and nothing but it has changed."""
    hashes = asked.reader.memo.hashes
    said = [hashes(one.cut.elements[one.lead :]) for one in (found, asked.seen)]
    if found.lead != asked.seen.lead or said[0] != said[1]:
        raise Illegal("messages_changed")
    if _cut(found) != {**_cut(asked.seen), **{part.name: part.target for part in parts}}:
        raise Illegal("head_changed")
    heads = found.conversation.head, asked.seen.conversation.head
    if heads[0].parameters_hash != heads[1].parameters_hash and not any(part.values for part in parts):
        raise Illegal("parameters_changed")
    _check_markers(*heads, asked.seen)


def _check_markers(head: Head, before: Head, seen: Seen) -> None:
    """With the markers that the client sent then, the request must be one that the provider takes now (T8)."""
    rule = seen.profile.cache
    if isinstance(rule, Breakpoints) and head.markers + seen.trail.index.markers > rule.limit:
        raise Illegal("too_many_markers")
    if before.markers and head.long != before.long:
        raise Illegal("marker_order")


def _noted(asked: Asked, chosen: Chosen, text: str) -> Chosen | None:
    """The turn with a note at its tail; None where there is no place for one."""
    if not text:
        return chosen
    seen = chosen.seen
    if tail(seen.conversation, begin_of(seen, asked.place, asked.lineage)) is None:
        return None
    said = Note("stabilize", text, asked.reader.counter(seen.profile)(text))
    return dataclasses.replace(chosen, notes=(said,))


def _last_note(lineage: Lineage) -> str:
    """The newest note on a changed head; empty where there is none."""
    found = (placed.edit.text for placed in reversed(lineage.placed) if placed.edit.kind == "stabilize")
    return next((text for text in found if is_drift(text)), "")


def _cheaper(asked: Asked, plain: Chosen, pinned: Chosen, parts: Sequence[Part]) -> Chosen:
    """The pinned head where it saves more than its note costs, now and as often as it is read again."""
    without, with_it = _plan(asked, plain), _plan(asked, pinned)
    price = _price(asked, pinned, with_it.sent.tokens)
    saved = with_it.achievable_tokens - without.achievable_tokens
    same = with_it.actual_usd <= without.actual_usd and not any(loss.cause == "ttl_expired" for loss in without.losses)
    free = same and not pinned.notes and all(part.word in FREE for part in parts if not part.refusal)
    if free or with_it.actual_usd + price < without.actual_usd:
        return dataclasses.replace(pinned, heads=_verdicts(parts, "applied", "", max(0, saved)))
    return dataclasses.replace(plain, heads=_verdicts(parts, "rejected", "costs_more" if saved > 0 else "not_cached"))


def _price(asked: Asked, pinned: Chosen, size: int) -> float:
    """Of the note, on this turn and as often as it is expected to be read again. `size`: of the request, in tokens."""
    prices, tokens = asked.seen.profile.prices_for(size), sum(each.tokens for each in pinned.notes)
    return tokens * (prices.input + horizon(asked.lineage.turn) * prices.read) / MILLION


def _plan(asked: Asked, chosen: Chosen) -> Plan:
    """What a turn costs under a head, without new edits."""
    terms = Terms(mark=asked.policy.breakpoints.auto)
    seen = chosen.seen
    return plan(seen.conversation, chosen.lineage, (), seen.profile, asked.now, terms, seen.trail.index)


def _verdicts(parts: Sequence[Part], verdict: Verdict, reason: str, tokens: int = 0) -> tuple[Kept, ...]:
    """What became of each part; of one that cannot be kept at all, why."""
    return tuple(
        Kept(part.kind, part.name, "rejected", part.refusal)
        if part.refusal
        else Kept(part.kind, part.name, verdict, reason or part.word, tokens)
        for part in parts
    )

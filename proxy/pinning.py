"""Which head is sent: the client's, or the one that the provider holds.

Rules of this room: the answer follows from the head last sent, the head received, the settings and what the
provider still caches, so it is the same after a restart, on another replica and in a fork; a retry sends what
its first try sent. A head is put back in the bytes of its first sending and read back; where anything else
came out of it, the client's own goes. Policies say what may be kept, the planner what keeping it saves.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from policies.core.edits import EditKind, Verdict
from policies.core.heads import Rewording, reworded_system, reworded_tools
from policies.core.lineage import Lineage
from policies.core.notes import Note, tail
from policies.core.plan import Kept, Plan
from policies.core.planner import Terms, horizon, plan
from policies.core.profile import MILLION, Breakpoints
from policies.policy import Policy
from policies.stabilize import harmless, is_drift, note, system_refusal, tools_refusal
from policies.tools import Change, change_of
from proxy.dialects.canonical import decode
from proxy.dialects.head_bytes import leads_of, part_values, with_values
from proxy.dialects.head_choice import CHOICE, PARALLEL, choice_of, no_tools, only_tools, with_added
from proxy.dialects.head_tools import is_marked, named_tools
from proxy.dialects.slices import Path
from proxy.diverging import parts_of, prompt_of
from proxy.errors import DialectError
from proxy.judging import begin_of
from proxy.lineages import Place, changed, first_picture
from proxy.memo import Turn
from proxy.reading import Reader, Seen

log = logging.getLogger("holdfast.pinning")

Parts = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A turn whose head is to be chosen."""

    reader: Reader
    seen: Seen
    place: Place
    lineage: Lineage
    policy: Policy
    mode: str
    body: bytes
    path: str
    now: float

    @property
    def turn(self) -> Turn | None:
        """The one that says what the provider holds."""
        return self.place.retry or self.place.parent

    @property
    def held(self) -> Parts:
        """What that one sent."""
        return self.turn.sent_as(self.mode) if self.turn else {}


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


class _Part(Struct, frozen=True):
    """One part that differs from what the provider holds."""

    name: str
    refusal: str = ""
    """Why it cannot be sent as before; empty where it can."""
    texts: tuple[Rewording, ...] = ()
    word: str = ""
    """How it differs, where it can."""
    kind: EditKind = "stabilize"
    target: bytes = b""
    """What to send of it."""


def choose(asked: Asked, violated: Callable[[str], None]) -> Chosen:
    """The head to send. `violated` is told the rule that a rewritten head broke; then the client's own is sent."""
    turn, plain = asked.turn, unchanged(asked)
    if turn is None or asked.mode == "off" or asked.seen.conversation.head.stand_down:
        return plain
    try:
        return _again(asked, turn, plain) if asked.place.retry else _chosen(asked, turn, plain)
    except (DialectError, ValueError) as error:
        rule = error.reason if isinstance(error, DialectError) else "head_unreadable"
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
    return _under(asked, turn.held) if turn.record.held else plain


def _chosen(asked: Asked, turn: Turn, plain: Chosen) -> Chosen:
    if asked.seen.conversation.head.model != turn.record.model:
        return plain
    received, held = parts_of(asked.seen), asked.held
    parts = tuple(_parts(asked, received, held))
    kept = {part.name for part in parts if not part.refusal}
    texts = tuple(text for part in parts if part.name in kept for text in part.texts)
    said = note(texts, _last_note(asked.lineage) if turn.record.held else "")
    if not kept:
        back = _noted(asked, plain, said if not parts else "")
        return dataclasses.replace(back or plain, heads=_verdicts(parts, "rejected", ""))
    target = {**received, **{part.name: part.target for part in parts if part.name in kept}}
    pinned = _noted(asked, _under(asked, target), said)
    if pinned is None:
        return dataclasses.replace(plain, heads=_verdicts(parts, "rejected", "no_place"))
    return _cheaper(asked, plain, pinned, parts)


def _parts(asked: Asked, received: Parts, held: Parts) -> Iterator[_Part]:
    """What differs of tools and system, compared."""
    policy = asked.policy
    wanted = {"tools": policy.stabilize.pin_tools or policy.tools.append_only, "system": policy.stabilize.pin_system}
    for name, compare in (("tools", _tools), ("system", _system)):
        now, before = received[name], held.get(name, b"")
        if wanted[name] and now != before:
            known = now.startswith(b"{") and before.startswith(b"{")
            found = compare(asked, before, now) if known else _Part(name, "unknown")
            if found is not None:
                yield found


def _tools(asked: Asked, before: bytes, now: bytes) -> _Part | None:
    """None where there is nothing to keep: the client's markers have moved, and are no part of the prompt."""
    names = asked.seen.dialect.fields.tools
    old, new = (named_tools(names, part) for part in (before, now))
    change = None if old is None or new is None else change_of(old, new)
    if old is None or new is None or change is None:
        return _Part("tools", "unknown")
    stay = set(change.stay)
    texts = reworded_tools(*([tool for tool in tools if tool[0] in stay] for tools in (old, new)))
    refusal = "other_tools" if texts is None else tools_refusal(texts)
    if refusal or texts is None:
        return _Part("tools", refusal)
    if texts and not asked.policy.stabilize.pin_tools:
        return None
    if change.withdrawn or change.added:
        return _listed(asked, change, before, now, texts)
    if not texts and [name for name, _ in old] == [name for name, _ in new]:
        return None if is_marked(before) or is_marked(now) else _Part("tools", word="respelled", target=before)
    return _Part("tools", "", texts, "reworded" if texts else "reordered", target=before)


def _listed(asked: Asked, change: Change, before: bytes, now: bytes, texts: tuple[Rewording, ...]) -> _Part | None:
    """A list of other tools: those before stay where they are, and what comes in stands behind them."""
    if not asked.policy.tools.append_only:
        return _Part("tools", "other_tools")
    if change.withdrawn and _restricted(asked, change, now) is None:
        return _Part("tools", "no_restriction", kind="tools")
    if not change.added:
        return _Part("tools", "", texts, "withdrawn", "tools", before)
    names = asked.seen.dialect.fields.tools
    new = [name for name, _ in named_tools(names, now) or ()]
    try:
        target = with_added(names, before, now, [new.index(name) for name in change.added])
    except (DialectError, ValueError):
        return _Part("tools", "several_lists", kind="tools")
    return _Part("tools", "", texts, "added", "tools", target)


def _restricted(asked: Asked, change: Change, now: bytes) -> dict[Path, bytes] | None:
    """Members that disallow what the client has withdrawn; None where there is no way."""
    seen, dialect = asked.seen, asked.seen.dialect.name
    if not change.stay and not change.added:
        parameters = (seen.dialect.prompt(seen.cut.rest).parameters, _parameters(asked.held))
        return no_tools(dialect, *parameters)
    if dialect not in seen.profile.takes_allowed_tools:
        return None
    lists = (decode(raw) for raw in part_values(seen.dialect.fields.tools, now).values())
    tools = [tool for listed in lists if isinstance(listed, list) for tool in listed]
    return only_tools(dialect, tools, choice_of(seen.cut.rest))


def _parameters(held: Parts) -> Mapping[str, object]:
    known = decode(held.get("parameters") or b"{}")
    return known if isinstance(known, dict) else {}


def _system(asked: Asked, before: bytes, now: bytes) -> _Part | None:
    """Likewise."""
    texts = reworded_system(*(prompt_of(asked.seen.dialect, "system", part).system for part in (before, now)))
    if texts is None:
        return _Part("system", "other_blocks")
    if not texts:
        return None if is_marked(before) or is_marked(now) else _Part("system", word="respelled", target=before)
    refusal = system_refusal(texts, len(before.decode(errors="replace")))
    return _Part("system", refusal, texts, "harmless" if harmless(texts) else "reworded", target=before)


def _under(asked: Asked, target: Parts) -> Chosen:
    """The turn with these parts for its head, read back. Raises DialectError."""
    seen, dialect, received = asked.seen, asked.seen.dialect, parts_of(asked.seen)
    differs = [name for name in ("tools", "system") if target[name] != received[name]]
    change = _withdrawn(asked, target["tools"], received["tools"]) if "tools" in differs else None
    values = (_restricted(asked, change, received["tools"]) or {}) if change else {}
    for name in differs:
        values |= part_values(getattr(dialect.fields, name), target[name])
    leads = leads_of(dialect.list_key, target["system"]) if "system" in differs else []
    body = with_values(asked.body, seen.cut, values, leads)
    found = asked.reader.with_head(seen, body, asked.path)
    _check(asked, found, target)
    sent, before = parts_of(found), asked.held
    held = {name: b"" if raw == before.get(name) else raw for name, raw in sent.items() if raw != received[name]}
    return Chosen(found, body, _against(asked, found), held=held, withdrawn=change.withdrawn if change else ())


def _withdrawn(asked: Asked, sent: bytes, received: bytes) -> Change | None:
    """What is listed although the client no longer lists it."""
    old, new = (named_tools(asked.seen.dialect.fields.tools, part) for part in (sent, received))
    change = None if old is None or new is None else change_of(old, new)
    return change if change and change.withdrawn else None


def _check(asked: Asked, found: Seen, target: Parts) -> None:
    """INVARIANT: LEGAL; what is sent, read back, is what was chosen, and nothing but it has changed."""
    sent = parts_of(found)
    if any(sent[name] != target[name] for name in ("tools", "system")):
        raise DialectError("head_changed")
    now, before = (one.dialect.prompt(one.cut.rest).parameters for one in (found, asked.seen))
    if any(now.get(name) != before.get(name) for name in {*now, *before} - {CHOICE[0], PARALLEL}):
        raise DialectError("parameters_changed")
    _check_markers(found)


def _check_markers(seen: Seen) -> None:
    """With the markers that the client sent then, the request must be one that the provider takes now (T8)."""
    rule, head = seen.profile.cache, seen.conversation.head
    if isinstance(rule, Breakpoints) and head.markers + seen.trail.index.markers > rule.limit:
        raise DialectError("too_many_markers")


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


def _cheaper(asked: Asked, plain: Chosen, pinned: Chosen, parts: Sequence[_Part]) -> Chosen:
    """The pinned head where it saves more than its note costs, now and as often as it is read again."""
    without, with_it = _plan(asked, plain), _plan(asked, pinned)
    prices, tokens = asked.seen.profile.prices_for(with_it.sent.tokens), sum(each.tokens for each in pinned.notes)
    price = tokens * (prices.input + horizon(asked.lineage.turn) * prices.read) / MILLION
    saved = with_it.achievable_tokens - without.achievable_tokens
    free = not pinned.notes and with_it.actual_usd <= without.actual_usd and all(part.word == "added" for part in parts)
    if free or with_it.actual_usd + price < without.actual_usd:
        return dataclasses.replace(pinned, heads=_verdicts(parts, "applied", "", max(0, saved)))
    return dataclasses.replace(plain, heads=_verdicts(parts, "rejected", "costs_more" if saved > 0 else "not_cached"))


def _plan(asked: Asked, chosen: Chosen) -> Plan:
    """What a turn costs under a head, without new edits."""
    terms = Terms(mark=asked.policy.breakpoints.auto)
    seen = chosen.seen
    return plan(seen.conversation, chosen.lineage, (), seen.profile, asked.now, terms, seen.trail.index)


def _verdicts(parts: Sequence[_Part], verdict: Verdict, reason: str, tokens: int = 0) -> tuple[Kept, ...]:
    """What became of each part; of one that cannot be kept at all, why."""
    return tuple(
        Kept(part.kind, part.name, "rejected", part.refusal)
        if part.refusal
        else Kept(part.kind, part.name, verdict, reason or part.word, tokens)
        for part in parts
    )

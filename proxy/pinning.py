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

from policies.core.edits import Verdict
from policies.core.heads import Rewording, reworded_system, reworded_tools
from policies.core.lineage import Lineage
from policies.core.notes import Note, tail
from policies.core.plan import Kept, Plan
from policies.core.planner import Terms, horizon, plan
from policies.core.profile import MILLION, Breakpoints
from policies.policy import Policy
from policies.stabilize import harmless, is_drift, note, system_refusal, tools_refusal
from proxy.dialects import Dialect
from proxy.dialects.head_bytes import leads_of, part_values, with_values
from proxy.dialects.head_tools import is_marked, named_tools
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


class _Part(Struct, frozen=True):
    """One part that differs from what the provider holds."""

    name: str
    refusal: str = ""
    """Why it cannot be sent as before; empty where it can."""
    texts: tuple[Rewording, ...] = ()
    word: str = ""
    """How it differs, where it can."""


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
    return _under(asked, turn.held, turn.record.held) if turn.record.held else plain


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
    target = {name: held[name] if name in kept else raw for name, raw in received.items()}
    pinned = _noted(asked, _under(asked, target, dict.fromkeys(kept, b"")), said)
    if pinned is None:
        return dataclasses.replace(plain, heads=_verdicts(parts, "rejected", "no_place"))
    return _cheaper(asked, plain, pinned, parts)


def _parts(asked: Asked, received: Parts, held: Parts) -> Iterator[_Part]:
    """What differs of tools and system, compared."""
    settings = asked.policy.stabilize
    for name, wanted, compare in (("tools", settings.pin_tools, _tools), ("system", settings.pin_system, _system)):
        now, before = received[name], held.get(name, b"")
        if wanted and now != before:
            known = now.startswith(b"{") and before.startswith(b"{")
            found = compare(asked.seen.dialect, before, now) if known else _Part(name, "unknown")
            if found is not None:
                yield found


def _tools(dialect: Dialect, before: bytes, now: bytes) -> _Part | None:
    """None where there is nothing to keep: the client's markers have moved, and are no part of the prompt."""
    old, new = (named_tools(dialect.fields.tools, part) for part in (before, now))
    if old is None or new is None:
        return _Part("tools", "unknown")
    texts = reworded_tools(old, new)
    if texts is None:
        return _Part("tools", "other_tools")
    if not texts and [name for name, _ in old] == [name for name, _ in new]:
        return None if is_marked(before) or is_marked(now) else _Part("tools", word="respelled")
    return _Part("tools", tools_refusal(texts), texts, "reworded" if texts else "reordered")


def _system(dialect: Dialect, before: bytes, now: bytes) -> _Part | None:
    """Likewise."""
    texts = reworded_system(*(prompt_of(dialect, "system", part).system for part in (before, now)))
    if texts is None:
        return _Part("system", "other_blocks")
    if not texts:
        return None if is_marked(before) or is_marked(now) else _Part("system", word="respelled")
    refusal = system_refusal(texts, len(before.decode(errors="replace")))
    return _Part("system", refusal, texts, "harmless" if harmless(texts) else "reworded")


def _under(asked: Asked, target: Parts, held: Parts) -> Chosen:
    """The turn with these parts for its head, read back. Raises DialectError."""
    seen, dialect, received = asked.seen, asked.seen.dialect, parts_of(asked.seen)
    differs = [name for name in ("tools", "system") if target[name] != received[name]]
    values = {
        path: raw for name in differs for path, raw in part_values(getattr(dialect.fields, name), target[name]).items()
    }
    leads = leads_of(dialect.list_key, target["system"]) if "system" in differs else []
    body = with_values(asked.body, seen.cut, values, leads)
    found = asked.reader.with_head(seen, body, asked.path)
    if parts_of(found) != {**received, **{name: target[name] for name in differs}}:
        raise DialectError("head_changed")
    _check_markers(found)
    return Chosen(found, body, _against(asked, found), held=held)


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
    if with_it.actual_usd + price < without.actual_usd:
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
        Kept("stabilize", part.name, "rejected", part.refusal)
        if part.refusal
        else Kept("stabilize", part.name, verdict, reason or part.word, tokens)
        for part in parts
    )

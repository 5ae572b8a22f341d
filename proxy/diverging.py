"""Where a turn parts from what the provider was sent before, on the client's side and on Holdfast's own.

Rules of this room: nothing is decided here, and nothing is compared where nothing changed, so a turn that
only grows costs nothing. What is not known any more (a head too large to be kept) is named without excerpts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from msgspec.structs import replace

from policies.core.divergence import Difference, Prompt, Segment, divergence
from policies.core.heads import reworded_system, spans
from policies.core.lineage import Lineage
from policies.core.plan import Break, Cause, Plan
from proxy.dialects import Dialect
from proxy.dialects.canonical import canonical, decode
from proxy.dialects.head_bytes import leads_of
from proxy.errors import DialectError
from proxy.lineages import COMPARED, hashes_of
from proxy.memo import Turn
from proxy.reading import Seen
from proxy.writing import edited

KEPT = 1_000_000
"""Bytes of one part of a head that are kept for a later comparison."""

_CHANGED: Mapping[Segment, Cause] = {
    "model": "model_changed",
    "tools": "tools_changed",
    "system": "system_changed",
    "parameters": "parameters_changed",
}


def said(seen: Seen, parent: Turn | None) -> dict[str, bytes]:
    """The parts of the head that are not as the turn before said them; empty bytes for one that is too large."""
    if parent and parent.said and parent.record.head == hashes_of(seen.conversation.head):
        return {}
    known = parent.said if parent else {}
    return {name: text for name, text in parts_of(seen).items() if text != known.get(name)}


def parts_of(seen: Seen) -> dict[str, bytes]:
    """The parts of a head, as they are kept."""
    if not seen.parts:
        seen.parts.update(_cut(seen))
    return seen.parts


def _cut(seen: Seen) -> dict[str, bytes]:
    try:
        parts = seen.dialect.cut_head(seen.cut, seen.lead)
    except DialectError:  # a key that occurs twice below the top: no bytes of it can be put anywhere
        parts = {"tools": b"", "system": b""}
    parts["parameters"] = canonical(seen.dialect.prompt(seen.cut.rest).parameters)
    return {name: text if len(text) <= KEPT else b"" for name, text in parts.items()}


def prompt_of(dialect: Dialect, segment: str, part: bytes) -> Prompt:
    """One part of a head as values. Raises DialectError or ValueError."""
    if segment == "parameters" or not part.startswith(b"{"):
        return _part(cast(Segment, segment), decode(part))
    head = dialect.prompt(part)
    leads = (dialect.said(raw) for raw in leads_of(dialect.list_key, part))
    return replace(head, system=(*head.system, *leads))


def breaks(seen: Seen, lineage: Lineage, parent: Turn | None, plan: Plan, sent: str | None = None) -> tuple[Break, ...]:
    """The first change of each party. Of a cache that time has emptied there is nothing to say.

    `sent`: in what the head that is sent differs from the one sent before; None: as the one received does.
    """
    if parent is None or any(loss.cause == "ttl_expired" for loss in plan.losses):
        return ()
    ours = (_edited(seen, plan, loss.cause) for loss in plan.losses if loss.cause.startswith("policy_"))
    given_up = _given_up(lineage, lineage.changed if sent is None else sent)
    return tuple(filter(None, (_client(seen, lineage, parent), given_up, *ours)))


def _client(seen: Seen, lineage: Lineage, parent: Turn) -> Break | None:
    if lineage.changed:
        segment = cast(Segment, lineage.changed)
        return Break(_CHANGED[segment], "client", _in_head(seen, segment, parent))
    if lineage.complete:
        return None
    before = parent.messages_from(lineage.common, COMPARED)
    after = [message.raw for message in seen.trail.messages[lineage.common : lineage.common + COMPARED]]
    return Break("history_edited", "client", _in_messages(seen, lineage.common, before, after))


def _given_up(lineage: Lineage, sent: str) -> Break | None:
    """A head that was sent as before for some turns goes out as the client has it, which has not changed now."""
    if not sent or lineage.changed:
        return None
    segment = cast(Segment, sent)
    return Break(_CHANGED[segment], "stabilize", Difference(segment, 0, "", "changed", "", ""))


def _in_head(seen: Seen, segment: Segment, parent: Turn) -> Difference:
    if segment == "model":
        return Difference("model", 0, "", "changed", parent.record.model, seen.conversation.head.model)
    if segment == "parameters" and parent.record.head[2] == seen.conversation.head.parameters_hash:
        return Difference("parameters", 0, "images", "inserted", "", "the first image of the conversation")
    text = parent.said.get(segment)
    if not text:
        return Difference(segment, 0, "", "changed", "", "")
    before, after = prompt_of(seen.dialect, segment, text), _part(segment, getattr(_prompt(seen), segment))
    found = divergence(before, after) or Difference(segment, 0, "", "changed", "", "")
    return replace(found, passing=_passing(before.system, after.system))


def _part(segment: Segment, value: object) -> Prompt:
    """A prompt of one part."""
    return replace(Prompt(), **{segment: tuple(value) if isinstance(value, list) else value})


def _in_messages(seen: Seen, index: int, before: Sequence[bytes], after: Sequence[bytes]) -> Difference:
    """Of messages that stand at `index` behind the leading system messages; places are those in the request's list."""
    old, new = (tuple(map(seen.dialect.said, side)) for side in (before, after))
    found, place = divergence(Prompt(messages=old), Prompt(messages=new)), seen.lead + index
    if found is None:
        return Difference("messages", place, "", "changed", "", "")
    here = slice(found.index, found.index + 1)
    return replace(found, index=place + found.index, passing=_passing(old[here], new[here]))


def _passing(before: Sequence[object], after: Sequence[object]) -> bool:
    """Whether nothing differs but what changes by itself."""
    texts = reworded_system(before, after) or ()
    return bool(texts) and all(span.volatile for text in texts for span in spans(text))


def _edited(seen: Seen, plan: Plan, cause: Cause) -> Break | None:
    """The first block that this turn's edits changed. In the message that holds it earlier edits may stand."""
    kind = cause.removeprefix("policy_")
    new = {decision.edit for decision in plan.applied if decision.edit.kind == kind}
    first = next((placed for placed in plan.in_force if placed.edit in new), None)
    if first is None:  # what another replica planned is in force, and it changes nothing here
        return None
    here = [placed for placed in plan.in_force if placed.message == first.message]
    raw = seen.trail.messages[first.message].raw
    before, after = ([placed for placed in here if placed.edit not in left_out] for left_out in (new, ()))
    sides = (edited(seen.dialect, raw, side) for side in (before, after))
    where = _in_messages(seen, first.message, *([side] for side in sides))
    return Break(cause, kind, where)


def _prompt(seen: Seen) -> Prompt:
    head = seen.dialect.prompt(seen.cut.rest)
    leads: Iterator[object] = (seen.dialect.said(bytes(one)) for one in seen.cut.elements[: seen.lead])
    return replace(head, system=(*head.system, *leads))

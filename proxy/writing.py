"""From a plan to bytes: edits spliced in between untouched ranges, and read back before they leave.

Rules of this room: no edits, the very same object. A message is edited once and then handed from turn
to turn, so a sticky edit costs nothing. A rewrite that breaks a rule raises Illegal.
"""

from collections.abc import Mapping, Sequence

from policies.core.conversation import Message
from policies.core.edits import Composed, Edit, Placed, compose
from policies.core.plan import HEAD, Marker, Plan
from policies.core.rules import marker_violations, message_violations, order_violations
from proxy.dialects import Dialect
from proxy.dialects.slices import splice
from proxy.errors import DialectError
from proxy.reading import Seen


class Illegal(Exception):
    """A rewritten request that the provider would refuse. `rule` is a short fixed word."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


def replays(seen: Seen) -> tuple[int, ...]:
    """Messages whose bytes changed though their content did not, and which can be sent as they were first.

    Where cache markers are involved the client's own bytes go out: markers are no part of the prompt.
    """
    trail = seen.trail
    return tuple(
        index
        for index in trail.variants
        if not _marked(trail.messages[index]) and not _marked(trail.nodes[index].message)
    )


def write(seen: Seen, body: bytes, plan: Plan, rewritten: dict[int, bytes]) -> bytes:
    """The body to send. Raises Illegal.

    `rewritten`: messages as edited on the turn before, by index; is brought up to this turn.
    """
    rule, index = seen.profile.cache, seen.trail.index
    rules = (
        *marker_violations(rule, seen.conversation.head.markers + index.markers, plan.markers),
        *order_violations(rule, seen.conversation, index, plan.markers),
    )
    if rules:
        raise Illegal(rules[0])
    try:
        _rewrite(seen, plan, rewritten)
        written = splice(body, seen.cut, _replacements(seen, plan, rewritten))
        return _with_members(_with_head(seen, body, written, plan), plan.members)
    except DialectError as error:
        raise Illegal(error.reason) from error


def original(seen: Seen, placed: Placed) -> bytes:
    """The text that an edit takes away, as the model read it."""
    return seen.dialect.original(seen.trail.messages[placed.message].raw, placed.block).encode("utf-8", "replace")


def edited(dialect: Dialect, raw: bytes, placed: Sequence[Placed]) -> bytes:
    """A message with its edits. Raises DialectError."""
    composed = _composed(placed)
    texts = tuple((block, each.text) for block, each in composed.items() if each.text is not None)
    raw = dialect.replace(raw, texts)
    for block, each in composed.items():
        for note in each.notes:
            raw = dialect.append(raw, block, note)
    return raw


def _rewrite(seen: Seen, plan: Plan, rewritten: dict[int, bytes]) -> None:
    """Bring the edited messages up to date: what this turn's edits touch, and what was never made."""
    new = {decision.edit for decision in plan.applied}
    fresh = {placed.message for placed in plan.in_force if placed.message not in rewritten or placed.edit in new}
    if not fresh:
        return
    edits: dict[int, list[Placed]] = {}
    for placed in plan.in_force:
        if placed.message in fresh:
            edits.setdefault(placed.message, []).append(placed)
    for message, placed_here in edits.items():
        rewritten[message] = _edited(seen, message, placed_here, message in plan.replayed)


def _replacements(seen: Seen, plan: Plan, rewritten: Mapping[int, bytes]) -> Mapping[int, bytes]:
    """New bytes by index into the body's list."""
    new = {index: seen.trail.nodes[index].message.raw for index in plan.replayed}
    new.update(rewritten)
    for marker in plan.markers:
        if marker.message != HEAD:
            new[marker.message] = _with_marker(seen, new.get(marker.message), marker)
        elif seen.lead:
            new[HEAD] = _with_marked_lead(seen, marker)
    return {seen.lead + index: raw for index, raw in new.items()} if seen.lead else new


def _with_marked_lead(seen: Seen, marker: Marker) -> bytes:
    """The last of the system messages at the front of the list, with a marker on its last block."""
    raw = bytes(seen.cut.elements[seen.lead - 1])
    before = seen.dialect.message(raw, len)
    marked = seen.dialect.mark(raw, before.blocks[-1].index, marker.long)
    if message_violations(before, seen.dialect.message(marked, len), ()):
        raise Illegal("marker_changed_content")
    return marked


def _with_head(seen: Seen, body: bytes, written: bytes, plan: Plan) -> bytes:
    """The body with the head's marker, where the head does not end in the list.

    Positions in what is not the list are known from the body as it came; behind the list they are counted
    from the end.
    """
    marker = next((marker for marker in plan.markers if marker.message == HEAD), None)
    if marker is None or seen.lead:
        return written
    start, end, new = seen.dialect.mark_head(seen.cut.rest, marker.long)
    if start >= seen.cut.begin:
        moved = len(written) - len(seen.cut.rest)
        start, end = start + moved, end + moved
    return written[:start] + new + written[end:]


def _with_members(body: bytes, members: Sequence[tuple[str, str]]) -> bytes:
    """The body with further top-level fields behind its own."""
    if not members:
        return body
    end = body.rindex(b"}")
    added = b"".join(b',"%b":"%b"' % (name.encode(), value.encode()) for name, value in members)
    return body[:end] + added + body[end:]


def _edited(seen: Seen, message: int, placed: Sequence[Placed], replayed: bool) -> bytes:
    """The message with its edits, read back and checked."""
    before = seen.trail.nodes[message].message if replayed else seen.trail.messages[message]
    raw = edited(seen.dialect, before.raw, placed)
    replaced = {item.block for item in placed if item.edit.way == "replace"}
    noted = {block: each for block, each in _composed(placed).items() if each.notes}
    if found := message_violations(before, seen.dialect.message(raw, len), replaced, noted):
        raise Illegal(found[0])
    for block, each in noted.items():
        if seen.dialect.original(raw, block) != each.over(seen.dialect.original(before.raw, block)):
            raise Illegal("note_misplaced")
    return raw


def _composed(placed: Sequence[Placed]) -> dict[int, Composed]:
    """What these edits of one message make of each of its blocks."""
    edits: dict[int, list[Edit]] = {}
    for item in placed:
        edits.setdefault(item.block, []).append(item.edit)
    return {block: compose(each) for block, each in edits.items()}


def _with_marker(seen: Seen, raw: bytes | None, marker: Marker) -> bytes:
    """The message with one more marker, read back and checked."""
    before = raw or seen.trail.messages[marker.message].raw
    marked = seen.dialect.mark(before, marker.block, marker.long)
    if message_violations(seen.dialect.message(before, len), seen.dialect.message(marked, len), ()):
        raise Illegal("marker_changed_content")
    return marked


def _marked(message: Message) -> bool:
    return any(block.marked for block in message.blocks)

"""From a plan to bytes: edits spliced in between untouched ranges, and read back before they leave.

Rules of this room: no edits, the very same object. What a message looks like with given edits is made
once and remembered, so a sticky edit costs a look-up. A rewrite that breaks a rule raises Illegal.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from policies.core.conversation import Kind
from policies.core.edits import Placed
from policies.core.plan import Marker, Plan
from policies.core.rules import marker_violations, message_violations
from proxy.dialects.slices import splice
from proxy.errors import DialectError
from proxy.memo import Step
from proxy.reading import Seen


class Illegal(Exception):
    """A rewritten request that the provider would refuse. `rule` is a short fixed word."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


def replays(seen: Seen) -> tuple[int, ...]:
    """Messages whose bytes changed though their content did not, and which can be sent as they were first.

    Where cache markers are involved the client's own bytes go out: markers are no part of the prompt."""
    return tuple(index for index, step in enumerate(seen.path) if step.key != step.node.key and not _marked(step))


def write(seen: Seen, body: bytes, plan: Plan) -> bytes:
    """The body to send. Raises Illegal."""
    rules = marker_violations(seen.profile.cache, seen.conversation, plan.markers)
    if rules:
        raise Illegal(rules[0])
    try:
        return splice(body, seen.cut, _replacements(seen, plan))
    except DialectError as error:
        raise Illegal(error.reason) from error


def original(seen: Seen, placed: Placed) -> bytes:
    """The text that an edit takes away, as the model read it."""
    return seen.dialect.original(seen.path[placed.message].message.raw, placed.block).encode("utf-8", "replace")


def _replacements(seen: Seen, plan: Plan) -> Mapping[int, bytes]:
    """New bytes by index into the body's list."""
    new = {index: seen.path[index].node.message.raw for index in plan.replayed}
    for message, group in groupby(plan.in_force, key=lambda placed: placed.message):
        new[message] = _edited(seen, seen.path[message], tuple(group), message in new)
    for marker in plan.markers:
        new[marker.message] = _with_marker(seen, new.get(marker.message), marker)
    return {seen.lead + index: raw for index, raw in new.items()}


def _edited(seen: Seen, step: Step, placed: Sequence[Placed], replayed: bool) -> bytes:
    """The message with its edits, from the node where it was made before."""
    edits = tuple((item.block, item.edit.text) for item in placed)
    form = (step.node.key if replayed else step.key, edits)
    raw = step.node.forms.get(form)
    if raw is None:
        before = step.node.message if replayed else step.message
        raw = seen.dialect.replace(before.raw, edits)
        found = message_violations(before, seen.dialect.message(raw, len), [block for block, _ in edits])
        if found:
            raise Illegal(found[0])
        step.node.forms[form] = raw
    return raw


def _with_marker(seen: Seen, raw: bytes | None, marker: Marker) -> bytes:
    before = seen.path[marker.message].message
    marked = seen.dialect.mark(raw or before.raw, marker.block, marker.long)
    after = seen.dialect.message(marked, len)
    unchanged = [block.index for block in before.blocks if block.kind is not Kind.OBSERVATION]
    if message_violations(before, after, [b.index for b in before.blocks if b.index not in unchanged]):
        raise Illegal("marker_changed_content")
    return marked


def _marked(step: Step) -> bool:
    return any(block.marked for block in (*step.message.blocks, *step.node.message.blocks))

"""Is what was sent still legal? Checked on the bytes that left, against the original, by rules of its own.

The pipeline checks itself before it sends; this is the second opinion, so it shares no code with it. Observations
may read otherwise; a note may stand behind a text of the user's; tools, system and parameters may go out as they did
on the call before, and tools may be added. A violation is a short fixed word. None is expected, ever.
"""

from collections.abc import Iterator, Sequence

from policies.core.conversation import Block, Head, Kind, Message, Role
from policies.core.plan import Plan
from policies.core.profile import Breakpoints, Profile
from proxy.dialects import Dialect
from proxy.dialects.registry import by_name
from proxy.replay.cache import common
from proxy.replay.prompts import Sent

Pair = tuple[Sent, Sent]
"""A request as received and as sent."""


def violations(received: Sent, sent: Sent, profile: Profile, last: Sent | None = None) -> tuple[str, ...]:
    """What one request breaks. `last`: what was sent on the call before, of which a head may be kept."""
    found = [*_heads(received.head, sent.head, last.head if last else None), *_markers(received, sent, profile)]
    if len(received.messages) != len(sent.messages):
        return (*found, "messages")
    dialect, earlier = by_name(sent.conversation.dialect), last.messages if last else ()
    for number, (before, after) in enumerate(zip(received.messages, sent.messages, strict=True)):
        if before is not after and not _kept(dialect, before, after, earlier[number : number + 1]):
            found += _message(dialect, before, after)
    return tuple(dict.fromkeys(found))


def breaks(last: Pair, now: Pair, plan: Plan | None, lead: int, profile: Profile) -> tuple[str, ...]:
    """What a request breaks of the one before it: its prefix, unless the agent or the plan changed that.

    `lead`: messages at the front that the plan does not count."""
    kept = common(last[1].prompt.chain, now[1].prompt.chain)
    expected = common(last[0].prompt.chain, now[0].prompt.chain)
    planned = min(expected, _planned(now[1], plan, lead))
    found = ["append_only"] if kept < planned else []
    if profile.binds_reasoning != "no" and kept < expected and _bound_behind(now[1], kept, expected):
        found.append("bound_reasoning")
    return tuple(found)


def _planned(sent: Sent, plan: Plan | None, lead: int) -> int:
    """How many links of the chain the plan leaves as they were."""
    added = {decision.edit.anchor for decision in plan.applied} if plan else set()
    places = [placed.message for placed in plan.in_force if placed.edit.anchor in added] if plan else []
    return sent.prompt.ends[min(places) + lead] + 1 if places else len(sent.prompt.chain)


def _bound_behind(sent: Sent, kept: int, upto: int) -> bool:
    """Whether a bound reasoning block that had been sent before stands behind the first change."""
    ends = sent.prompt.ends
    return any(
        block.bound and kept <= ends[number] + 1 + block.index < upto
        for number, message in enumerate(sent.messages)
        for block in message.blocks
    )


def _heads(received: Head, sent: Head, last: Head | None) -> Iterator[str]:
    known = (received,) if last is None else (received, last)
    tools = sent.tools_hash in [one.tools_hash for one in known] or _names(received) <= _names(sent)
    system = sent.system_hash in [one.system_hash for one in known]
    # tools that the client withdrew are disallowed by a parameter
    other = sent.tools_hash != received.tools_hash
    parameters = other or sent.parameters_hash in [one.parameters_hash for one in known]
    if sent.model != received.model or not (tools and system and parameters):
        yield "head"


def _names(head: Head) -> set[str]:
    return {name for name, _ in head.definitions}


def _markers(received: Sent, sent: Sent, profile: Profile) -> Iterator[str]:
    rule = profile.cache
    if not isinstance(rule, Breakpoints):
        if sent.markers > received.markers:
            yield "markers"
    elif sent.markers > max(rule.limit - rule.automatic, received.markers):
        yield "markers"
    if not set(received.prompt.marks) <= set(sent.prompt.marks):
        yield "client_markers"


def _kept(dialect: Dialect, before: Message, after: Message, earlier: Sequence[Message]) -> bool:
    """Whether a message goes out as on the call before, where it may: a system prompt, or what the client only lost."""
    if not any(one is after for one in earlier):
        return False
    return before.role is after.role is Role.SYSTEM or dialect.restates(after.raw, before.raw)


def _message(dialect: Dialect, before: Message, after: Message) -> Iterator[str]:
    if before.role is not after.role:
        yield "roles"
    if _pairing(before.blocks) != _pairing(after.blocks):
        yield "pairs"
        return
    for one, other in zip(before.blocks, after.blocks, strict=True):
        if one.hash == other.hash or one.kind is Kind.OBSERVATION:
            continue
        if one.kind is not Kind.TEXT or before.role is not Role.USER or not _noted(dialect, before, after, one.index):
            yield "reasoning" if one.kind is Kind.REASONING else "content"


def _noted(dialect: Dialect, before: Message, after: Message, block: int) -> bool:
    """Whether all that a text said is still said, with something behind a blank line."""
    return dialect.original(after.raw, block).startswith(dialect.original(before.raw, block) + "\n\n")


def _pairing(blocks: Sequence[Block]) -> list[tuple[Kind, str]]:
    """Calls and answers, and where they stand. An untyped observation that is replaced becomes plain text."""
    untyped = (Kind.OBSERVATION, "")
    kinds = [(block.kind, block.call_id) for block in blocks]
    return [(Kind.TEXT, "") if kind == untyped else kind for kind in kinds]

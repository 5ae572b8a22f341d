"""Which lineage a request continues, and what is in force on it: from the memo, else from the store.

Rules of this room: a lineage is found by content, by the longest part of the request that was seen
before under the same tenant, dialect and upstream; headers only name it. A fork, a retry, a subagent
share what they share. A store that fails gives an empty lineage, never an error to the agent.
"""

import asyncio
import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from policies.core.conversation import Head, Kind, Message, Role
from policies.core.edits import Edit, Placed, locate
from policies.core.lineage import PARTS, Ledger, Lineage, Record, extend_message, held_after, record_key
from policies.core.profile import Breakpoints
from proxy.dialects import Count
from proxy.dialects.canonical import decode
from proxy.dialects.values import pick
from proxy.endings import endings
from proxy.memo import HeadKey, Memo, Trail, Turn
from proxy.reading import Seen
from proxy.store import Store

STORE_PATIENCE = 2.0
"""Seconds for a read that should take less than a millisecond."""


# A block of Anthropic's, or a part of Converse's. In a text the quotes are escaped.
_PICTURE = re.compile(rb'(?<!\\)"(?:type"\s*:\s*"image"|image"\s*:\s*\{)')

Hashes = tuple[bytes, bytes, bytes]

COMPARED = 32
"""Messages of each side that are compared where two requests part."""


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """Where a request stands."""

    key: bytes
    """The key of this turn's record."""
    parent: Turn | None = None
    """The turn it continues, if any."""
    common: int = 0
    """Messages at the front that it shares with that turn's request."""
    retry: Turn | None = None
    """The same request was planned before."""


def head_key(head: Head) -> HeadKey:
    """What must be equal for two requests to share a cache."""
    return (head.model, head.tools_hash, head.system_hash, head.parameters_hash)


async def resolve(seen: Seen, tenant: bytes, memo: Memo, store: Store, count: Count) -> Place:
    """Find the lineage. Raises StoreError or TimeoutError where the store was needed and failed."""
    place = remembered(seen, memo)
    if place.parent is None or _missed(seen.trail.messages[place.common :]):
        await _recall(seen, place.common, tenant, memo, store, count)
        return remembered(seen, memo)
    return place


def remembered(seen: Seen, memo: Memo) -> Place:
    """Where the request stands as far as this process knows."""
    turn, common = _remembered(seen, head_key(seen.conversation.head)) or (_by_its_end(seen, memo), 0)
    key = place_key(seen)
    return Place(key, turn, common, seen.trail.nodes[-1].turns.get(key))


def place_key(seen: Seen) -> bytes:
    """The key of the record that this request makes."""
    return record_key(seen.trail.nodes[-1].prefix, seen.conversation.head)


def lineage_at(seen: Seen, place: Place, tenant: bytes, session: str, mode: str) -> Lineage:
    """The lineage as the planner sees it. Edits that were only planned, in another mode, are not in force."""
    turn = place.retry or place.parent
    if turn is None:
        return Lineage(tenant, session)
    record, common = turn.record, len(seen.trail.keys) if place.retry else place.common
    complete, same = common >= record.count or _extended(seen, record, common), record.mode == mode
    straight = same and complete
    return Lineage(
        tenant=tenant,
        session=session or record.session,
        turn=record.turn - (1 if place.retry else 0),
        placed=turn.placed if straight else _shared(seen, turn, common) if same else (),
        force=turn.force if straight else None,
        waiting=turn.waiting if straight else (),
        ledger=turn.ledger if same else Ledger(),
        last=record.last,
        common=record.count if complete else common,
        complete=complete,
        changed=changed(seen.conversation.head, record.model, record.head)
        or ("parameters" if first_picture(seen, common) else ""),
        faster=_faster(seen, turn),
    )


def _faster(seen: Seen, turn: Turn) -> bool:
    """Whether the request asks for another speed than the turn before, which may be too old to tell."""
    before = turn.said.get("parameters")
    if not before or turn.record.head[2] == seen.conversation.head.parameters_hash:
        return False
    return pick(decode(before), "speed") != seen.dialect.prompt(seen.cut.rest).parameters.get("speed")


def _shared(seen: Seen, turn: Turn, common: int) -> tuple[Placed, ...]:
    """Its edits in the shared part. Behind it an equal block is another one, which the model may not have read yet."""
    return tuple(item for item in locate(seen.conversation.messages, turn.edits) if item.message < common)


def _extended(seen: Seen, record: Record, common: int) -> bool:
    """Whether the last message of the turn before only got further blocks (Claude Code's summary request)."""
    if common != record.count - 1 or not record.sent:
        return False
    before = seen.dialect.message(record.sent[-1], len).blocks
    now = seen.conversation.messages[common].blocks if common < len(seen.conversation.messages) else ()
    return [block.hash for block in before] == [block.hash for block in now[: len(before)]]


def _remembered(seen: Seen, head: HeadKey) -> tuple[Turn, int] | None:
    """The newest turn that shares the longest known part of this way, and how many messages they share."""
    trail = seen.trail
    for common in range(len(trail.nodes), 0, -1):
        turn = trail.nodes[common - 1].newest(head)
        if turn is not None:
            common, turn = _under(trail, common, turn, head)
            return (_rewritten(seen, common, turn, head), common) if _continues(trail, common, head) else None
    return None


def _under(trail: Trail, common: int, turn: Turn, head: HeadKey) -> tuple[int, Turn]:
    """The newest turn under this very head that this request extends, if there is one: it alone left a cache to read.

    Between two of its steps smolagents asks for a plan, of the same history, under another system prompt. Such a
    plan extends no plan before it, but shares the larger part with it.
    """
    if turn.head == head or turn.record.sent_head is not None:
        return common, turn
    ways = [(place, trail.nodes[place - 1]) for place in range(common, 0, -1)]
    ended = ((place, own) for place, node in ways for own in node.turns.values() if own.head == head)
    passed = ((place, node.tip(head)) for place, node in ways if 2 * place >= common and head in node.tips)
    shared = ((place, own) for place, own in passed if own is not None)
    return next(ended, None) or next(shared, (common, turn))


def _by_its_end(seen: Seen, memo: Memo) -> Turn | None:
    """The run whose last answer of a tool this request holds, although its first message is another one now.

    qwen-code and Claude Code tell the date there. Where that run has gone on, this is another that was alike so far.
    """
    turns = (memo.ends.get((seen.tree, ending)) for ending in endings(seen.trail.messages))
    return next((turn for turn in turns if turn is not None and turn.successor is None), None)


def _rewritten(seen: Seen, common: int, turn: Turn, head: HeadKey) -> Turn:
    """The newest turn below `turn`, where this request goes on from that one with its history changed.

    A request that shares nothing more with it than their beginning is a fork, and goes on from `turn`.
    """
    newest = seen.trail.nodes[common - 1].tip(head)
    if newest is None or newest is turn or newest.end is None:
        return turn
    left = [node.message for node in newest.end.back(newest.record.count - common)]
    known, now = {_content(message) for message in left}, seen.trail.messages[common:]
    again = any(_content(message) in known for message in now if _tells(message))
    return newest if again or (left and now and seen.dialect.restates(left[-1].raw, now[0].raw)) else turn


def _tells(message: Message) -> bool:
    """Whether a message is of one run of an agent alone: an answer or an observation."""
    return message.role is Role.ASSISTANT or any(block.kind is Kind.OBSERVATION for block in message.blocks)


def _content(message: Message) -> tuple[bytes, ...]:
    return tuple(block.hash for block in message.blocks)


def _continues(trail: Trail, common: int, head: HeadKey) -> bool:
    """Sharing a first message is not enough: an answer must be shared, or a whole earlier request.

    That one must have had this head, or have an answer here: a title is asked for of the same first message.
    """
    if any(node.message.role is Role.ASSISTANT for node in trail.nodes[:common]):
        return True
    answered = any(message.role is Role.ASSISTANT for message in trail.messages[common:])
    return any(answered or turn.head == head for node in trail.nodes[:common] for turn in node.turns.values())


def hashes_of(head: Head) -> Hashes:
    """What is compared of a head."""
    return head.tools_hash, head.system_hash, head.parameters_hash


def changed(head: Head, model: str, before: Hashes) -> str:
    """The first part of the head that differs from what was there before."""
    if head.model != model:
        return "model"
    return next((name for name, a, b in zip(PARTS, hashes_of(head), before, strict=True) if a != b), "")


def first_picture(seen: Seen, common: int) -> bool:
    """Whether an image comes in behind the first `common` messages and none before.

    Anthropic's guide "prompt caching", what invalidates the cache: it loses the messages, and keeps tools and system.
    """
    rule = seen.profile.cache
    if not isinstance(rule, Breakpoints) or rule.automatic:
        return False
    messages = seen.trail.messages
    return any(map(_pictured, messages[common:])) and not any(map(_pictured, messages[:common]))


def _pictured(message: Message) -> bool:
    return b'"image"' in message.raw and _PICTURE.search(message.raw) is not None


def _missed(new: Sequence[Message]) -> bool:
    """What was never seen here holds a whole turn: another process planned it, and the store knows how."""
    return any(after.role is Role.ASSISTANT is not before.role for before, after in pairwise(new))


async def _recall(seen: Seen, known: int, tenant: bytes, memo: Memo, store: Store, count: Count) -> None:
    """Bring what the store knows of this conversation into the memo. `known`: messages that the memo has placed."""
    prefixes = [node.prefix for node in reversed(seen.trail.nodes[known:])]
    async with asyncio.timeout(STORE_PATIENCE):
        records = [record for record in await store.find(tenant, prefixes) if _stands(seen.trail, record)]
        if not records:
            return
        head = head_key(seen.conversation.head)
        record = next((r for r in records if (r.model, *(r.sent_head or r.head)) == head), records[0])
        tip = await store.tip(tenant, record.root) or record
        chain = await store.chain(tenant, tip.key)
        known = any(link.key == record.key for link in chain)
        chain = chain if known else await store.chain(tenant, record.key) or (record,)
    _restore(seen, record, chain, memo, count)


def _stands(trail: Trail, record: Record) -> bool:
    """The same blocks may stand in fewer or more messages; then nothing can be said of places."""
    return 0 < record.count <= len(trail.nodes) and trail.nodes[record.count - 1].prefix == record.prefix


def _restore(seen: Seen, record: Record, chain: Sequence[Record], memo: Memo, count: Count) -> None:
    """The record's turn as this process would know it had it planned the chain, and the newest turn behind it."""
    end = [link.key for link in chain].index(record.key) + 1
    for link in chain[:end]:
        for place, raw in enumerate(link.sent[: max(0, record.count - link.base)], link.base):
            _first_bytes(seen, place, raw, memo, count)
    common, passing = _further(seen, record.count, chain[end:], memo, count)
    seen.trail = memo.respell(seen.tree, seen.trail)
    _attach(seen, 0, record.count, chain[:end])
    _attach(seen, record.count, common, chain[: end + passing])
    _attach_as_sent(seen, common, chain, memo, count)


def _attach(seen: Seen, begin: int, end: int, chain: Sequence[Record]) -> None:
    """Make the last turn of the chain the newest of these messages."""
    if begin == end:
        return
    record = chain[-1]
    said, held = _heads(chain)
    turn = Turn(record, _in_force(seen.trail.messages, chain), record.ledger, stored=True, said=said, held=held)
    if record.count == end:
        turn.end = seen.trail.nodes[end - 1]
    else:
        turn.beyond = _messages(chain)[end : end + COMPARED]
    for node in seen.trail.nodes[begin:end]:
        node.tips.pop(turn.head, None)
        node.tips[turn.head] = turn
    if turn.end is not None:
        turn.end.turns[record.key] = turn


def _attach_as_sent(seen: Seen, common: int, chain: Sequence[Record], memo: Memo, count: Count) -> None:
    """Where the client has lost part of what it sent: the chain on its own way through the tree, beside this one's."""
    raws, now = _messages(chain)[common:], seen.trail.messages[common:]
    if raws and now and seen.dialect.restates(raws[0], now[0].raw):
        messages = [seen.dialect.message(raw, count) for raw in raws]
        keys = (*seen.trail.keys[:common], *memo.hashes(raws))
        trail = memo.grow(seen.tree, seen.trail.shortened(common), keys, messages)
        _attach(dataclasses.replace(seen, trail=trail), 0, len(keys), chain)


def _heads(chain: Sequence[Record]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The head of the last turn of a chain, as received and as sent."""
    said: dict[str, bytes] = {}
    held, mode = said, ""
    for link in chain:
        before = held if link.mode == mode else said
        said = {**said, **link.said}
        held, mode = held_after(before, said, link.held), link.mode
    return said, held


def _messages(chain: Sequence[Record]) -> tuple[bytes, ...]:
    """The messages of the last request of a chain, as first sent."""
    messages: list[bytes] = []
    for link in chain:
        messages[link.base :] = link.sent
    return tuple(messages)


def _further(seen: Seen, common: int, later: Sequence[Record], memo: Memo, count: Count) -> tuple[int, int]:
    """Messages shared with later turns of the chain, and how many of these share all of them."""
    whole = True
    for passed, link in enumerate(later):
        if link.base < common:
            return common, passed
        for place, raw in enumerate(link.sent if whole else (), common):
            whole = place < len(seen.trail.nodes) and _first_bytes(seen, place, raw, memo, count)
            if not whole:
                break
            common = place + 1
    return common, len(later)


def _in_force(messages: Sequence[Message], chain: Sequence[Record]) -> tuple[Placed, ...]:
    """What a chain of turns has left in force: what was only planned, or stood in a part that was left, is not."""
    places = {item.edit: item for item in locate(messages, [edit for link in chain for edit in link.edits])}
    kept: dict[Edit, Placed] = {}
    mode, count = "", 0
    for link in chain:
        if link.mode != mode:
            kept = {}
        elif link.base < count:
            kept = {edit: item for edit, item in kept.items() if item.message < link.base}
        kept |= {edit: places[edit] for edit in link.edits if edit in places}
        mode, count = link.mode, link.count
    return tuple(sorted(kept.values(), key=lambda item: (item.message, item.block)))


def _first_bytes(seen: Seen, place: int, raw: bytes, memo: Memo, count: Count) -> bool:
    """Make the node keep the bytes of its message's first sending, which the store remembers, if they are of it."""
    node = seen.trail.nodes[place]
    if raw == node.message.raw:
        return True
    message, key = seen.dialect.message(raw, count), memo.hash(raw)
    before = seen.trail.nodes[place - 1].prefix if place else seen.tree[0]
    if extend_message(before, message) != node.prefix:
        return False
    node.variants[node.key] = node.message
    node.message, node.key = message, key
    return True

"""Which lineage a request continues, and what is in force on it: from the memo, else from the store.

Rules of this room: a lineage is found by content, by the longest part of the request that was seen
before under the same tenant, dialect and upstream; headers only name it. A fork, a retry, a subagent
share what they share. A store that fails gives an empty lineage, never an error to the agent.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from policies.core.conversation import Head, Role
from policies.core.edits import locate
from policies.core.lineage import Ledger, Lineage, Record, record_key
from proxy.dialects import Count
from proxy.memo import HeadKey, Memo, Node, Trail, Turn
from proxy.reading import Seen
from proxy.store import Store

STORE_PATIENCE = 2.0
"""Seconds for a read that should take less than a millisecond."""


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
    head = head_key(seen.conversation.head)
    found = _remembered(seen.trail, head)
    if found is None:
        await _recall(seen, tenant, memo, store, count)
        found = _remembered(seen.trail, head)
    turn, common = found or (None, 0)
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
        placed=turn.placed if straight else locate(seen.conversation.messages, turn.edits) if same else (),
        force=turn.force if straight else None,
        waiting=turn.waiting if straight else (),
        ledger=turn.ledger if same else Ledger(),
        last=record.last,
        common=record.count if complete else common,
        complete=complete,
        changed=_changed(seen.conversation.head, record),
    )


def _extended(seen: Seen, record: Record, common: int) -> bool:
    """Whether the last message of the turn before only got further blocks (Claude Code's summary request)."""
    if common != record.count - 1 or not record.sent:
        return False
    before = seen.dialect.message(record.sent[-1], len).blocks
    now = seen.conversation.messages[common].blocks if common < len(seen.conversation.messages) else ()
    return [block.hash for block in before] == [block.hash for block in now[: len(before)]]


def _remembered(trail: Trail, head: HeadKey) -> tuple[Turn, int] | None:
    """The newest turn that shares the longest known part of this way, and how many messages they share."""
    for common in range(len(trail.nodes), 0, -1):
        turn = trail.nodes[common - 1].newest(head)
        if turn is not None:
            return (turn, common) if _continues(trail, common) else None
    return None


def _continues(trail: Trail, common: int) -> bool:
    """Sharing a first message is not enough: a whole earlier request, or an answer, must be shared."""
    return any(node.turns or node.message.role is Role.ASSISTANT for node in trail.nodes[:common])


def _changed(head: Head, record: Record) -> str:
    """The first part of the head that differs from the record's."""
    if head.model != record.model:
        return "model"
    now = (head.tools_hash, head.system_hash, head.parameters_hash)
    names = ("tools", "system", "parameters")
    return next((name for name, a, b in zip(names, now, record.head, strict=True) if a != b), "")


async def _recall(seen: Seen, tenant: bytes, memo: Memo, store: Store, count: Count) -> None:
    """Bring what the store knows of this conversation into the memo."""
    prefixes = [node.prefix for node in reversed(seen.trail.nodes)]
    async with asyncio.timeout(STORE_PATIENCE):
        records = await store.find(tenant, prefixes)
        if not records:
            return
        head = head_key(seen.conversation.head)
        record = next((r for r in records if (r.model, *r.head) == head), records[0])
        tip = await store.tip(tenant, record.root) or record
        chain = await store.chain(tenant, tip.key)
        if all(link.key != record.key for link in chain):
            tip, chain = record, await store.chain(tenant, record.key)
    _restore(seen, record, tip, chain, memo, count)


def _restore(seen: Seen, record: Record, tip: Record, chain: Sequence[Record], memo: Memo, count: Count) -> None:
    for link in chain:
        for offset, raw in enumerate(link.sent[: max(0, record.count - link.base)]):
            _first_bytes(seen, seen.trail.nodes[link.base + offset], raw, memo, count)
    seen.trail = memo.respell(seen.tree, seen.trail)
    placed = locate(seen.trail.messages, [edit for link in chain for edit in link.edits])
    turn = Turn(tip, placed, tip.ledger, stored=True)
    for node in seen.trail.nodes[: record.count]:
        node.tips[turn.head] = turn
    seen.trail.nodes[record.count - 1].turns[record.key] = (
        turn if tip.key == record.key else Turn(record, placed, record.ledger, stored=True, successor=turn)
    )


def _first_bytes(seen: Seen, node: Node, raw: bytes, memo: Memo, count: Count) -> None:
    """Make the node keep the bytes of the message's first sending, which the store remembers."""
    if raw == node.message.raw:
        return
    node.variants[node.key] = node.message
    node.message, node.key = seen.dialect.message(raw, count), memo.hash(raw)

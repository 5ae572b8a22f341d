"""What one session teaches the next: the head that an agent was sent last, so that a new session can share it.

Rules of this room: an agent is known by upstream, model and the names of its tools. A lesson counts as long as the
provider's cache lives, and only where that cache can be read without the messages behind the head. A store that
fails teaches nothing. Which head is then sent is said elsewhere (pinning).
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from policies.core.conversation import Role
from policies.core.plan import Plan
from policies.core.prefix_cache import rounded
from policies.core.profile import Breakpoints, Units
from policies.policy import Policy
from proxy.deciding import PATIENCE, Rooms, tell
from proxy.errors import StoreError
from proxy.lineages import Place
from proxy.memo import Turn, bounded
from proxy.reading import Seen

log = logging.getLogger("holdfast.teaching")

REMEMBERED = 1_000
"""Heads of which this process knows when it last taught them."""


class Lesson(Struct, frozen=True):
    """A head as it was sent."""

    at: float
    tools: bytes
    system: bytes


async def learned(
    rooms: Rooms, seen: Seen, place: Place, policy: Policy, mode: str, tenant: bytes, now: float
) -> Mapping[str, bytes]:
    """The head that this agent's newest session was sent, for one that begins while it is cached; else empty."""
    settings = policy.stabilize
    if mode != "enforce" or not (settings.pin_tools and settings.pin_system) or not _begins(seen, place):
        return {}
    try:
        async with asyncio.timeout(PATIENCE):
            found = await rooms.store.lesson(tenant, _subject(seen))
        lesson = msgspec.msgpack.decode(found, type=Lesson) if found else None
    except (StoreError, TimeoutError, msgspec.MsgspecError) as error:
        log.warning("what other sessions taught cannot be read, so this one begins without: %s", error)
        tell(rooms.witness, "store", "lesson")
        return {}
    if lesson is None or now - lesson.at > seen.profile.cache.ttl:
        return {}
    return {"tools": lesson.tools, "system": lesson.system}


async def teach(rooms: Rooms, seen: Seen, turn: Turn, plan: Plan, tenant: bytes) -> None:
    """Keep the head that was sent, where it can be read by itself, as often as its life asks for.

    Raises StoreError."""
    record, head, memo = turn.record, seen.conversation.head, rooms.memo
    if record.mode != "enforce" or not head.tools or not _readable(seen, plan):
        return
    parts = [turn.held.get(name, b"") for name in ("tools", "system")]
    name, known = _subject(seen), memo.hash(b"\0".join(parts))
    before = memo.taught.get(name, (0, 0.0))
    if all(parts) and (before[0] != known or record.at - before[1] > seen.profile.cache.ttl / 4):
        bounded(memo.taught, name, (known, record.at), REMEMBERED)
        await rooms.store.learn(tenant, name, msgspec.msgpack.encode(Lesson(record.at, *parts)), record.at)


def _begins(seen: Seen, place: Place) -> bool:
    """Whether this is the first request of an agent with tools: without any it may be a title, or a question."""
    head = seen.conversation.head
    answered = any(message.role is Role.ASSISTANT for message in seen.conversation.messages)
    return bool(head.tools) and not (answered or place.parent or place.retry or head.stand_down)


def _subject(seen: Seen) -> str:
    head = seen.conversation.head
    names = "\0".join(sorted(name for name, _ in head.definitions))
    agent = b"%b\0%b\0%b" % (seen.tree[0], head.model.encode(), names.encode())
    return f"head/{hashlib.sha256(agent).hexdigest()[:32]}"


def _readable(seen: Seen, plan: Plan) -> bool:
    """Whether another conversation reads it: a provider that caches by markers or units needs an entry that ends it."""
    rule, tokens = seen.profile.cache, seen.conversation.head.tokens
    if isinstance(rule, Units) or (isinstance(rule, Breakpoints) and 0 not in plan.sent.entries):
        return False
    return rounded(rule, tokens, tokens + 1) > 0

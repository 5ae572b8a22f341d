"""What one session teaches the next: the head that an agent was sent last, and all tools that it came to list.

Rules of this room: for its head an agent is known by upstream, model and the names of its tools. That counts as long
as the provider's cache lives, and only where that cache can be read without the messages behind the head. For its
tools it is known by upstream, model and what it calls itself; how much its sessions lost by adding some is counted
as they go, by whatever replica, so the count is near and not exact. A store that fails teaches nothing. Which head
is then sent is said elsewhere (pinning).
"""

import asyncio
import hashlib
import logging
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from policies.core.plan import Plan
from policies.core.prefix_cache import rounded
from policies.core.profile import Breakpoints, Units
from policies.policy import Policy
from policies.tools import Growth
from proxy.comparing import Taught, begins
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


class Catalogue(Struct, frozen=True):
    """All tools that an agent came to list, as they were sent."""

    tools: bytes = b""
    growth: Growth = Growth()


Who = tuple[bytes, str]
"""A tenant, and what its agent calls itself."""

T = TypeVar("T", Lesson, Catalogue)


async def learned(rooms: Rooms, seen: Seen, place: Place, policy: Policy, mode: str, who: Who, now: float) -> Taught:
    """What this agent's sessions taught, for one that begins; else nothing."""
    settings, lists = policy.stabilize, policy.tools
    if mode != "enforce" or not begins(seen, place):
        return Taught()
    try:
        async with asyncio.timeout(PATIENCE):
            pins = settings.pin_tools and settings.pin_system
            lesson = await _read(rooms, who, _subject(seen), Lesson) if pins else None
            whole = lists.append_only and lists.catalogue
            catalogue = await _read(rooms, who, _agent(seen, who), Catalogue) if whole else None
    except (StoreError, TimeoutError, msgspec.MsgspecError) as error:
        log.warning("what other sessions taught cannot be read, so this one begins without: %s", error)
        tell(rooms.witness, "store", "lesson")
        return Taught()
    warm = lesson is not None and now - lesson.at <= seen.profile.cache.ttl
    head = {"tools": lesson.tools, "system": lesson.system} if lesson and warm else {}
    return Taught(head, catalogue.tools, catalogue.growth) if catalogue else Taught(head)


async def teach(rooms: Rooms, seen: Seen, turn: Turn, plan: Plan, who: Who) -> None:
    """Keep the head that was sent, where it can be read by itself, as often as its life asks for.

    Raises StoreError."""
    await _count(rooms, seen, turn, who)
    record, head, memo = turn.record, seen.conversation.head, rooms.memo
    if record.mode != "enforce" or not head.tools or not _readable(seen, plan):
        return
    parts = [turn.held.get(name, b"") for name in ("tools", "system")]
    name, known = _subject(seen), memo.hash(b"\0".join(parts))
    before = memo.taught.get(name, (0, 0.0))
    if all(parts) and (before[0] != known or record.at - before[1] > seen.profile.cache.ttl / 4):
        bounded(memo.taught, name, (known, record.at), REMEMBERED)
        await rooms.store.learn(who[0], name, msgspec.msgpack.encode(Lesson(record.at, *parts)), record.at)


async def _count(rooms: Rooms, seen: Seen, turn: Turn, who: Who) -> None:
    """Keep the list that was sent where it has grown, and what that costs wherever it is not known beforehand."""
    news, turn.news, record = turn.news, "", turn.record
    if not news or record.mode != "enforce":
        return
    name = _agent(seen, who)
    try:
        known = await _read(rooms, who, name, Catalogue) or Catalogue()
    except msgspec.MsgspecError:  # damaged, and told of where it is used
        known = Catalogue()
    if news == "begun":
        found = replace(known, growth=known.growth.begun())
    else:
        messages = seen.conversation.messages[: record.base]
        stood = seen.conversation.head.tokens + sum(message.tokens for message in messages)
        found = Catalogue(turn.held.get("tools") or known.tools, known.growth.grown(stood))
    await rooms.store.learn(who[0], name, msgspec.msgpack.encode(found), record.at)


async def _read(rooms: Rooms, who: Who, name: str, kind: type[T]) -> T | None:
    found = await rooms.store.lesson(who[0], name)
    return msgspec.msgpack.decode(found, type=kind) if found else None


def _agent(seen: Seen, who: Who) -> str:
    agent = b"%b\0%b\0%b" % (seen.tree[0], seen.conversation.head.model.encode(), who[1].encode())
    return f"tools/{hashlib.sha256(agent).hexdigest()[:32]}"


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

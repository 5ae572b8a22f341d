"""From a body to a conversation and its way through the memo: only messages never seen before are parsed.

Rules of this room: nothing is decided here. A body that cannot be viewed is a DialectError with a
fixed reason. System messages at the front of the list count as head, so that a changed clock in a
system prompt does not make another conversation.
"""

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec import Raw
from msgspec.structs import replace

from policies.core.conversation import Conversation, Head, Message, Role
from policies.core.lineage import root_hash
from policies.core.profile import Profile
from proxy.dialects import Count, Dialect
from proxy.dialects.slices import Split, split
from proxy.memo import Memo, Trail, Tree, bounded

LARGE = 64_000
"""Bytes of new messages from which parsing moves to a thread: a tokenizer would hold up every other stream."""


@dataclass(slots=True, repr=False)
class Seen:
    """A request as read."""

    dialect: Dialect
    cut: Split
    lead: int
    """System messages at the front of the list; the trail begins behind them."""
    tree: Tree
    trail: Trail
    conversation: Conversation
    profile: Profile
    parts: dict[str, bytes] = field(default_factory=dict)
    """The parts of its head, once somebody has asked for them."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How bodies of one upstream are read for one tenant."""

    memo: Memo
    tenant: bytes
    upstream: str
    profile: Callable[[str], Profile]
    """By model name."""
    counter: Callable[[Profile], Count]

    async def read(self, dialect: Dialect, body: bytes, path: str) -> Seen:
        """View a body. Raises DialectError."""
        memo, cut = self.memo, split(body, dialect.list_key)
        root = root_hash(self.tenant, dialect.name, self.upstream)
        place = b"%b%b\0%032x" % (root, path.encode(), memo.hash(cut.rest))
        bare = memo.heads.get(place) or dialect.head(cut.rest, path, len)
        bounded(memo.heads, place, bare)
        profile = self.profile(bare.model)
        count = self.counter(profile)
        tree = (root, f"{profile.tokenizer}*{profile.token_ratio}")
        keys = memo.hashes(cut.elements)
        leads = _leads(memo, tree, dialect, keys, cut.elements, count)
        head = _head(memo, dialect, cut.rest, path, place + tree[1].encode(), keys, leads, count)
        trail = await _trail(memo, tree, dialect, keys[len(leads) :], cut.elements[len(leads) :], count)
        conversation = Conversation(dialect.name, head, trail.messages)
        return Seen(dialect, cut, len(leads), tree, trail, conversation, profile)

    def with_head(self, seen: Seen, body: bytes, path: str) -> Seen:
        """The same messages, which a body has under another head. Raises DialectError."""
        memo, dialect, count = self.memo, seen.dialect, self.counter(seen.profile)
        cut = split(body, dialect.list_key)
        keys = memo.hashes(cut.elements)
        place = b"%b%b\0%032x" % (seen.tree[0], path.encode(), memo.hash(cut.rest))
        leads = _leads(memo, seen.tree, dialect, keys, cut.elements, count)
        head = _head(memo, dialect, cut.rest, path, place + seen.tree[1].encode(), keys, leads, count)
        return dataclasses.replace(
            seen, cut=cut, lead=len(leads), parts={}, conversation=replace(seen.conversation, head=head)
        )


def _leads(
    memo: Memo, tree: Tree, dialect: Dialect, keys: Sequence[int], elements: Sequence[Raw | bytes], count: Count
) -> list[Message]:
    """The system messages at the front of the list."""
    leads: list[Message] = []
    for key, element in zip(keys, elements, strict=True):
        message = memo.leads.get((tree, key))
        if message is None:
            if key in memo.root(tree).known:
                break
            message = dialect.message(bytes(element), count)
            if message.role is not Role.SYSTEM:
                break
            message = replace(message, raw=b"")  # what counts of it is in its blocks
        leads.append(bounded(memo.leads, (tree, key), message))
    return leads


def _head(
    memo: Memo,
    dialect: Dialect,
    rest: bytes,
    path: str,
    place: bytes,
    keys: Sequence[int],
    leads: Sequence[Message],
    count: Count,
) -> Head:
    """The head with its tokens counted, from the memo where it was read before."""
    identity = b"%b%b" % (place, b"".join(b"%032x" % key for key in keys[: len(leads)]))
    head = memo.heads.get(identity)
    if head is None:
        head = _with_leads(dialect.head(rest, path, count), leads)
    return bounded(memo.heads, identity, head)


def _with_leads(head: Head, leads: Sequence[Message]) -> Head:
    """The head with the system messages at the front of the list laid to it."""
    if not leads:
        return head
    blocks = [block for message in leads for block in message.blocks]
    system = hashlib.sha256(head.system_hash + b"".join(block.hash for block in blocks)).digest()
    return replace(
        head,
        system_hash=system,
        tokens=head.tokens + sum(message.tokens for message in leads),
        markers=head.markers + sum(block.marked for block in blocks),
        long=head.long or any(block.long for block in blocks),
        markable=bool(blocks) and blocks[-1].markable and not blocks[-1].marked,
    )


async def _trail(
    memo: Memo, tree: Tree, dialect: Dialect, keys: tuple[int, ...], elements: Sequence[Raw | bytes], count: Count
) -> Trail:
    trail = memo.follow(tree, keys)
    new = [bytes(element) for element in elements[len(trail.keys) :]]
    if sum(map(len, new)) <= LARGE:
        return memo.grow(tree, trail, keys, _parse(dialect, new, count))
    parsed = await asyncio.to_thread(_parse, dialect, new, count)
    known = len(keys) - len(parsed)
    trail = memo.follow(tree, keys)  # meanwhile others may have added some of it, or all may have been forgotten
    forgotten = [bytes(element) for element in elements[len(trail.keys) : known]]
    parsed = [*_parse(dialect, forgotten, count), *parsed[max(0, len(trail.keys) - known) :]]
    return memo.grow(tree, trail, keys, parsed)


def _parse(dialect: Dialect, raws: Sequence[bytes], count: Count) -> list[Message]:
    return [dialect.message(raw, count) for raw in raws]

"""From a body to a conversation and its path in the memo: only messages never seen before are parsed.

Rules of this room: nothing is decided here. A body that cannot be viewed is a DialectError with a
fixed reason. System messages at the front of the list count as head, so that a changed clock in a
system prompt does not make another conversation.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import Raw
from msgspec.structs import replace

from policies.core.conversation import Conversation, Head, Message, Role
from policies.core.lineage import root_hash
from policies.core.profile import Profile
from proxy.dialects import Count, Dialect
from proxy.dialects.slices import Split, split
from proxy.memo import Memo, Node, Step, Tree, bounded

LARGE = 64_000
"""Bytes of new messages from which parsing moves to a thread: a tokenizer would hold up every other stream."""


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """A request as read."""

    dialect: Dialect
    cut: Split
    lead: int
    """System messages at the front of the list; `path` begins behind them."""
    tree: Tree
    path: list[Step]
    conversation: Conversation
    profile: Profile


async def read(
    dialect: Dialect,
    body: bytes,
    path: str,
    tenant: bytes,
    upstream: str,
    memo: Memo,
    profile: Callable[[str], Profile],
    counter: Callable[[Profile], Count],
) -> Seen:
    """View a body. `profile` is looked up by model name. Raises DialectError."""
    cut = split(body, dialect.list_key)
    bare = dialect.head(cut.rest, path, len)
    known = profile(bare.model)
    count = counter(known)
    tree = (root_hash(tenant, dialect.name, upstream), f"{known.tokenizer}*{known.token_ratio}")
    keys = [memo.hash(element) for element in cut.elements]
    leads = _leads(memo, tree, dialect, keys, cut.elements, count)
    head = _head(memo, dialect, cut.rest, path, tree, leads, count)
    steps = await _path(memo, tree, dialect, keys[len(leads) :], cut.elements[len(leads) :], count)
    conversation = Conversation(dialect.name, head, tuple(step.message for step in steps))
    return Seen(dialect, cut, len(leads), tree, steps, conversation, known)


def _leads(
    memo: Memo, tree: Tree, dialect: Dialect, keys: Sequence[int], elements: Sequence[Raw], count: Count
) -> list[Message]:
    """The system messages at the front of the list."""
    leads: list[Message] = []
    for key, element in zip(keys, elements, strict=True):
        message = memo.leads.get((tree, key))
        if message is None:
            if not leads and key in memo.root(tree).known:
                break
            message = dialect.message(bytes(element), count)
            if message.role is not Role.SYSTEM:
                break
        leads.append(bounded(memo.leads, (tree, key), message))
    return leads


def _head(
    memo: Memo, dialect: Dialect, rest: bytes, path: str, tree: Tree, leads: Sequence[Message], count: Count
) -> Head:
    key = hashlib.blake2b(b"\0".join((tree[0], tree[1].encode(), path.encode(), rest)), digest_size=16)
    for message in leads:
        key.update(message.raw)
    identity = key.digest()
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
    )


async def _path(
    memo: Memo, tree: Tree, dialect: Dialect, keys: Sequence[int], elements: Sequence[Raw], count: Count
) -> list[Step]:
    root: Node = memo.root(tree)
    path = memo.walk(root, keys)
    new = [bytes(element) for element in elements[len(path) :]]
    if sum(map(len, new)) > LARGE:
        parsed = await asyncio.to_thread(_parse, dialect, new, count)
        path = memo.walk(memo.root(tree), keys)  # another request may have added some of it meanwhile
        new_messages = parsed[len(parsed) - (len(keys) - len(path)) :] if len(path) < len(keys) else []
    else:
        new_messages = _parse(dialect, new, count)
    memo.grow(tree, path, keys, new_messages)
    return path


def _parse(dialect: Dialect, raws: Sequence[bytes], count: Count) -> list[Message]:
    return [dialect.message(raw, count) for raw in raws]

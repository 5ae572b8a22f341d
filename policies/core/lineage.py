"""The chain of what was sent for one agent run, and the edits in force on it.

Rules of this room: records are immutable and content-addressed; the same request gives the same
keys in every process. The tenant enters the first link, so no record is ever shared by two. It
must not know where records are kept.
"""

import hashlib

from msgspec import Struct

from policies.core.conversation import Block, Conversation, Head, Message, PrefixHash, Role
from policies.core.edits import Anchor, Edit


class Ledger(Struct, frozen=True):
    """The planner's account of one lineage, by the model's rules (USD, estimates).

    `rents` holds, for each edit that waits, the savings forgone so far in tokens read.
    """

    direct_usd: float = 0.0
    """Input cost so far had nothing been edited."""
    actual_usd: float = 0.0
    """Input cost so far with the edits in force."""
    rents: tuple[tuple[Anchor, int], ...] = ()


class Sent(Struct, frozen=True):
    """What the provider saw last on this lineage: the state of its cache follows from it."""

    at: float
    """Seconds since the epoch when the request started; lifetimes count from here."""
    tokens: int
    """Estimated input tokens as sent."""
    received_tokens: int
    """Estimated input tokens as received from the agent."""
    markers: tuple[int, ...] = ()
    """Messages (by index) that carried a cache marker, ours included."""


class Record(Struct, frozen=True):
    """One turn. `key` is H(prefix, head), so the same messages under another head are another record."""

    key: bytes
    tenant: bytes
    prefix: PrefixHash
    parent: bytes | None
    root: bytes
    """The key of the lineage's first record."""
    session: str
    turn: int
    at: float
    model: str
    head: tuple[bytes, bytes, bytes]
    """Canonical hashes of tools, system and parameters."""
    count: int
    """Messages in the request, the leading system messages included."""
    sent: tuple[bytes, ...]
    """Messages new since the parent, byte for byte as first sent, before any later mask."""
    edits: tuple[Edit, ...]
    """Edits that this turn applied; those in force are the ones of the whole chain."""
    ledger: Ledger
    last: Sent
    mode: str = "enforce"


class Outcome(Struct, frozen=True):
    """What became of a turn, known only afterwards."""

    status: int
    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    cost_usd: float = 0.0


def root_hash(tenant: bytes, dialect: str, upstream: str) -> PrefixHash:
    """The link before the first message."""
    return PrefixHash(_digest(b"root", tenant, dialect.encode(), upstream.encode()))


def extend(parent: PrefixHash, role: Role, block: Block) -> PrefixHash:
    """The link after one more block."""
    return PrefixHash(_digest(parent, role.value.encode(), block.hash))


def extend_message(parent: PrefixHash, message: Message) -> PrefixHash:
    """The link after one more message; a message without blocks still counts."""
    if not message.blocks:
        return PrefixHash(_digest(parent, message.role.value.encode(), b"empty"))
    for block in message.blocks:
        parent = extend(parent, message.role, block)
    return parent


def record_key(prefix: PrefixHash, head: Head) -> bytes:
    """The key of a turn's record."""
    return _digest(
        b"record", prefix, head.model.encode(), head.tools_hash, head.system_hash, head.parameters_hash
    )


def leading_system(conversation: Conversation) -> int:
    """How many messages at the start are system or developer messages: they belong to the head, not to the chain."""
    count = 0
    for message in conversation.messages:
        if message.role is not Role.SYSTEM:
            break
        count += 1
    return count


def _digest(*parts: bytes) -> bytes:
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return state.digest()

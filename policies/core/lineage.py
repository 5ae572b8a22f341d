"""The chain of what was sent for one agent run, and the edits in force on it.

Rules of this room: records are immutable and content-addressed; the same request gives the same
keys in every process. The tenant enters the first link, so no record is ever shared by two. It
must not know where records are kept.
"""

import hashlib
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from policies.core.conversation import Block, Head, Message, PrefixHash, Role
from policies.core.edits import Anchor, Edit, Placed, merged
from policies.core.index import Force


class Ledger(Struct, frozen=True):
    """The planner's account of one lineage, by the model's rules (USD, estimates).

    `rents` holds, for each edit that waits, the savings forgone so far in tokens read.
    """

    direct_usd: float = 0.0
    """Input cost so far had nothing been edited."""
    actual_usd: float = 0.0
    """Input cost so far with the edits in force."""
    rents: tuple[tuple[Anchor, int], ...] = ()
    output_usd: float = 0.0
    """Output cost so far, as reported; part of both sides."""
    markers_usd: float = 0.0
    """What markers that Holdfast added, and heads that it kept, have cost above `direct_usd`; negative: saved."""
    pauses: int = 0
    """Gaps between turns so far that only an entry with the long time to live outlasts."""
    absences: int = 0
    """Gaps that none outlasts."""
    rewrites: int = 0
    """Turns so far that did not go on from what was last sent."""
    rereads: tuple[tuple[str, int], ...] = ()
    """By tool, how often something masked has been asked for again."""


class Sent(Struct, frozen=True):
    """What the provider saw last on this lineage: the state of its cache follows from it."""

    at: float
    """Seconds since the epoch when the request started; lifetimes count from here."""
    tokens: int
    """Estimated input tokens as sent."""
    received_tokens: int
    """Estimated input tokens as received from the agent."""
    written: int = 0
    """Estimated tokens of the longest prefix that can be read again."""
    entries: tuple[int, ...] = ()
    """Prefixes that the provider has written, by how many messages they hold (0: the head alone), ascending."""
    explicit: tuple[int, ...] = ()
    """Those of them written at a marker that Holdfast placed, ascending."""
    long: tuple[int, ...] = ()
    """Those of them written with the long time to live, ascending."""
    bare: tuple[int, ...] | None = None
    """Prefixes that the client's own markers would have written without edits; None: the same as `entries`."""
    marks: tuple[int, ...] = ()
    """Those that markers of Holdfast would have written besides, had nothing been edited."""
    unedited_long: tuple[int, ...] | None = None
    """Those of `bare` and `marks` with the long time to live; None: the same as `long`."""
    key: str = ""
    """The `prompt_cache_key` that Holdfast added."""


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
    base: int
    """Messages at the front shared with the parent's request."""
    count: int
    """Messages in the request, without the leading system messages, which belong to the head."""
    sent: tuple[bytes, ...]
    """Messages behind `base`, byte for byte as first sent, before any mask."""
    edits: tuple[Edit, ...]
    """Edits that this turn applied; those in force are the ones of the whole chain."""
    ledger: Ledger
    last: Sent
    mode: str = "enforce"
    offered: bool = False
    """The tools hold one of Holdfast's own, and so on every later turn of the lineage."""
    said: dict[str, bytes] = {}
    """"tools" and "system" as received, each as a request that has nothing else, and canonical "parameters".

    Only those in which this turn differs from its parent. Empty bytes: too large to be kept. Older records hold
    canonical values of all three."""
    held: dict[str, bytes] = {}
    """Those of the three that were sent otherwise than received: empty bytes where as the parent sent them."""
    sent_head: tuple[bytes, bytes, bytes] | None = None
    """The hashes of `head` as sent; None: as received."""


class Lineage(Struct, frozen=True):
    """What is known of a conversation's past when a turn is planned. The default is a conversation never seen."""

    tenant: bytes = b""
    session: str = ""
    turn: int = 0
    """Turns so far."""
    placed: tuple[Placed, ...] = ()
    """Edits in force, in the order of this request."""
    force: Force | None = None
    """The same, indexed; None where nobody has done it yet."""
    waiting: tuple[Placed, ...] = ()
    """What the turn before proposed and did not apply."""
    ledger: Ledger = Ledger()
    last: Sent | None = None
    common: int = 0
    """Messages of this request that stand unchanged at the front of what was last sent."""
    complete: bool = True
    """`common` covers all that was last sent; False: the client changed or dropped some of it."""
    changed: str = ""
    """What the client changed in the head: "model", "tools", "system", "parameters", or nothing."""
    faster: bool = False
    """Among the parameters it changed the speed, which loses the system prompt too (Anthropic)."""


def with_fresh(lineage: Lineage, fresh: Sequence[Placed]) -> Lineage:
    """The lineage with edits of blocks that were never sent already in force."""
    return replace(lineage, placed=merged(lineage.placed, fresh), force=None) if fresh else lineage


PARTS = ("tools", "system", "parameters")
"""Of a head, in the order of their hashes."""


def held_after(before: Mapping[str, bytes], said: Mapping[str, bytes], held: Mapping[str, bytes]) -> dict[str, bytes]:
    """The parts of a head as sent. `before`: as the parent sent them. `said`: as received. `held`: of the record."""
    return {name: (held[name] or before.get(name, b"")) if name in held else said.get(name, b"") for name in PARTS}


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
    return _digest(b"record", prefix, head.model.encode(), head.tools_hash, head.system_hash, head.parameters_hash)


def _digest(*parts: bytes) -> bytes:
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return state.digest()

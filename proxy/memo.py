"""What this process remembers of the conversations it has seen, so that a turn costs what is new in it.

A tree for each tenant, dialect and upstream: a node is a conversation up to one message, found by a
fast hash of the message's bytes under a seed drawn at start. Messages that differ in bytes but are
canonically equal lead to the same node, which keeps the bytes that came first. Whole conversation
families (by first message) are dropped, least recently used first, when all is too large. Losing
them costs time, never an answer: records in the store say the same.

It must not know what an edit is for, nor any wire format.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import xxhash
from msgspec import Raw
from msgspec.structs import replace

from policies.core.conversation import Block, Head, Kind, Message, PrefixHash, Role
from policies.core.edits import Edit, Placed
from policies.core.lineage import Ledger, Record, extend_message

NODE_OVERHEAD = 1200
"""Bytes of a node besides its message's bytes, roughly."""

Tree = tuple[PrefixHash, str]
"""Which tree: the first link (tenant, dialect, upstream) and the unit in which tokens are counted."""

HeadKey = tuple[str, bytes, bytes, bytes]
"""Model and the canonical hashes of tools, system and parameters."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True, repr=False)
class Turn:
    """A turn that was planned: its record, what is in force after it, and whether the store has it."""

    record: Record
    placed: tuple[Placed, ...]
    ledger: Ledger
    stored: bool = False

    @property
    def edits(self) -> list[Edit]:
        """In force after this turn."""
        return [placed.edit for placed in self.placed]


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """A conversation up to and including one message."""

    parent: "Node | None"
    prefix: PrefixHash
    message: Message
    key: int
    """Fast hash of the bytes that came first."""
    depth: int = 0
    known: dict[int, "Node"] = field(default_factory=dict)
    """What follows, by the fast hash of its bytes as received; several keys may lead to one node."""
    variants: dict[int, Message] = field(default_factory=dict)
    """Other spellings of this message, by fast hash."""
    turns: dict[bytes, Turn] = field(default_factory=dict)
    """Turns whose request ended here, by record key."""
    tips: dict[HeadKey, Turn] = field(default_factory=dict)
    """The newest turn at or below this node for each head (model and its three hashes), newest last."""
    forms: dict[tuple[int, tuple[tuple[int, str], ...]], bytes] = field(default_factory=dict)
    """The message with some blocks replaced, by spelling and (block, text)."""


@dataclass(slots=True, repr=False)
class Step:
    """One message of a request on its way through the tree. `key`: fast hash of its bytes as received."""

    node: Node
    key: int

    @property
    def message(self) -> Message:
        """As spelled in this request."""
        return self.node.variants.get(self.key, self.node.message)


@dataclass(slots=True, repr=False)
class Memo:
    """All trees of one process. Not for use by several threads at once."""

    seed: int
    max_bytes: int = 256 * 1024 * 1024
    roots: dict[Tree, Node] = field(default_factory=dict)
    families: OrderedDict[tuple[Tree, int], int] = field(default_factory=OrderedDict)
    """Bytes of each family, least recently used first."""
    heads: OrderedDict[bytes, Head] = field(default_factory=OrderedDict)
    """Heads by everything in the request that is not a message, least recently used first."""
    leads: OrderedDict[tuple[Tree, int], Message] = field(default_factory=OrderedDict)
    """System messages at the front of a list, by fast hash, least recently used first."""
    size: int = 0

    def hash(self, element: Raw | bytes) -> int:
        """The fast hash of one message's bytes."""
        return xxhash.xxh3_128_intdigest(element, seed=self.seed)

    def root(self, tree: Tree) -> Node:
        """The tree of one tenant, dialect, upstream and unit of counting."""
        node = self.roots.get(tree)
        if node is None:
            node = Node(None, tree[0], Message(Role.SYSTEM, (), b"", 0), 0)
            self.roots[tree] = node
        return node

    def walk(self, root: Node, keys: Sequence[int]) -> list[Step]:
        """The known part of a conversation's path."""
        path: list[Step] = []
        node: Node | None = root
        for key in keys:
            node = node.known.get(key) if node else None
            if node is None:
                break
            path.append(Step(node, key))
        return path

    def grow(self, tree: Tree, path: list[Step], keys: Sequence[int], messages: Sequence[Message]) -> None:
        """Add the unknown rest of a conversation to its path. `messages` belong to the last of `keys`."""
        node = path[-1].node if path else self.root(tree)
        added = 0
        for key, message in zip(keys[len(path) :], messages, strict=True):
            message = _named(node, message)
            node, fresh = _child(node, key, message)
            path.append(Step(node, key))
            added += NODE_OVERHEAD + len(message.raw) if fresh else NODE_OVERHEAD
        if path:
            self._account((tree, path[0].node.key), added)

    def record(self, path: Sequence[Step], turn: Turn, head: HeadKey) -> None:
        """Attach a turn to the end of its path, and make it the newest of everything on the way."""
        path[-1].node.turns[turn.record.key] = turn
        for step in path:
            step.node.tips.pop(head, None)
            step.node.tips[head] = turn

    def _account(self, family: tuple[Tree, int], added: int) -> None:
        self.families[family] = self.families.pop(family, 0) + added
        self.size += added
        while self.size > self.max_bytes and len(self.families) > 1:
            (tree, key), size = self.families.popitem(last=False)
            self.size -= size
            self._forget(tree, key)

    def _forget(self, tree: Tree, key: int) -> None:
        root = self.roots[tree]
        gone = root.known.get(key)
        root.known = {other: node for other, node in root.known.items() if node is not gone}
        if not root.known:
            del self.roots[tree]


def bounded(cache: OrderedDict[K, V], key: K, value: V, size: int = 4096) -> V:
    """Keep a value as the newest of a cache of at most `size` entries."""
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > size:
        cache.popitem(last=False)
    return value


def _child(node: Node, key: int, message: Message) -> tuple[Node, bool]:
    """The node behind `node` for this message: an equal one under another spelling, or a new one."""
    prefix = extend_message(node.prefix, message)
    for sibling in node.known.values():
        if sibling.prefix == prefix:
            sibling.variants[key] = message
            node.known[key] = sibling
            return sibling, False
    child = Node(node, prefix, message, key, node.depth + 1)
    node.known[key] = child
    return child, True


def _named(parent: Node, message: Message) -> Message:
    """The message with each observation named after the tool whose call it answers."""
    nameless = [block for block in message.blocks if block.kind is Kind.OBSERVATION and not block.tool]
    if not nameless:
        return message
    names = _calls(parent, {block.call_id for block in nameless if block.call_id})
    if not names:
        return message
    return replace(message, blocks=tuple(_with_name(block, names) for block in message.blocks))


def _with_name(block: Block, names: dict[str, str]) -> Block:
    name = names.get(block.call_id) if block.kind is Kind.OBSERVATION and not block.tool else None
    return replace(block, tool=name) if name else block


def _calls(node: Node | None, wanted: set[str]) -> dict[str, str]:
    """Tool names by call id, from the nearest messages before."""
    found: dict[str, str] = {}
    while node is not None and wanted - found.keys():
        for block in node.message.blocks:
            if block.kind is Kind.CALL and block.call_id in wanted:
                found[block.call_id] = block.tool
        node = node.parent
    return found

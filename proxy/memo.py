"""What this process remembers of the conversations it has seen, so that a turn costs what is new in it.

A tree for each tenant, dialect and upstream: a node is a conversation up to one message, found by a
fast hash of the message's bytes under a seed drawn at start. Messages that differ in bytes but are
canonically equal lead to the same node, which keeps the bytes that came first. A trail is one
request's way through the tree with all that was derived from it; the next request extends it. Whole
conversation families (by first message) are dropped, least recently used first, when all is too
large. Losing them costs time, never an answer: records in the store say the same.

It must not know what an edit is for, nor any wire format.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import Literal, TypeVar
from weakref import WeakValueDictionary

import xxhash
from msgspec import Raw
from msgspec.structs import replace

from policies.core.conversation import Block, Head, Kind, Message, PrefixHash, Role
from policies.core.edits import Edit, Placed, locate
from policies.core.heads import Part
from policies.core.index import Force, Index
from policies.core.lineage import Ledger, Record, extend_message
from policies.core.plan import Marker
from proxy.endings import endings

NODE_OVERHEAD = 1500
"""Bytes of a node besides its message's bytes, roughly."""
TRAILS = 8
"""Trails kept for each family: a main loop and some subagents."""

RESPELLED = 2
"""Messages at the end of a trail that the next request may spell otherwise."""

Tree = tuple[PrefixHash, str]
"""Which tree: the first link (tenant, dialect, upstream) and the unit in which tokens are counted."""

HeadKey = tuple[str, bytes, bytes, bytes]
"""Model and the canonical hashes of tools, system and parameters."""

News = Literal["", "begun", "grown"]
"""Of an agent's tools: a session with some has begun, or the client lists more than on the turn before."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True, repr=False, weakref_slot=True)
class Turn:
    """A turn that was planned: its record and what is in force after it."""

    record: Record
    placed: tuple[Placed, ...]
    ledger: Ledger
    stored: bool = False
    """The store has it."""
    force: Force | None = None
    """`placed`, indexed."""
    waiting: tuple[Placed, ...] = ()
    """What it proposed and did not apply."""
    keys: tuple[int, ...] = ()
    """Fast hashes of its request's messages, as spelled."""
    rewritten: dict[int, bytes] = field(default_factory=dict)
    """Messages as edited, by index, in that spelling; without cache markers."""
    successor: "Turn | None" = None
    """The newest turn that continued this one under the same head."""
    markers: tuple[Marker, ...] = ()
    """Placed for the edits that it added; a retry needs them again."""
    said: Mapping[str, bytes] = field(default_factory=dict)
    """The parts of its head as received, by name; shared with the turns before as far as they are the same."""
    held: Mapping[str, bytes] = field(default_factory=dict)
    """The same as sent."""
    end: "Node | None" = None
    """Where its request ended."""
    answer: str = ""
    """The provider's id of its answer; not kept in the store."""
    input: int | None = None
    """Tokens of its request, as the provider reported them; not kept in the store."""
    owed: str = ""
    """What its answer asked for and is told at the tail of the next request; not kept in the store either."""
    news: News = ""
    """Of the tools that its agent lists, until it is counted; not kept in the store, as little as what follows."""
    listed: frozenset[str] = frozenset()
    """Tools that the client has listed up to now, where a catalogue is kept of them."""
    beyond: tuple[bytes, ...] = ()
    """Of a turn that was restored from the store: messages behind those that this process has met."""

    @property
    def head(self) -> HeadKey:
        """What its request shares a cache by."""
        return (self.record.model, *(self.record.sent_head or self.record.head))

    @property
    def edits(self) -> list[Edit]:
        """In force after this turn."""
        return [placed.edit for placed in self.placed]

    def sent_as(self, mode: str) -> Mapping[str, bytes]:
        """The parts of its head that the provider holds for a turn of this mode: what was only planned was not sent."""
        return self.held if self.record.mode == mode else self.said

    def messages_from(self, common: int, most: int) -> tuple[bytes, ...]:
        """At most so many messages of its request behind the first `common` ones, as far as they are known."""
        if self.end is None:
            return self.beyond[:most]
        nodes = list(self.end.back(self.record.count - common))
        return tuple(node.message.raw for node in reversed(nodes[-most:]))

    def keep(self, record: Record, messages: Sequence[Message]) -> None:
        """The store has it. Where another process wrote it first, what that one did counts."""
        if record.edits != self.record.edits:
            earlier = [edit for edit in self.edits if edit not in self.record.edits]
            self.placed = locate(messages, (*earlier, *record.edits))
            self.force, self.waiting, self.keys, self.rewritten = None, (), (), {}
        self.record, self.stored = record, True


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """A conversation up to and including one message."""

    parent: "Node | None"
    prefix: PrefixHash
    message: Message
    key: int
    """Fast hash of the bytes that came first."""
    known: dict[int, "Node"] = field(default_factory=dict)
    """What follows, by the fast hash of its bytes as received; several keys may lead to one node."""
    children: dict[PrefixHash, "Node"] = field(default_factory=dict)
    """What follows, by content."""
    variants: dict[int, Message] = field(default_factory=dict)
    """Other spellings of this message, by fast hash."""
    turns: dict[bytes, Turn] = field(default_factory=dict)
    """Turns whose request ended here, by record key."""
    tips: dict[HeadKey, Turn] = field(default_factory=dict)
    """For each head the turn that first passed here, newest head last; its successors lead to the newest."""

    def newest(self, head: HeadKey) -> Turn | None:
        """The turn whose request ended here, else the newest below; of this head where there is one."""
        for turn in reversed(self.turns.values()):
            if turn.head == head:
                return turn
        return self.tip(head)

    def back(self, count: int) -> Iterator["Node"]:
        """This one and those before it, so many."""
        node: Node | None = self
        for _ in range(count):
            assert node is not None
            yield node
            node = node.parent

    def tip(self, head: HeadKey) -> Turn | None:
        """The newest turn that passed here, of this head where there is one."""
        turn = self.tips.get(head) or next(reversed(self.tips.values()), None)
        while turn is not None and turn.successor is not None:
            turn = turn.successor
        return turn


@dataclass(frozen=True, slots=True, repr=False)
class Trail:
    """One request's way through the tree."""

    keys: tuple[int, ...] = ()
    nodes: tuple[Node, ...] = ()
    messages: tuple[Message, ...] = ()
    """As spelled in this request."""
    index: Index = Index()
    variants: tuple[int, ...] = ()
    """Messages spelled otherwise than at first."""

    def shortened(self, count: int) -> "Trail":
        """Only its first `count` messages."""
        kept, gone = self.messages[:count], self.messages[count:]
        if not gone:
            return self
        variants = tuple(number for number in self.variants if number < count)
        return Trail(self.keys[:count], self.nodes[:count], kept, self.index.shortened(kept, gone), variants)

    def extended(self, keys: Sequence[int], nodes: Sequence[Node]) -> "Trail":
        """With these behind it."""
        if not nodes:
            return self
        messages = [_spelled(node, key) for node, key in zip(nodes, keys, strict=True)]
        first = len(self.nodes)
        pairs = enumerate(zip(nodes, keys, strict=True), first)
        return Trail(
            (*self.keys, *keys),
            (*self.nodes, *nodes),
            (*self.messages, *messages),
            self.index.extended(messages),
            (*self.variants, *(number for number, (node, key) in pairs if key != node.key)),
        )


@dataclass(slots=True, repr=False)
class Family:
    """All conversations that begin with one message."""

    size: int = 0
    trails: list[Trail] = field(default_factory=list)
    """Newest last."""


@dataclass(slots=True, repr=False)
class Memo:
    """All trees of one process. Not for use by several threads at once."""

    seed: int
    max_bytes: int = 256 * 1024 * 1024
    roots: dict[Tree, Node] = field(default_factory=dict)
    families: OrderedDict[tuple[Tree, PrefixHash], Family] = field(default_factory=OrderedDict)
    """By tree and first message, least recently used first."""
    heads: OrderedDict[bytes, Head] = field(default_factory=OrderedDict)
    """Heads by everything in the request that is not a message, least recently used first."""
    leads: OrderedDict[tuple[Tree, int], Message] = field(default_factory=OrderedDict)
    """System messages at the front of a list, by fast hash, least recently used first."""
    ends: WeakValueDictionary[tuple[Tree, bytes], Turn] = field(default_factory=WeakValueDictionary)
    """The newest turn that ended with an answer of a tool, by `endings`; as long as its family is remembered."""
    taught: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)
    """Hash and time of the heads that new sessions may begin with, as last written to the store."""
    compared: OrderedDict[tuple[int, ...], tuple[Part, ...]] = field(default_factory=OrderedDict)
    """How the heads of two requests differ, by their bytes, least recently used first."""
    size: int = 0

    def hash(self, element: Raw | bytes) -> int:
        """The fast hash of some bytes."""
        return xxhash.xxh3_128_intdigest(element, self.seed)

    def hashes(self, elements: Sequence[Raw | bytes]) -> tuple[int, ...]:
        """The fast hash of each."""
        return tuple(map(xxhash.xxh3_128_intdigest, elements, repeat(self.seed)))

    def root(self, tree: Tree) -> Node:
        """Where a tree begins. It is kept with its first message."""
        return self.roots.get(tree) or Node(None, tree[0], Message(Role.SYSTEM, (), b"", 0), 0)

    def follow(self, tree: Tree, keys: tuple[int, ...]) -> Trail:
        """The known part of a conversation's way."""
        trail = self._nearest(tree, keys)
        node = trail.nodes[-1] if trail.nodes else self.root(tree)
        found: list[Node] = []
        for key in keys[len(trail.keys) :]:
            child = node.known.get(key)
            if child is None:
                break
            found.append(child)
            node = child
        begin = len(trail.keys)
        return trail.extended(keys[begin : begin + len(found)], found)

    def grow(self, tree: Tree, trail: Trail, keys: tuple[int, ...], messages: Sequence[Message]) -> Trail:
        """The whole way, its unknown rest added to the tree. `messages` belong to the last of `keys`."""
        node = trail.nodes[-1] if trail.nodes else self.root(tree)
        new, added = keys[len(trail.keys) :], 0
        if new and not trail.nodes:
            self.roots[tree] = node
        nodes: list[Node] = []
        for key, message in zip(new, messages, strict=True):
            node = _child(node, key, _named(node, message))
            nodes.append(node)
            added += NODE_OVERHEAD + len(message.raw)
        whole = trail.extended(new, nodes)
        if whole.nodes:
            self._keep(tree, whole, added)
        return whole

    def record(self, tree: Tree, trail: Trail, turn: Turn, parent: Turn | None) -> None:
        """Attach a turn to the end of its way, as the newest of everything on it."""
        turn.end = trail.nodes[-1]
        turn.end.turns[turn.record.key] = turn
        for ending in islice(endings(trail.messages), 1):
            self.ends[tree, ending] = turn
        begin = 0
        if parent is not None and parent.head == turn.head:
            parent.successor = turn
            parent.force, parent.waiting, parent.keys, parent.rewritten = None, (), (), {}  # made again where needed
            begin = turn.record.base
        for node in trail.nodes[begin:]:
            node.tips.pop(turn.head, None)
            node.tips[turn.head] = turn
        if turn.record.said:
            self._keep(tree, trail, sum(map(len, turn.record.said.values())))

    def taken_for(self, tree: Tree, trail: Trail, meant: Mapping[int, Message]) -> Trail:
        """The same way, some of its messages taken for others, now and whenever they come."""
        begin, messages = min(meant), [meant.get(place, message) for place, message in enumerate(trail.messages)]
        keys = tuple(self.hash(meant[place].raw) if place in meant else key for place, key in enumerate(trail.keys))
        nodes = self.grow(tree, trail.shortened(begin), keys, messages[begin:]).nodes
        for before, node, key in zip((self.root(tree), *nodes), nodes, trail.keys, strict=False):
            before.known[key] = node
        whole = trail.shortened(begin).extended(trail.keys[begin:], nodes[begin:])
        self._keep(tree, whole, 0)
        return whole

    def respell(self, tree: Tree, trail: Trail) -> Trail:
        """The same way after messages got back the bytes of their first sending."""
        fresh = Trail().extended(trail.keys, trail.nodes)
        self._keep(tree, fresh, 0)
        return fresh

    def _nearest(self, tree: Tree, keys: tuple[int, ...]) -> Trail:
        """The longest remembered trail that this conversation continues.

        Its last messages may be spelled otherwise now: a cache marker moves off them on every turn.
        """
        first = self.root(tree).known.get(keys[0]) if keys else None
        family = self.families.get((tree, first.prefix)) if first else None
        best, length = Trail(), 0
        for trail in family.trails if family else ():
            for count in range(len(trail.keys), max(length, len(trail.keys) - RESPELLED - 1), -1):
                if keys[:count] == trail.keys[:count]:
                    best, length = trail, count
                    break
        return best.shortened(length)

    def _keep(self, tree: Tree, trail: Trail, added: int) -> None:
        name = (tree, trail.nodes[0].prefix)
        family = self.families.setdefault(name, Family())
        self.families.move_to_end(name)
        kept = [old for old in family.trails if old.nodes != trail.nodes[: len(old.nodes)]]
        family.trails = [*kept[-TRAILS + 1 :], trail]
        family.size += added
        self.size += added
        while self.size > self.max_bytes:
            (gone, prefix), dropped = self.families.popitem(last=False)
            self.size -= dropped.size
            self._forget(gone, prefix)

    def _forget(self, tree: Tree, prefix: PrefixHash) -> None:
        root = self.root(tree)
        root.children.pop(prefix, None)
        root.known = {key: node for key, node in root.known.items() if node.prefix != prefix}
        if not root.known:
            self.roots.pop(tree, None)


def bounded(cache: OrderedDict[K, V], key: K, value: V, size: int = 4096) -> V:
    """Keep a value as the newest of a cache of at most `size` entries."""
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > size:
        cache.popitem(last=False)
    return value


def _spelled(node: Node, key: int) -> Message:
    return node.message if key == node.key else node.variants.get(key, node.message)


def _child(node: Node, key: int, message: Message) -> Node:
    """The node behind `node` for this message: an equal one under another spelling, or a new one."""
    prefix = extend_message(node.prefix, message)
    child = node.children.get(prefix)
    if child is None:
        child = node.children[prefix] = Node(node, prefix, message, key)
    elif key != child.key:
        child.variants[key] = message
    node.known[key] = child
    return child


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

"""Conversations, profiles and lineages for tests, made of sizes instead of text.

A block's identity is its name: two blocks of one name are equal, whatever else is said of them.
"""

import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from policies.core.conversation import Block, BlockHash, Conversation, Head, Kind, Message, Role
from policies.core.edits import Anchor, Edit, Placed, compose
from policies.core.lineage import Lineage, Sent
from policies.core.plan import Plan
from policies.core.profile import CacheRule, LongestPrefix, Prices, Profile

TENANT = b"tenant"
PLAIN = Prices(input=1.0, read=0.1, output=5.0)
"""Writing is free: a millionth of a dollar for each fresh token, a tenth of it for a read one."""
MICRO = 1e-6


def block_hash(name: str) -> BlockHash:
    return BlockHash(hashlib.sha256(name.encode()).digest())


def block(kind: Kind, name: str, tokens: int = 10, **fields: object) -> Block:
    whole = Block(kind, block_hash(name), tokens, markable=kind is not Kind.REASONING)
    return replace(whole, **fields)


def observation(name: str, tokens: int = 1000, **fields: object) -> Block:
    content = hashlib.sha256(name.encode()).digest()
    return block(
        Kind.OBSERVATION,
        name,
        tokens,
        **{"editable": True, "content": content, "said": content, "first_line": name, "lines": 3} | fields,
    )


def message(role: Role, *blocks: Block) -> Message:
    """A message of these blocks, numbered in their order."""
    numbered = tuple(replace(block, index=index) for index, block in enumerate(blocks))
    return Message(role, numbered, b"", sum(block.tokens for block in numbered))


def asked(name: str = "task", tokens: int = 100, **fields: object) -> Message:
    return message(Role.USER, block(Kind.TEXT, name, tokens, **fields))


def called(name: str, tokens: int = 50, **fields: object) -> Message:
    return message(Role.ASSISTANT, block(Kind.CALL, f"call {name}", tokens, **{"call_id": name} | fields))


def observed(name: str, tokens: int = 1000, **fields: object) -> Message:
    return message(Role.TOOL, observation(name, tokens, **{"call_id": name} | fields))


def thought(name: str, tokens: int = 50, *, bound: bool = True) -> Message:
    return message(Role.ASSISTANT, block(Kind.REASONING, name, tokens, bound=bound))


def steps(*sizes: int, first: int = 0, call: int = 50) -> tuple[Message, ...]:
    """A call and its observation of each size, named by their number."""
    return tuple(
        part for n, size in enumerate(sizes, start=first) for part in (called(f"o{n}", call), observed(f"o{n}", size))
    )


def head(tokens: int = 1000, **fields: object) -> Head:
    return replace(Head("model", b"tools", b"system", b"parameters", tokens), **fields)


def conversation(*messages: Message, **fields: object) -> Conversation:
    """A conversation with a head of these fields."""
    return Conversation("test", head(**fields), messages)  # type: ignore[arg-type]


def marked_at(whole: Conversation, message: int) -> Conversation:
    """As a client sends it that marks its system prompt and the last block of one message."""
    part = whole.messages[message]
    part = replace(part, blocks=(*part.blocks[:-1], replace(part.blocks[-1], marked=True)))
    messages = (*whole.messages[:message], part, *whole.messages[message + 1 :])
    return replace(whole, head=replace(whole.head, markers=1), messages=messages)


def marked_at_the_end(whole: Conversation) -> Conversation:
    return marked_at(whole, len(whole.messages) - 1)


def profile(cache: CacheRule | None = None, prices: Prices = PLAIN, **fields: object) -> Profile:
    known = Profile(
        name="model",
        provider="test",
        match=("model",),
        prices=prices,
        cache=cache or LongestPrefix(),
        context_limit=1_000_000,
        sources=(),
    )
    return replace(known, **fields)


def placed(whole: Conversation, at: int, removes: int, *, number: int = 0) -> Placed:
    """The edit of the only block of a message."""
    edit = Edit("mask", Anchor(whole.messages[at].blocks[0].hash, number), f"placeholder {at}", removes)
    return Placed(edit, at, 0)


def seen(whole: Conversation, cached: int, **fields: object) -> Lineage:
    """The lineage of a conversation whose first `cached` messages were sent at time 0."""
    tokens = whole.head.tokens + sum(message.tokens for message in whole.messages[:cached])
    last = Sent(0.0, tokens, tokens, tokens, tuple(range(cached + 1)))
    return replace(Lineage(TENANT, "session", 3, last=last, common=cached), **fields)


def after(plan: Plan, whole: Conversation, turn: int, output_usd: float = 0.0) -> Lineage:
    """What the next turn knows of this one."""
    ledger = replace(plan.ledger, output_usd=plan.ledger.output_usd + output_usd)
    return Lineage(
        TENANT, "session", turn, placed=plan.in_force, ledger=ledger, last=plan.sent, common=len(whole.messages)
    )


def as_sent(whole: Conversation, edits: Sequence[Placed]) -> list[tuple[bytes, int]]:
    """Each message as the provider sees it: an identity and its tokens."""
    found = []
    for index, part in enumerate(whole.messages):
        here = [placed for placed in edits if placed.message == index]
        of = [compose([placed.edit for placed in here if placed.block == block.index]) for block in part.blocks]
        names = [each.over(block.hash.hex()).encode() for block, each in zip(part.blocks, of, strict=True)]
        found.append((b"|".join(names), part.tokens - sum(placed.edit.removes for placed in here)))
    return found

"""Plain masking: every observation but the newest ones, by age alone. What the baselines do, whatever a policy does.

Rules of this room: a policy is measured against it, so it shares nothing with one, and does not move when policies
do. A mask stays once it is made. It must not know moments or prices.
"""

from collections.abc import Iterator, Sequence

from policies.core.conversation import Block, Kind, Message
from policies.core.edits import Anchor, Edit, Placed, anchored

NEWEST = 10
"""Observations that stay."""
FEWEST = 200
"""Tokens; shorter ones stay, and so do those that report a failure."""


def becoming(requests: Sequence[Sequence[Message]], newest: int = NEWEST) -> list[tuple[Placed, ...]]:
    """For the messages of each request of a session: what may be masked there for the first time, oldest first."""
    known: set[Anchor] = set()
    return [tuple(_new(messages, known, newest)) for messages in requests]


def _new(messages: Sequence[Message], known: set[Anchor], newest: int) -> Iterator[Placed]:
    found = [one for one in anchored(messages) if one[1].kind is Kind.OBSERVATION]
    for message, block, anchor in found[: max(0, len(found) - newest)]:
        if anchor not in known and _may_be(block):
            known.add(anchor)
            yield Placed(Edit("mask", anchor, placeholder(block), 0), message, block.index)


def _may_be(block: Block) -> bool:
    return block.editable and block.tokens >= FEWEST and not block.failed


def placeholder(block: Block) -> str:
    """As long as one that names how to get the original back."""
    name = f"hf-{block.content.hex()[:16]}"
    what = f'{block.tokens} tokens beginning "{block.first_line[:60]}"; to read them: holdfast archive get {name}'
    return f"[previous {block.lines} lines elided: {what}]"

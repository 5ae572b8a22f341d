"""Changes to a conversation: what may be asked for, what was decided, and why.

Rules of this room: an edit anchors to a block's content and its place among equal blocks, never to a
position from the end, so it means the same on every later turn, after a restart and in a fork.
"""

import hmac
from base64 import b32encode
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from policies.core.conversation import Block, BlockHash, Kind, Message

EditKind = Literal["mask", "stabilize"]
Verdict = Literal["applied", "deferred", "rejected"]


class Anchor(Struct, frozen=True, array_like=True):
    """The `nth` block (from 0) with this hash, in the order of the conversation."""

    block: BlockHash
    nth: int = 0


class Edit(Struct, frozen=True):
    """Replace the content of one observation by `text`. `removes`: tokens saved on each later turn (estimate)."""

    kind: EditKind
    anchor: Anchor
    text: str
    removes: int
    archive_id: str = ""
    """The id under which the original can be read back; in the archive before the edit is sent."""


def archive_id(tenant: bytes, content: bytes) -> str:
    """The id of an original, from the SHA-256 of its text: the same in every process, meaningless to other tenants.

    80 bits under the tenant's digest: a chance collision needs 10^12 originals, and the archive refuses one.
    """
    return "hf-" + b32encode(hmac.digest(tenant, content, "sha256")[:10]).decode().lower()


class Placed(Struct, frozen=True):
    """An edit and where its block stands in one request: message and block, both from 0."""

    edit: Edit
    message: int
    block: int


class Arithmetic(Struct, frozen=True):
    """The figures behind a verdict; tokens are estimates, money is in USD."""

    suffix_tokens: int = 0
    """Cached tokens from the first changed block to the end: what the edit makes the provider compute again."""
    removed_tokens: int = 0
    price_usd: float = 0.0
    """One-off cost of this turn's edit; negative where it saves at once (cold cache, tier)."""
    rent_usd: float = 0.0
    """Savings forgone so far by waiting."""
    saving_usd: float = 0.0
    """Saved on each later turn."""


class Decision(Struct, frozen=True):
    """One proposal and what became of it. `reason` is a fixed word, used as a metric label."""

    edit: Edit
    verdict: Verdict
    reason: str


def observations(messages: Sequence[Message]) -> Iterator[tuple[int, Block, Anchor]]:
    """Every observation with its message's index and its anchor, in order."""
    seen: dict[BlockHash, int] = {}
    for index, message in enumerate(messages):
        for block in message.blocks:
            if block.kind is Kind.OBSERVATION:
                nth = seen.get(block.hash, 0)
                seen[block.hash] = nth + 1
                yield index, block, Anchor(block.hash, nth)


def locate(messages: Sequence[Message], edits: Sequence[Edit]) -> tuple[Placed, ...]:
    """The edits whose blocks stand in this request, in its order. An edit whose block is gone is left out."""
    wanted = {edit.anchor: edit for edit in edits}
    if not wanted:
        return ()
    return tuple(
        Placed(wanted[anchor], index, block.index)
        for index, block, anchor in observations(messages)
        if anchor in wanted
    )

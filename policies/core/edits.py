"""Changes to a conversation: what may be asked for, what was decided, and why.

Rules of this room: an edit anchors to a block's content and its place among equal blocks, never to a
position from the end, so it means the same on every later turn, after a restart and in a fork.
A block carries at most one shape, at most one mask, and any number of notes. The model reads the mask's text,
else the shape's, else the original, then the notes in the order in which they were made.
"""

import hmac
from base64 import b32encode
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from policies.core.conversation import Block, BlockHash, Kind, Message, Role

EditKind = Literal["mask", "shape", "stabilize", "tools", "recite", "recall"]
"""The rule that made it."""
Verdict = Literal["applied", "deferred", "rejected"]

FIRST_SENDING = "first_sending"
"""Why an edit of a block that was never sent is applied at once: it costs no cache."""


class Anchor(Struct, frozen=True, array_like=True):
    """The `nth` block (from 0) with this hash, in the order of the conversation."""

    block: BlockHash
    nth: int = 0


class Edit(Struct, frozen=True):
    """Replace the content of one observation by `text`, or append a note to one block.

    `removes`: tokens saved on each later turn (estimate); of a note negative, of a mask counted from what stood
    there before it.
    """

    kind: EditKind
    anchor: Anchor
    text: str
    removes: int
    archive_id: str = ""
    """The id under which the original can be read back; in the archive before the edit is sent."""
    way: Literal["replace", "append"] = "replace"
    needs: str = ""
    """The archive id of an earlier observation that this text points to: while this stands, that one is as new."""


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


class Composed(Struct, frozen=True):
    """All edits of one block together."""

    text: str | None = None
    """In place of the original; None: the original stays."""
    notes: tuple[str, ...] = ()

    def over(self, original: str) -> str:
        """What the model reads."""
        return noted(original if self.text is None else self.text, self.notes)


def noted(text: str, notes: Sequence[str]) -> str:
    """A text with notes behind it, each behind a blank line."""
    return "\n\n".join((text, *notes))


def compose(edits: Sequence[Edit]) -> Composed:
    """The edits of one block, in the order in which they were made."""
    replaced = [edit for edit in edits if edit.way == "replace"]
    masks = [edit for edit in replaced if edit.kind == "mask"]
    text = next((edit.text for edit in (*masks, *replaced)), None)
    return Composed(text, tuple(edit.text for edit in edits if edit.way == "append"))


def merged(earlier: tuple[Placed, ...], taken: Sequence[Placed]) -> tuple[Placed, ...]:
    """Edits in force and those that come to them, in the order of the request; of one block in that of their making."""
    if not taken:
        return earlier
    return tuple(sorted((*earlier, *taken), key=lambda placed: (placed.message, placed.block)))


def anchored(messages: Sequence[Message]) -> Iterator[tuple[int, Block, Anchor]]:
    """Every block that an edit may anchor to, with its message's index and its anchor, in order."""
    seen: dict[BlockHash, int] = {}
    for index, message in enumerate(messages):
        for block in message.blocks:
            if block.kind is Kind.OBSERVATION or (block.kind is Kind.TEXT and message.role is Role.USER):
                nth = seen.get(block.hash, 0)
                seen[block.hash] = nth + 1
                yield index, block, Anchor(block.hash, nth)


def locate(messages: Sequence[Message], edits: Sequence[Edit]) -> tuple[Placed, ...]:
    """The edits whose blocks stand in this request, in its order. An edit whose block is gone is left out."""
    wanted: dict[Anchor, dict[Edit, None]] = {}
    for edit in edits:
        wanted.setdefault(edit.anchor, {})[edit] = None
    if not wanted:
        return ()
    return tuple(
        Placed(edit, index, block.index)
        for index, block, anchor in anchored(messages)
        for edit in wanted.get(anchor, ())
    )

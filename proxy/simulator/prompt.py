"""A request as the provider's cache reads it: tools, system, messages, in one row of pieces.

Rules of this room: cache markers are no content, and a plain string is the same as one text block.
Whatever setting is part of the cache's identity stands in `salts`, before the segment that it
invalidates. It knows no wire format.
"""

import hashlib
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Count = Callable[[str], int]
Segment = Literal["tools", "system", "messages"]
SEGMENTS: tuple[Segment, ...] = ("tools", "system", "messages")
PieceKind = Literal["tool", "text", "call", "result", "reasoning", "media", "other"]

MEDIA_TOKENS = 1_000
"""An image or file, whatever its size. No provider counts base64; ours is a round figure, not a measured one."""


def four_bytes_a_token(text: str) -> int:
    """The counter used where none is given: deterministic, additive by block, near enough to English text."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


LONG_LIVES = ("1h", "12h")


class Piece(Struct, frozen=True):
    """The smallest part that can match or differ. `head` is what the model sees around the text: names and ids."""

    segment: Segment
    role: str
    kind: PieceKind
    head: str
    text: str
    tokens: int
    ttl: str = ""
    """The life asked for by a cache marker on it; "" for no marker."""
    path: str = ""

    @property
    def identity(self) -> bytes:
        row = "\x00".join((self.segment, self.role, self.kind, self.head, self.text))
        return hashlib.sha256(row.encode("utf-8", "surrogatepass")).digest()


class Prompt(Struct, frozen=True):
    """All pieces of a request, in the order in which the provider computes them."""

    pieces: tuple[Piece, ...]
    salts: tuple[tuple[Segment, str], ...] = ()
    ends: tuple[int, ...] = ()
    """Counts of pieces after which an eligible message ends (where OpenAI puts breakpoints by itself)."""
    implicit: bool = True
    """The provider may place a breakpoint of its own."""
    life: str = ""
    """The life of a breakpoint that the provider places."""

    @property
    def total(self) -> int:
        return sum(piece.tokens for piece in self.pieces)

    def links(self) -> tuple[bytes, ...]:
        """The identity of each prefix: one link after every piece."""
        salts, link, opened, row = dict(self.salts), b"", -1, []
        for piece in self.pieces:
            place = SEGMENTS.index(piece.segment)
            for segment in SEGMENTS[opened + 1 : place + 1]:
                link = hashlib.sha256(link + salts.get(segment, "").encode("utf-8", "surrogatepass")).digest()
            opened = max(opened, place)
            link = hashlib.sha256(link + piece.identity).digest()
            row.append(link)
        return tuple(row)

    def sums(self) -> tuple[int, ...]:
        """Tokens up to and including each piece."""
        total, row = 0, []
        for piece in self.pieces:
            total += piece.tokens
            row.append(total)
        return tuple(row)


def bindings(pieces: tuple[Piece, ...], salt: str = "") -> tuple[str, ...]:
    """What stands before each piece, and before what follows the last: reasoning may be bound to it (T1, T2).

    Reasoning itself is left out: it may be removed from the start, from the end, or altogether.
    """
    state = hashlib.sha256(salt.encode("utf-8", "surrogatepass"))
    row = []
    for piece in pieces:
        row.append(state.hexdigest()[:32])
        if piece.kind != "reasoning":
            state.update(piece.identity)
    return (*row, state.hexdigest()[:32])

"""Anthropic's rules for cache markers, and where the automatic one lands (T8; prompt-caching page)."""

from msgspec.structs import replace

from proxy.simulator.messages.fields import MOST_MARKERS
from proxy.simulator.messages.pieces import ttl_of
from proxy.simulator.nodes import Node
from proxy.simulator.prompt import Piece
from proxy.simulator.refusals import Refusal


def marked(body: Node, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """The pieces with all markers that count, the automatic one included."""
    automatic = ttl_of(body)
    explicit = tuple(piece for piece in pieces if piece.ttl)
    if len(explicit) + bool(automatic) > MOST_MARKERS:
        found = len(explicit) + bool(automatic)
        raise Refusal(400, f"A maximum of {MOST_MARKERS} blocks with cache_control may be provided. Found {found}.")
    if automatic:
        pieces = _with_automatic(pieces, automatic)
    _check_order(pieces)
    return pieces


def _with_automatic(pieces: tuple[Piece, ...], ttl: str) -> tuple[Piece, ...]:
    """The marker goes to the last block that can carry one; a block that has one keeps its own."""
    for place in range(len(pieces) - 1, -1, -1):
        piece = pieces[place]
        if piece.kind == "reasoning" or (piece.kind == "text" and not piece.text):
            continue
        if piece.ttl and piece.ttl != ttl:
            raise Refusal(
                400,
                f"cache_control: the automatic marker asks for a ttl of {ttl}, but the last block is marked with "
                f"{piece.ttl}.",
            )
        return (*pieces[:place], replace(piece, ttl=ttl), *pieces[place + 1 :])
    return pieces


def _check_order(pieces: tuple[Piece, ...]) -> None:
    short = False
    for piece in pieces:
        if piece.ttl == "1h" and short:
            raise Refusal(
                400,
                f"{piece.path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, "
                "`messages`.",
            )
        short = short or piece.ttl == "5m"

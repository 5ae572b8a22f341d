"""Prompts seen before, as a tree of pieces: where a new one leaves the known paths."""

from dataclasses import dataclass, field

from proxy.simulator.prompt import Count, Piece


@dataclass
class Branch:
    """One piece after its predecessors. `used` is when a request last went through it; `whole`: a unit ends here."""

    piece: Piece | None = None
    used: float = 0.0
    whole: bool = False
    next: dict[bytes, "Branch"] = field(default_factory=dict)


def follow(root: Branch, pieces: tuple[Piece, ...], since: float) -> tuple[Branch, ...]:
    """The branches of the longest known path that was used after `since`."""
    path, here = [], root
    for piece in pieces:
        found = here.next.get(piece.identity)
        if found is None or found.used <= since:
            break
        path.append(found)
        here = found
    return tuple(path)


def grow(root: Branch, pieces: tuple[Piece, ...], now: float) -> tuple[Branch, ...]:
    """Walks the path, making what is missing, and marks it as used."""
    path, here = [], root
    for piece in pieces:
        here = here.next.setdefault(piece.identity, Branch(piece))
        here.used = max(here.used, now)
        path.append(here)
    return tuple(path)


def partial(branch: Branch, piece: Piece, since: float, count: Count) -> int:
    """Tokens that the piece shares with the beginning of one that stood in its place before."""
    shared = 0
    for other in branch.next.values():
        if other.piece is not None and other.used > since and _alike(other.piece, piece):
            shared = max(shared, shared_tokens(other.piece.text, piece.text, count))
    return shared


def _alike(one: Piece, other: Piece) -> bool:
    return (one.segment, one.role, one.kind, one.head) == (other.segment, other.role, other.kind, other.head)


def shared_tokens(one: str, other: str, count: Count) -> int:
    """Whole tokens of the common beginning; a token that the next character would still change is not shared."""
    length = _common(one, other)
    if length == 0:
        return 0
    tokens = count(one[:length])
    longer = max((count(text[: length + 1]) for text in (one, other) if len(text) > length), default=tokens + 1)
    return tokens if longer > tokens else tokens - 1


def _common(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low

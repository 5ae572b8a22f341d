"""Anthropic: entries are written at markers only, and found from a marker by looking back.

Source: platform.claude.com, build-with-claude/prompt-caching, read as of 2026-11.
- "The system checks at most 20 positions per breakpoint, counting the breakpoint itself as the first."
- On the Claude API a run of consecutive `tool_use` blocks is one position, and so is a run of `tool_result`.
- A prefix below the model's minimum is not cached, without an error.
- Billing by three positions: A the highest hit, B the highest 1h marker after A, C the last marker:
  read A, write B-A for an hour, C-B for five minutes.
- A read refreshes an entry for its own life; it does not turn 5m into 1h.
"""

from collections.abc import Callable

from msgspec import Struct

from policies.core.profile import Breakpoints
from proxy.simulator.bills import Reading
from proxy.simulator.prompt import LONG_LIVES, Piece, Prompt


class Entry(Struct, frozen=True):
    life: float
    expires: float


class Marked:
    """The entries of one credential for one model."""

    def __init__(self, rule: Breakpoints) -> None:
        self._rule = rule
        self._entries: dict[bytes, Entry] = {}

    def look(self, prompt: Prompt, now: float) -> tuple[Reading, Callable[[tuple[Piece, ...]], None]]:
        links, sums = prompt.links(), prompt.sums()
        markers = tuple(place for place, piece in enumerate(prompt.pieces) if piece.ttl)
        places = positions(prompt.pieces)
        hits = tuple(hit for marker in markers if (hit := self._found(marker, places, links, now)) is not None)
        highest = max(hits, default=-1)
        writes = tuple(m for m in markers if m > highest and sums[m] >= self._rule.minimum)

        def keep(_: tuple[Piece, ...]) -> None:
            for hit in hits:
                life = self._entries[links[hit]].life
                self._entries[links[hit]] = Entry(life, now + life)
            for place in writes:
                life = self._life(prompt.pieces[place].ttl)
                self._entries[links[place]] = Entry(life, now + life)

        return _reading(prompt, sums, highest, writes), keep

    def _found(self, marker: int, places: tuple[int, ...], links: tuple[bytes, ...], now: float) -> int | None:
        """The nearest entry that this marker can see."""
        for place in range(marker, -1, -1):
            if places[marker] - places[place] >= self._rule.lookback:
                return None
            entry = self._entries.get(links[place])
            if entry is not None and now < entry.expires:
                return place
        return None

    def _life(self, ttl: str) -> float:
        long = self._rule.long_ttl
        return long if ttl in LONG_LIVES and long is not None else self._rule.ttl


def positions(pieces: tuple[Piece, ...]) -> tuple[int, ...]:
    """The position of each piece: a run of calls, or of results, is one."""
    row: list[int] = []
    for place, piece in enumerate(pieces):
        joined = place > 0 and piece.kind in ("call", "result") and pieces[place - 1].kind == piece.kind
        row.append(row[-1] if joined else place if not row else row[-1] + 1)
    return tuple(row)


def _reading(prompt: Prompt, sums: tuple[int, ...], highest: int, writes: tuple[int, ...]) -> Reading:
    a = sums[highest] if highest >= 0 else 0
    b = max((sums[place] for place in writes if prompt.pieces[place].ttl in LONG_LIVES), default=a)
    c = max((sums[place] for place in writes), default=a)
    return Reading(total=prompt.total, read=a, write=c - b, write_long=b - a)

"""OpenAI from GPT-5.6: entries end at breakpoints, the client's and one of the provider's own.

Source: developers.openai.com, guides/prompt-caching, and the `prompt_cache_options` texts of the openai package.
- Implicit mode writes ONE breakpoint, at the end of the latest eligible message (a user message, the last of a run
  of tool responses, the last developer message of the initial run), and up to the latest three explicit ones.
  Explicit mode writes up to the latest four explicit ones; without any, nothing is read or written.
- Looked up are the first 2 and the latest 50 explicit breakpoints and, in implicit mode, the implicit one and the
  ends of 20 earlier messages. (The package's text says the latest 80; the guide's smaller figure is taken.)
- What implicit mode wrote is not found after a switch to explicit mode.
- A boundary is exact; a message that was extended in place has lost its entry. Nothing below the minimum.
- An entry lives at least its time after the last write or reuse.
"""

from collections.abc import Callable

from msgspec import Struct

from policies.core.profile import Breakpoints
from proxy.simulator.bills import Reading
from proxy.simulator.prompt import LONG_LIVES, Piece, Prompt

FIRST, LATEST, ENDS, WRITES = 2, 50, 20, 4


class Entry(Struct, frozen=True):
    life: float
    expires: float
    explicit: bool


class Automatic:
    """The entries of one credential for one model."""

    def __init__(self, rule: Breakpoints) -> None:
        self._rule = rule
        self._entries: dict[bytes, Entry] = {}

    def look(self, prompt: Prompt, now: float) -> tuple[Reading, Callable[[tuple[Piece, ...]], None]]:
        links, sums = prompt.links(), prompt.sums()
        explicit = tuple(place for place, piece in enumerate(prompt.pieces) if piece.ttl)
        ends = tuple(end - 1 for end in prompt.ends) if prompt.implicit else ()
        highest = self._highest(links, explicit, ends, now)
        latest = explicit[-(WRITES - 1) :] if ends else explicit[-WRITES:]
        asked = sorted({*latest, *ends[-1:]})
        writes = tuple(place for place in asked if place > highest and sums[place] >= self._rule.minimum)

        def keep(_: tuple[Piece, ...]) -> None:
            if highest >= 0:
                entry = self._entries[links[highest]]
                self._entries[links[highest]] = Entry(entry.life, now + entry.life, entry.explicit)
            for place in writes:
                life = self._life(_ttl(prompt, place))
                self._entries[links[place]] = Entry(life, now + life, place in explicit)

        return _reading(prompt, sums, highest, writes), keep

    def _highest(self, links: tuple[bytes, ...], explicit: tuple[int, ...], ends: tuple[int, ...], now: float) -> int:
        asked = {*explicit[:FIRST], *explicit[-LATEST:]}
        hits = [place for place in asked if self._live(links[place], now, explicit=True)]
        hits += [place for place in ends[-(ENDS + 1) :] if self._live(links[place], now, explicit=False)]
        return max(hits, default=-1)

    def _live(self, link: bytes, now: float, *, explicit: bool) -> bool:
        entry = self._entries.get(link)
        return entry is not None and now < entry.expires and (entry.explicit or not explicit)

    def _life(self, ttl: str) -> float:
        long = self._rule.long_ttl
        return long if ttl in LONG_LIVES and long is not None else self._rule.ttl


def _ttl(prompt: Prompt, place: int) -> str:
    return prompt.pieces[place].ttl or prompt.life


def _reading(prompt: Prompt, sums: tuple[int, ...], highest: int, writes: tuple[int, ...]) -> Reading:
    read = sums[highest] if highest >= 0 else 0
    long = max((sums[place] for place in writes if _ttl(prompt, place) in LONG_LIVES), default=read)
    last = max((sums[place] for place in writes), default=read)
    return Reading(total=prompt.total, read=read, write=last - long, write_long=long - read)

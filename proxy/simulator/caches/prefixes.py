"""The longest prefix of any recent request: older OpenAI models, Gemini, llama.cpp, and vLLM by whole blocks.

Sources: OpenAI guides/prompt-caching (before GPT-5.6: from 1,024 tokens, reported in steps of 128); Gemini docs,
caching (a minimum by model); llama.cpp server, measured: to the token, one token is always computed.
"""

from collections.abc import Callable

from policies.core.profile import LongestPrefix
from proxy.simulator.bills import Reading
from proxy.simulator.caches.tree import Branch, follow, grow, partial
from proxy.simulator.prompt import Count, Piece, Prompt


class Prefixes:
    """The requests of one credential to one model."""

    def __init__(self, rule: LongestPrefix, count: Count) -> None:
        self._rule, self._count = rule, count
        self._roots: dict[object, Branch] = {}

    def look(self, prompt: Prompt, now: float) -> tuple[Reading, Callable[[tuple[Piece, ...]], None]]:
        root = self._roots.setdefault(prompt.salts, Branch())
        path = follow(root, prompt.pieces, now - self._rule.ttl)
        common = sum(piece.tokens for piece in prompt.pieces[: len(path)])
        if len(path) < len(prompt.pieces):
            here = path[-1] if path else root
            common += partial(here, prompt.pieces[len(path)], now - self._rule.ttl, self._count)

        def keep(_: tuple[Piece, ...]) -> None:
            grow(root, prompt.pieces, now)

        return Reading(total=prompt.total, read=self._rounded(common, prompt.total)), keep

    def _rounded(self, common: int, total: int) -> int:
        read = max(0, min(common, total - self._rule.holdback))
        read -= read % self._rule.step
        return read if read >= self._rule.minimum else 0

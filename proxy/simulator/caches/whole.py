"""DeepSeek V4: a cached prefix is one unit, and a request reads it only by matching all of it.

Source: api-docs.deepseek.com, guides/kv_cache. A unit ends where a request ended, where its answer ended, and where
two requests were seen to part (A+B, then A+C: nothing is read; a third A+D reads A). The fixed-interval cuts that
the page mentions are left out, because their interval is not published: the estimate is the lower one.
"""

from collections.abc import Callable

from policies.core.profile import Units
from proxy.simulator.bills import Reading
from proxy.simulator.caches.tree import Branch, follow, grow
from proxy.simulator.prompt import Piece, Prompt


class Whole:
    """The units of one credential for one model."""

    def __init__(self, rule: Units) -> None:
        self._rule = rule
        self._roots: dict[object, Branch] = {}

    def look(self, prompt: Prompt, now: float) -> tuple[Reading, Callable[[tuple[Piece, ...]], None]]:
        root = self._roots.setdefault(prompt.salts, Branch())
        path = follow(root, prompt.pieces, now - self._rule.ttl)
        units = [place for place, branch in enumerate(path) if branch.whole]
        read = prompt.sums()[units[-1]] if units else 0

        def keep(answer: tuple[Piece, ...]) -> None:
            asked = grow(root, prompt.pieces, now)
            said = grow(asked[-1] if asked else root, answer, now)
            for end in (path[-1:], asked[-1:], said[-1:]):
                for branch in end:
                    branch.whole = True

        return Reading(total=prompt.total, read=read if read >= self._rule.minimum else 0), keep

"""The simulated providers' prompt caches, one file per rule, each from the provider's own documents.

Rules of this room: nothing is shared with the planner's models of the same caches, so that a test
can set one against the other. `look` tells what a prompt reads and writes and changes nothing;
what it returns beside is called when the response begins, for only then an entry can be used
(Anthropic, prompt-caching: "available after the first response begins"). Lives count from the
start of the request.
"""

from collections.abc import Callable
from typing import Protocol, assert_never

from policies.core.profile import Breakpoints, LongestPrefix, Profile, TokenBlocks, Units
from proxy.simulator.bills import Reading
from proxy.simulator.caches.automatic import Automatic
from proxy.simulator.caches.marked import Marked
from proxy.simulator.caches.prefixes import Prefixes
from proxy.simulator.caches.whole import Whole
from proxy.simulator.prompt import Count, Piece, Prompt

Keep = Callable[[tuple[Piece, ...]], None]
"""Called with what the model answers, as pieces."""


class Cache(Protocol):
    """The cache of one credential for one model."""

    def look(self, prompt: Prompt, now: float) -> tuple[Reading, Keep]: ...


def open_cache(profile: Profile, count: Count) -> Cache:
    rule = profile.cache
    match rule:
        case Breakpoints():
            return Automatic(rule) if rule.automatic else Marked(rule)
        case LongestPrefix():
            return Prefixes(rule, count)
        case TokenBlocks():
            # vLLM computes at least the last token, and only full blocks are found (docs, design/prefix_caching).
            return Prefixes(LongestPrefix(step=rule.size, ttl=rule.ttl, holdback=1), count)
        case Units():
            return Whole(rule)
        case _:
            assert_never(rule)


class Shelves:
    """All caches. Credentials never share one (Anthropic: per workspace; OpenAI: per organisation)."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._caches: dict[tuple[str, str], Cache] = {}

    def look(self, credential: str, model: str, profile: Profile, prompt: Prompt, now: float) -> tuple[Reading, Keep]:
        key = (credential, model)
        if key not in self._caches:
            self._caches[key] = open_cache(profile, self._count)
        return self._caches[key].look(prompt, now)

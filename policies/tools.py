"""Keep the list of tools append-only: what was listed stays listed, and what is new goes last.

Tools stand in front of everything, so a list that gets shorter loses the whole conversation behind it: a request
for a summary without tools, a planning step, a mode with fewer of them. While the provider holds what was
listed, the list goes out as before, and what the client has withdrawn is disallowed by `tool_choice`: the model
cannot call it. Where a wire format or a model has no way to say so, the client's own list goes.

An agent that adds tools as it goes on loses the same, so it may begin with all that it came to list before.
"""

from collections.abc import Sequence

from msgspec import Struct

from policies.core.heads import Tool
from policies.core.profile import Prices

SESSIONS = 32
"""Of an agent, after which what they lost counts half: what it does now counts more than what it did once."""


class Tools(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the tools policy."""

    append_only: bool = True
    """Go on listing tools that the client withdraws, disallowed, while the cache holds them; list new ones last."""
    catalogue: bool = False
    """Begin a session with all tools that its agent came to list before; those it does not list yet are disallowed."""


class Growth(Struct, frozen=True):
    """What became of an agent's lists of tools, session by session."""

    sessions: int = 0
    """That began."""
    tokens: int = 0
    """That stood in the cache wherever one of them added tools."""

    def begun(self) -> "Growth":
        """With one session more."""
        half = 2 if self.sessions >= SESSIONS else 1
        return Growth(self.sessions // half + 1, self.tokens // half)

    def grown(self, tokens: int) -> "Growth":
        """With tools added behind so many tokens."""
        return Growth(self.sessions, self.tokens + tokens)

    def outweighs(self, definitions: int, prices: Prices, turns: float) -> bool:
        """Whether losing what a session did lose on average costs more than so many tokens of definitions.

        They are paid once, and read again on so many turns.
        """
        lost = self.tokens / max(1, self.sessions) * (prices.input - prices.read)
        return lost > definitions * (prices.input + turns * prices.read)


class Change(Struct, frozen=True):
    """What became of a list of tools: those that stay are in the order of the list before."""

    stay: tuple[str, ...]
    withdrawn: tuple[str, ...]
    added: tuple[str, ...]


def change_of(before: Sequence[Tool], after: Sequence[Tool]) -> Change | None:
    """None where a name stands twice."""
    old, new = dict(before), dict(after)
    if len(old) != len(before) or len(new) != len(after):
        return None
    return Change(
        tuple(name for name in old if name in new),
        tuple(name for name in old if name not in new),
        tuple(name for name in new if name not in old),
    )

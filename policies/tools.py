"""Keep the list of tools append-only: what was listed stays listed, and what is new goes last.

Tools stand in front of everything, so a list that gets shorter loses the whole conversation behind it: a request
for a summary without tools, a planning step, a mode with fewer of them. While the provider holds what was
listed, the list goes out as before, and what the client has withdrawn is disallowed by `tool_choice`: the model
cannot call it. Where a wire format or a model has no way to say so, the client's own list goes.
"""

from collections.abc import Sequence

from msgspec import Struct

from policies.core.heads import Tool


class Tools(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the tools policy."""

    append_only: bool = True
    """Go on listing tools that the client withdraws, disallowed, while the cache holds them; list new ones last."""


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

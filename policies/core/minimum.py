"""What must not be made smaller: a prefix that the provider would no longer cache at all (provider rules, T10).

A shape costs no cache, but where the context is short it may leave less than the provider caches, and the next turn
computes all of it again. An observation that was not shaped at its first sending never is (STICKY), and none can be
given back. So a shape is only made where the prefix that ends with it, as sent, can be cached: then every prefix that
holds a shape can be, wherever the client's markers stand, and whenever the run ends.

Rules of this room: pure; tokens are estimates. Notes only add.
"""

from collections.abc import Sequence

from policies.core.conversation import Conversation
from policies.core.edits import Decision, Placed
from policies.core.index import Index, force_of
from policies.core.lineage import Lineage
from policies.core.prefix_cache import rounded
from policies.core.profile import Profile


def cacheable(
    conversation: Conversation, lineage: Lineage, fresh: Sequence[Placed], profile: Profile, index: Index | None = None
) -> tuple[tuple[Placed, ...], tuple[Decision, ...]]:
    """Of edits of what was never sent (in the order of the request): those to make, and a verdict on the others."""
    index = index or Index().extended(conversation.messages)
    force = lineage.force or force_of(lineage.placed)
    removed, made, left = 0, [], []
    for placed in fresh:
        behind = placed.message + 1
        sent = conversation.head.tokens + index.tokens[behind] - force.total + force.removed_behind(behind) - removed
        tokens = sent - placed.edit.removes
        if placed.edit.way == "replace" and not rounded(profile.cache, tokens, tokens + 1):
            left.append(Decision(placed.edit, "rejected", "below_minimum"))
            continue
        made.append(placed)
        removed += placed.edit.removes
    return tuple(made), tuple(left)

"""Replace an old observation by a short placeholder that says what it was and how to get it back.

The placeholder depends on the block alone, so it is the same on every turn, after a restart and in
a fork. Which moments are right is the planner's to say: this module proposes whatever is old enough.
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from policies.core.conversation import Block, Conversation
from policies.core.edits import Edit, Placed, archive_id
from policies.core.index import Force, Index, Observed, force_of
from policies.core.lineage import Lineage

PLACEHOLDER_TOKENS = 80
"""What a placeholder is taken to cost. An upper estimate, also where a model counts a fifth more than o200k."""

NAMED_TOKENS = 22
"""Of those, for the tool's name and the first line; they are cut to fit."""
TOOL_TOKENS = 12
"""Of those, at most for the tool's name."""


class MaskForTool(Struct, frozen=True, forbid_unknown_fields=True):
    """Mask settings of one tool; null takes the policy's."""

    keep_newest: int | None = None
    min_tokens: int | None = None
    keep_errors: bool | None = None
    when: Literal["pays", "never"] | None = None


class Mask(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the mask policy."""

    keep_newest: int = 10
    """Observations newer than an observation that keep it from being masked."""
    min_tokens: int = 200
    """Shorter observations are left alone."""
    keep_errors: bool = True
    """Observations that report a failure are left alone."""
    exclude_tools: tuple[str, ...] = ()
    """Tools (shell patterns) whose observations are never masked."""
    when: Literal["pays", "always", "on_pressure", "never"] = "pays"
    """pays: at the moments that the planner finds. always: every turn. on_pressure: only near the limit."""

    def propose(
        self,
        conversation: Conversation,
        lineage: Lineage,
        settings_for: Callable[[str], "Mask"] | None = None,
        index: Index | None = None,
    ) -> tuple[Placed, ...]:
        """Every observation that may be masked and is not yet, oldest first.

        `settings_for`: the settings of a tool by its name, where tools differ. `index`: of the
        conversation's messages, where one is at hand.
        """
        if self.when == "never":
            return ()
        index = index or Index().extended(conversation.messages)
        force = lineage.force or force_of(lineage.placed)
        waiting = {(placed.message, placed.block): placed for placed in lineage.waiting}
        total = len(index.observations)
        return tuple(
            _again(waiting, one) or Placed(_edit(lineage.tenant, one, force), one.message, one.block.index)
            for order, one in enumerate(index.observations)
            if _standing(one, force) > PLACEHOLDER_TOKENS
            and (one.message, one.block.index) not in force.blocks
            and (settings_for(one.tool) if settings_for else self)._allows(one, total - order - 1)
        )

    def _allows(self, one: Observed, newer: int) -> bool:
        block = one.block
        return (
            newer >= self.keep_newest
            and block.editable
            and block.tokens >= self.min_tokens
            and self.when != "never"
            and not (self.keep_errors and block.failed)
            and not any(fnmatchcase(one.tool, pattern) for pattern in self.exclude_tools)
        )


def placeholder(block: Block, identity: str) -> str:
    """What stands in an observation's place, worded like the elisions that agents know."""
    tool, left = _cut(block.tool, TOOL_TOKENS * 10)
    line, _ = _cut(block.first_line[:60], NAMED_TOKENS * 10 - TOOL_TOKENS * 10 + left)
    what = f"{tool} output, " if tool else ""
    began = f' beginning "{line}"' if line else ""
    return (
        f"[previous {block.lines} lines elided: {what}{block.tokens} tokens{began}; "
        f"to read them: holdfast archive get {identity}]"
    )


def _cut(text: str, left: int) -> tuple[str, int]:
    """The beginning of a text that fits, and what is left over, in tenths of a token."""
    for at, char in enumerate(text):
        price = 5 if "a" <= char <= "z" or char == " " else 10 * len(char.encode("utf-8", "replace"))
        if price > left:
            return text[:at], left
        left -= price
    return text, left


def _again(waiting: Mapping[tuple[int, int], Placed], one: Observed) -> Placed | None:
    """What was proposed for this block the turn before."""
    before = waiting.get((one.message, one.block.index))
    return before if before and before.edit.anchor == one.anchor else None


def _standing(one: Observed, force: Force) -> int:
    """Tokens of what stands there now: a shape has made it smaller."""
    return one.block.tokens - force.shaped.get((one.message, one.block.index), 0)


def _edit(tenant: bytes, one: Observed, force: Force) -> Edit:
    identity = archive_id(tenant, one.block.content)
    removes = _standing(one, force) - PLACEHOLDER_TOKENS
    return Edit("mask", one.anchor, placeholder(one.block, identity), removes, identity)

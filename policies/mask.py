"""Replace an old observation by a short placeholder that says what it was and how to get it back.

What is old: `keep_newest` newer observations make one old; half as many once the agent has taken something from it
and has stopped (core/liveness.py), and where it is superseded or only answers a call that wrote. A failure stays
twice as long, whatever is made of it: an agent that no longer sees it repeats it. Where the agent asks again for
something that was masked, that tool's observations stay two, three and four times as long in this lineage. What it
reads back from the archive stays twice as long, until it has taken something from it. Short lives do not only free
more: they make an edit cheap, since little stands behind it that must be computed again.

The placeholder depends on the block and its call alone, so it is the same on every turn, after a restart and in
a fork. It names what a later step is most likely to ask for, the more the longer the original. Which moments
are right is the planner's to say: this module proposes whatever is old enough.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from policies.core.conversation import Block, Conversation
from policies.core.edits import Edit, Placed, archive_id
from policies.core.health import answered
from policies.core.index import Force, Index, Observed, force_of
from policies.core.lineage import Lineage
from policies.core.liveness import Lives, lives, patience

PLACEHOLDER_TOKENS = 80
"""What a placeholder is taken to cost where nobody counts. An upper estimate, also where a model counts a fifth more
than o200k."""

FIRST_TOKENS = 22
"""Of those, for the tool's name and the first line; they are cut to fit."""
TOOL_TOKENS = 12
"""Of those, at most for the tool's name."""

NAMED_SHARE = 0.2
"""Of an observation's tokens, what may go into naming its values: 50 of 250. A name costs a few tokens once masked, and
keeps what keeping the whole would have been dear for."""
NAMED_MOST = 600
"""Tokens of names at most."""
TOKEN = 3
"""Characters of code in a token."""

DONE = 0.5
"""How long what is done with stays, in `keep_newest`."""
FAILED = 2
"""Likewise a failure: it goes last. Twice as long again costs up to a hundredth where most commands may fail."""
RECALLED = 2
"""How long stays what was read back from the archive, as long as nothing was taken from it."""


class Reader(Struct, frozen=True):
    """What a placeholder needs to know of texts, which no policy sees."""

    count: Callable[[str], int]
    """Tokens of a text."""
    named: Callable[[Observed, int], tuple[str, ...]]
    """The values of an observation that are most worth naming, in so many characters."""


class MaskForTool(Struct, frozen=True, forbid_unknown_fields=True):
    """Mask settings of one tool; null takes the policy's."""

    keep_newest: int | None = None
    min_tokens: int | None = None
    keep_errors: bool | None = None
    when: Literal["pays", "never"] | None = None


class Mask(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the mask policy."""

    keep_newest: int = 5
    """Newer observations that make one old; half as many where the agent is done with it."""
    min_tokens: int = 200
    """Shorter observations are left alone."""
    keep_errors: bool = True
    """Observations that report a failure stay twice as long."""
    exclude_tools: tuple[str, ...] = ()
    """Tools (shell patterns) whose observations are never masked."""
    when: Literal["pays", "always", "on_pressure", "never"] = "pays"
    """pays: at the moments that the planner finds. always: every turn. on_pressure: only near the limit."""
    liveness: bool = True
    """First what the agent is done with, last what it comes back to. false: by age alone, and failures never."""

    def propose(
        self,
        conversation: Conversation,
        lineage: Lineage,
        settings_for: Callable[[str], "Mask"] | None = None,
        index: Index | None = None,
        reader: Reader | None = None,
    ) -> tuple[Placed, ...]:
        """Every observation that may be masked and is not yet, oldest first.

        `settings_for`: the settings of a tool by its name, where tools differ. `index`: of the
        conversation's messages, where one is at hand. Without a `reader` no value is named.
        """
        if self.when == "never":
            return ()
        index = index or Index().extended(conversation.messages)
        force = lineage.force or force_of(lineage.placed)
        waiting = {(placed.message, placed.block): placed for placed in lineage.waiting}
        read = max(0, answered(conversation) - 1)  # what stands behind the newest answer the agent has not read yet
        unread = read if self.keep_newest else len(conversation.messages)
        known, needed, rereads = lives(index), _needed(lineage, force), lineage.ledger.rereads
        made = (
            _again(waiting, one) or _placed(lineage.tenant, one, force, reader)
            for place, one in enumerate(index.observations)
            if one.message < (read if _recalled(one) else unread)
            and (one.message, one.block.index) not in force.blocks
            and (settings_for(one.tool) if settings_for else self)._allows(
                one, place, known, patience(rereads, one.tool)
            )
            and not self._needs(one, lineage.tenant, needed, known)
        )
        return tuple(placed for placed in made if placed.edit.removes > 0)

    def _allows(self, one: Observed, place: int, known: Lives, times: int) -> bool:
        block = one.block
        return (
            (block.editable or block.picture != "")
            and block.tokens >= self.min_tokens
            and self.when != "never"
            and self._is_old(one, place, known, times * self.keep_newest)
            and not any(fnmatchcase(one.tool, pattern) for pattern in self.exclude_tools)
        )

    def _is_old(self, one: Observed, place: int, known: Lives, keep: int) -> bool:
        age, fails = known.age(place), one.block.failed and self.keep_errors
        if _recalled(one) and place not in known.used and age < RECALLED * keep:
            return False
        if not self.liveness:
            return age >= self.keep_newest and not fails
        if fails:
            return age >= FAILED * keep
        if one.act is not None and one.act.writes:
            return age >= DONE * keep
        done = place in known.used or place in known.stale
        return known.idle(place) >= keep * (DONE if done else 1)

    def _needs(self, one: Observed, tenant: bytes, needed: Mapping[str, int], known: Lives) -> bool:
        """Whether a text that is not old yet points to this one."""
        message = needed.get(archive_id(tenant, one.block.content)) if needed else None
        return message is not None and known.since(message) <= self.keep_newest


def placeholder(block: Block, identity: str, tool: str = "", names: Sequence[str] = ()) -> str:
    """What stands in an observation's place, worded like the elisions that agents know."""
    tool, left = _cut(tool or block.tool, TOOL_TOKENS * 10)
    line, _ = _cut(block.first_line[:60], FIRST_TOKENS * 10 - TOOL_TOKENS * 10 + left)
    what = f"{tool} output, " if tool else ""
    began = f' beginning "{line}"' if line else ""
    named = f"; names {', '.join(names)}" if names else ""
    elided, them = (block.picture, "it") if block.picture else (f"{block.lines} lines", "them")
    return (
        f"[previous {elided} elided: {what}{block.tokens} tokens{began}{named}; "
        f"to read {them}: holdfast archive get {identity}]"
    )


def _cut(text: str, left: int) -> tuple[str, int]:
    """The beginning of a text that fits, and what is left over, in tenths of a token."""
    for at, char in enumerate(text):
        price = 5 if "a" <= char <= "z" or char == " " else 10 * len(char.encode("utf-8", "replace"))
        if price > left:
            return text[:at], left
        left -= price
    return text, left


def _recalled(one: Observed) -> bool:
    """Whether it is what was taken away before: the agent has asked for it."""
    return one.act is not None and one.act.recalls


def _needed(lineage: Lineage, force: Force) -> dict[str, int]:
    """The originals that a text in force points to, by archive id, and the last message that does."""
    return {
        placed.edit.needs: placed.message
        for placed in lineage.placed
        if placed.edit.needs and (placed.message, placed.block) not in force.blocks
    }


def _again(waiting: Mapping[tuple[int, int], Placed], one: Observed) -> Placed | None:
    """What was proposed for this block the turn before."""
    before = waiting.get((one.message, one.block.index))
    return before if before and before.edit.anchor == one.anchor else None


def _standing(one: Observed, force: Force) -> int:
    """Tokens of what stands there now: a shape has made it smaller."""
    return one.block.tokens - force.shaped.get((one.message, one.block.index), 0)


def _placed(tenant: bytes, one: Observed, force: Force, reader: Reader | None) -> Placed:
    identity = archive_id(tenant, one.block.content)
    names = reader.named(one, _room(one.block)) if reader and not one.block.picture else ()
    text = placeholder(one.block, identity, one.tool, names)
    removes = _standing(one, force) - (reader.count(text) if reader else PLACEHOLDER_TOKENS)
    return Placed(Edit("mask", one.anchor, text, removes, identity), one.message, one.block.index)


def _room(block: Block) -> int:
    """Characters for the names of a block's values."""
    return TOKEN * int(min(NAMED_SHARE * block.tokens, NAMED_MOST))

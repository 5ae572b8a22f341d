"""Context health: what stands in a context and is known to mislead a model, found by the turn that brings it.

Rules of this room: pure. A signal is raised once, when it begins, with its evidence: what, where, how many
tokens. What has been masked misleads nobody. It must not know what is done about a signal, nor how it is counted.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from msgspec import Struct

from policies.core.conversation import Act, Conversation, Role
from policies.core.index import SMALL, Force, Index, Observed
from policies.core.lineage import Lineage
from policies.core.liveness import asked_again

Sign = Literal["poisoning", "distraction", "confusion", "clash"]
Form = Literal[
    "same_failure",
    "full",
    "crowded",
    "unused_tools",
    "duplicate",
    "masked_again",
    "file_written",
    "file_read_again",
    "same_call",
]

FULL = 0.8
"""Share of the effective limit at which a context counts as full: there compaction is due (design.md, section 7)."""
HALF = 0.5
"""Share of the effective limit below which it does not matter what a context is made of."""
CROWDED = 0.9
"""Share of observations at which what was asked and said is thought to drown in them."""
CALLS = 20
"""Answered calls after which a tool that was never called counts as not needed."""
UNUSED = 2_000
"""Tokens of never used definitions that are worth a word, if they are also half of all definitions."""


class Signal(Struct, frozen=True):
    """One sign of trouble, with its evidence."""

    sign: Sign
    what: Form
    messages: tuple[int, ...] = ()
    """Where: what was there before, then the message that brings it. Leading system messages are not counted."""
    tokens: int = 0
    """That mislead or are in the way (estimate)."""
    tools: tuple[str, ...] = ()


class Frame(Struct, frozen=True):
    """A request as it is sent, and where the messages begin that no turn before it held."""

    conversation: Conversation
    index: Index
    force: Force
    limit: int
    begin: int

    @property
    def end(self) -> int:
        """How many messages it has."""
        return len(self.conversation.messages)

    @property
    def known(self) -> int:
        """How many of its observations an earlier turn has judged."""
        return bisect_left(self.index.observations, self.begin, key=lambda one: one.message)

    def shows(self, one: Observed) -> bool:
        """Whether the model sees it, and it is large enough to matter."""
        return one.block.tokens >= SMALL and (one.message, one.block.index) not in self.force.blocks


def beginning(conversation: Conversation, lineage: Lineage) -> int:
    """The first message that no earlier turn held.

    Where the client changed what it had sent, or the past is not known, only what stands behind the newest
    answer counts as new: the rest was there before, in one form or another.
    """
    if lineage.last is not None and lineage.complete:
        return min(lineage.common, len(conversation.messages))
    return max(lineage.common, answered(conversation))


def answered(conversation: Conversation) -> int:
    """How many messages there are as far as the newest answer, with it."""
    messages = conversation.messages
    return next((n for n in range(len(messages), 0, -1) if messages[n - 1].role is Role.ASSISTANT), 0)


def signals(frame: Frame) -> tuple[Signal, ...]:
    """What begins with this turn."""
    return (*_full(frame), *_crowded(frame), *_unused(frame), *_masked_again(frame), *_observed(frame))


def _full(frame: Frame) -> Iterator[Signal]:
    """Distraction: the context has passed the share of the limit behind which models lose the thread."""
    if _size(frame, frame.begin) < FULL * frame.limit <= _size(frame, frame.end):
        yield Signal("distraction", "full", (frame.end - 1,), _size(frame, frame.end))


def _crowded(frame: Frame) -> Iterator[Signal]:
    """Distraction: nearly all of a large context is observations."""
    if not _is_crowded(frame, frame.begin) and _is_crowded(frame, frame.end):
        yield Signal("distraction", "crowded", (frame.end - 1,), _seen(frame, frame.end))


def _is_crowded(frame: Frame, upto: int) -> bool:
    size = _size(frame, upto)
    return size >= HALF * frame.limit and _seen(frame, upto) >= CROWDED * size


def _size(frame: Frame, upto: int) -> int:
    """Tokens of the request as sent, as far as this message."""
    return frame.conversation.head.tokens + frame.index.tokens[upto] - _removed(frame, upto)


def _seen(frame: Frame, upto: int) -> int:
    """Tokens of the observations in it."""
    observations = frame.index.observations
    count = bisect_left(observations, upto, key=lambda one: one.message)
    last = observations[count - 1] if count else None
    return (last.before + last.block.tokens if last else 0) - _removed(frame, upto)


def _removed(frame: Frame, upto: int) -> int:
    """Tokens that masks keep out of it."""
    return frame.force.total - frame.force.removed_behind(upto)


def _unused(frame: Frame) -> Iterator[Signal]:
    """Confusion: after so many calls, most of what the tool definitions take is of tools that were never called."""
    observations = frame.index.observations
    if not frame.known < CALLS <= len(observations):
        return
    called = {call.tool for call in frame.index.calls.values()}
    definitions = frame.conversation.head.definitions
    idle = [(name, tokens) for name, tokens in definitions if name not in called]
    tokens = sum(tokens for _, tokens in idle)
    if called and tokens >= max(UNUSED, sum(tokens for _, tokens in definitions) / 2):
        yield Signal("confusion", "unused_tools", (observations[CALLS - 1].message,), tokens, tuple(n for n, _ in idle))


def _masked_again(frame: Frame) -> Iterator[Signal]:
    """Confusion: the agent asks again for what was masked."""
    tools = asked_again(frame.index, frame.force, frame.begin)
    if tools:
        yield Signal("confusion", "masked_again", (frame.end - 1,), 0, tuple(dict.fromkeys(tools)))


def _observed(frame: Frame) -> Iterator[Signal]:
    """What each new observation brings."""
    for one in islice(frame.index.observations, frame.known, None):
        yield from _poisoning(frame, one)
        yield from _duplicate(frame, one)
        yield from _clash(frame, one)


def _poisoning(frame: Frame, one: Observed) -> Iterator[Signal]:
    """The same call keeps failing."""
    before = failed_again(frame.index, one)
    if before is not None:
        tokens = before.block.tokens + one.block.tokens
        yield Signal("poisoning", "same_failure", (before.message, one.message), tokens, (one.tool,))


def failed_again(index: Index, one: Observed) -> Observed | None:
    """The answer before this one, where the same call has failed twice running in the same words.

    A third time is no news. Other words are another failure: tests run again after an edit, a build that is waited for.
    """
    if one.act is None or not one.block.failed:
        return None
    before = list(islice(index.alike(one, ("call", one.act.identity)), 2))
    alike = [each.block.failed and each.block.said == one.block.said for each in before]
    return before[0] if alike in ([True], [True, False]) else None


def _duplicate(frame: Frame, one: Observed) -> Iterator[Signal]:
    """Confusion: an observation says what one before it says."""
    if one.block.failed or not frame.shows(one):
        return
    first = next(filter(frame.shows, frame.index.alike(one, ("text", one.block.said))), None)
    if first is not None:
        yield Signal("confusion", "duplicate", (first.message, one.message), one.block.tokens, (one.tool,))


def _clash(frame: Frame, one: Observed) -> Iterator[Signal]:
    """Clash: this observation supersedes others that are still there and say what is no longer so."""
    act = one.act
    if act is None:
        return
    old = _superseded(frame, one, act)
    stale = [each for each in old if frame.shows(each) and each.block.said != one.block.said]
    if stale:
        what: Form = "file_written" if act.writes else "file_read_again" if act.files else "same_call"
        places = sorted({each.message for each in stale})
        yield Signal("clash", what, (*places, one.message), sum(each.block.tokens for each in stale), (one.tool,))


def _superseded(frame: Frame, one: Observed, act: Act) -> Iterator[Observed]:
    """The same call's answer before this one; of a file, what was read of it and is now read again or written.

    A failed call shows and writes no file, and a small answer to a read shows none either (Claude Code's "unchanged
    since last read").
    """
    if not act.files:
        yield from islice(frame.index.alike(one, ("call", act.identity)), 1)
    elif not one.block.failed and (act.writes or frame.shows(one)):
        for path in act.files:
            yield from (frame.index.observations[place] for place in frame.index.read_before(one, act, path))

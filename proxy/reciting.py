"""What the recite policy needs to read of a turn: the user's own words, the agent's list, the calls that failed again.

Rules of this room: nothing is decided here, and nothing is read before the policy asks for it. What clients put
into a user's message themselves (reminders, the environment) is not the user's own.
"""

import re
from collections.abc import Iterator

from policies.core.conversation import Block, Kind, Message, Role
from policies.core.edits import Placed
from policies.core.notes import Note
from policies.recite import Memory
from proxy.opening import Opening
from proxy.todos import Call, lists, still_open

# Recorded requests of Claude Code 2.1 and Codex 0.169; Cline's `<task>` is the user's own.
_ADDED = re.compile(
    r"<(system-reminder|environment_context|environment_details|user_instructions|local-command-\w+|command-\w+)>"
    r".*?</\1>",
    re.DOTALL,
)
_PREAMBLES = ("# AGENTS.md instructions", "This is the Gemini CLI.", "This is the Qwen Code.")


def recited(opening: Opening) -> Iterator[Note]:
    """The recitation, where one is due."""
    seen, policy = opening.seen, opening.policy
    limit = seen.profile.limit(policy.limits.effective)
    if policy.recite.due(seen.conversation, opening.lineage, seen.trail.index, limit):
        words = policy.recite.words(_memory(opening), opening.count)
        if words:
            yield Note("recite", words, opening.count(words))


def failing(opening: Opening) -> tuple[Placed, ...]:
    """A note at each new observation with which a call has failed again."""
    return opening.policy.recite.failing(opening.seen.trail.index, opening.new, opening.count)


def _memory(opening: Opening) -> Memory:
    """What is to be kept in view, less what the last message says itself."""
    last = len(opening.seen.trail.messages) - 1
    said = list(_said(opening))
    first, newest = (said[0], said[-1]) if said else ((last, ""), (last, ""))
    task, instruction = (text if place < last else "" for place, text in (first, newest))
    return Memory(task, instruction if newest != first else "", still_open(_calls(opening)))


def _said(opening: Opening) -> Iterator[tuple[int, str]]:
    """What the user said, with the message's place."""
    for place, message, block in _blocks(opening):
        if block.kind is Kind.TEXT and message.role is Role.USER:
            text = _ADDED.sub("", opening.seen.dialect.original(message.raw, block.index)).strip()
            if text and not text.startswith(_PREAMBLES):
                yield place, text


def _calls(opening: Opening) -> Iterator[Call]:
    """The calls of to-do tools with their answers, in order."""
    waiting: dict[str, Call] = {}
    for _, message, block in _blocks(opening):
        if block.kind is Kind.CALL and lists(block.tool):
            text = opening.seen.dialect.original(message.raw, block.index)
            waiting[block.call_id] = Call(block.tool, text[len(block.tool) + 1 :])
        elif block.kind is Kind.OBSERVATION and block.call_id in waiting:
            call = waiting.pop(block.call_id)
            yield Call(call.tool, call.arguments, opening.seen.dialect.original(message.raw, block.index))
    yield from waiting.values()


def _blocks(opening: Opening) -> Iterator[tuple[int, Message, Block]]:
    for place, message in enumerate(opening.seen.trail.messages):
        for block in message.blocks:
            yield place, message, block

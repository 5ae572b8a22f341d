"""Who may follow whom in an Anthropic conversation: roles, empty content, calls and their results.

Sources: docs.anthropic.com, tool use ("tool_result blocks must come first", each answers a `tool_use` of the message
before) and the API's own error texts. Consecutive messages of one role are one turn (text of `messages` in the
anthropic package); a mid-conversation system message stands between turns and does not part them.
"""

from msgspec import Struct

from proxy.simulator.nodes import Node, dotted
from proxy.simulator.refusals import Refusal


class Turn(Struct, frozen=True):
    """Consecutive messages of one role. `place` is the index of the first of them."""

    role: str
    place: int
    blocks: tuple[Node, ...]

    def of(self, kind: str) -> tuple[Node, ...]:
        return tuple(block for block in self.blocks if block.word("type") == kind)


def check_messages(body: Node) -> tuple[Turn, ...]:
    messages = body.need("messages").items()
    if not messages:
        raise Refusal(400, "messages: at least one message is required")
    _check_content(messages)
    turns = turns_of(messages)
    if turns and turns[0].role == "assistant" and not turns[0].of("compaction"):
        raise Refusal(400, 'messages: first message must use the "user" role')
    for before, turn in zip((None, *turns), turns, strict=False):
        check_results(before, turn)
    for turn, after in zip(turns, (*turns[1:], None), strict=False):
        check_calls(turn, after)
    return turns


def turns_of(messages: tuple[Node, ...]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for place, message in enumerate(messages):
        role = message.need("role").text()
        if role == "system":
            continue
        content = message.need("content")
        blocks = () if isinstance(content.value, str) else content.items()
        if turns and turns[-1].role == role:
            turns[-1] = Turn(role, turns[-1].place, turns[-1].blocks + blocks)
        else:
            turns.append(Turn(role, place, blocks))
    return tuple(turns)


def _check_content(messages: tuple[Node, ...]) -> None:
    """Empty content is refused, except in a last message of the assistant (the API's own words)."""
    for message in messages:
        content = message.need("content").value
        last = message is messages[-1] and message.word("role") == "assistant"
        if content in ("", []) and not last:
            raise Refusal(
                400,
                f"{dotted(message.path)}: all messages must have non-empty content except for the optional final "
                "assistant message",
            )
    for message in messages:
        content = message.need("content")
        for block in () if isinstance(content.value, str) else content.items():
            if block.word("type") == "text" and block.word("text") == "":
                raise Refusal(400, "messages: text content blocks must be non-empty")


def check_calls(turn: Turn, after: Turn | None) -> None:
    calls = [block.need("id").text() for block in turn.of("tool_use")]
    if len(set(calls)) < len(calls):
        raise Refusal(400, f"messages.{turn.place}: `tool_use` ids must be unique")
    if after is None and turn.role == "assistant" and not calls:
        return
    answered = {block.need("tool_use_id").text() for block in after.of("tool_result")} if after else set()
    missing = [call for call in calls if call not in answered]
    if missing:
        raise Refusal(
            400,
            f"messages.{turn.place}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message.",
        )


def check_results(before: Turn | None, turn: Turn) -> None:
    calls = {block.need("id").text() for block in before.of("tool_use")} if before else set()
    seen: set[str] = set()
    for block in turn.of("tool_result"):
        answers = block.need("tool_use_id").text()
        if answers not in calls:
            raise Refusal(
                400,
                f"{dotted(block.path)}: unexpected `tool_use_id` found in `tool_result` blocks: {answers}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
            )
        if answers in seen:
            raise Refusal(
                400, f"{dotted(block.path)}: each tool_use must have a single result. Found multiple for {answers}."
            )
        seen.add(answers)
    _check_order(turn)


def _check_order(turn: Turn) -> None:
    """Within one message the results stand before everything else."""
    for block in turn.of("tool_result"):
        place = block.path[-1]
        before = [other for other in turn.blocks if other.path[:-1] == block.path[:-1] and _at(other) < int(place)]
        if any(other.word("type") != "tool_result" for other in before):
            raise Refusal(
                400,
                f"{dotted(block.path)}: `tool_result` blocks must come first in the content of a user message, "
                "before any other block.",
            )


def _at(block: Node) -> int:
    return int(block.path[-1])

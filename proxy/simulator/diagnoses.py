"""What a provider says of a cache miss where it is asked: the first part in which two of its prompts differ.

Sources: `diagnostics` of the anthropic package, 2.12.0; `PromptCacheDiagnostics` of the openai package, 3.54.0.
Rules of this room: it compares what was sent, not what was found in a cache.
"""

from collections.abc import Mapping
from typing import Any

from proxy.simulator.apis import Asked, Memory
from proxy.simulator.nodes import Node
from proxy.simulator.prompt import SEGMENTS, Segment

ANTHROPIC = {
    "model": "model_changed",
    "tools": "tools_changed",
    "system": "system_changed",
    "messages": "messages_changed",
    "settings": "unavailable",
}
OPENAI = {"model": "model_changed", "tools": "tools_changed", "system": "input_changed", "messages": "input_changed"}


def asked_about(body: Node) -> str | None:
    """The id that a request to Anthropic names; "" where it opts in without one, None where it does not ask."""
    found = body.get("diagnostics")
    if found is None or found.value is None:
        return None
    found.only(("previous_message_id",))
    name = found.get("previous_message_id")
    return "" if name is None or name.value is None else name.text()


def anthropic_diagnosis(asked: Asked, memory: Memory) -> Mapping[str, Any]:
    """The member of an answer; only those who ask can be compared with later."""
    about = asked.options["asks"]
    if about is None:
        return {}
    before = memory.prompts.get((asked.credential, about))
    memory.prompts[asked.credential, f"msg_{asked.name}"] = asked
    if not about:
        return {"diagnostics": None}
    if before is None:
        return {"diagnostics": {"cache_miss_reason": {"type": "previous_message_not_found"}}}
    part, missed = parted(before, asked)
    if not part:
        return {"diagnostics": None}
    tokens = {} if part == "settings" else {"cache_missed_input_tokens": missed}
    return {"diagnostics": {"cache_miss_reason": {"type": ANTHROPIC[part], **tokens}}}


def openai_diagnosis(asked: Asked, memory: Memory) -> Mapping[str, Any]:
    """The member of a response that is complete."""
    memory.prompts[asked.credential, f"resp_{asked.name}"] = asked
    about = (asked.seen.body.get("prompt_cache_options") or {}).get("comparison_response_id")
    if about is None:
        return {}
    before = memory.prompts.get((asked.credential, about))
    if before is None:
        return {"prompt_cache_diagnostics": {"type": "comparison_response_not_found"}}
    part, missed = parted(before, asked)
    if not part:
        return {"prompt_cache_diagnostics": {"type": "cache_hit"}}
    if part not in OPENAI:
        return {"prompt_cache_diagnostics": {"type": "unavailable"}}
    miss = {"type": "cache_miss", "reason": OPENAI[part], "cache_missed_tokens": missed}
    return {"prompt_cache_diagnostics": miss}


def parted(before: Asked, now: Asked) -> tuple[str, int]:
    """The part that differs first and the tokens behind that place; "" where the later prompt extends the other."""
    if before.model != now.model:
        return "model", before.prompt.total
    common = 0
    for segment in SEGMENTS:
        missed = before.prompt.total - common
        if dict(before.prompt.salts).get(segment) != dict(now.prompt.salts).get(segment):
            return "settings", missed
        old, new = _of(before, segment), _of(now, segment)
        if new[: len(old)] != old or (segment != "messages" and len(new) != len(old)):
            return segment, missed
        common += sum(piece.tokens for piece in before.prompt.pieces if piece.segment == segment)
    return "", 0


def _of(asked: Asked, segment: Segment) -> list[bytes]:
    return [piece.identity for piece in asked.prompt.pieces if piece.segment == segment]

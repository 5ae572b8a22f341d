"""How a request says which of its tools the model may call, and how they are listed one behind another.

Rules of this room: pure. The client's own choice is respected: where it demands a call it goes on demanding one,
a named tool stays named. Shapes: `ChatCompletionAllowedToolChoiceParam`, `ToolChoiceAllowedParam` of the package
`openai` 3.54.0, `ToolChoiceNoneParam` of `anthropic` 2.12.0. Left out, for want of a legal way that keeps a cache:
Anthropic takes single tools back by a block in a system message under a beta header
(`BetaRequestToolRemovalBlockParam`); Gemini's `allowedFunctionNames` needs a mode other than AUTO, which the
prompt may depend on; Bedrock Converse has no such choice.
"""

from collections.abc import Mapping, Sequence

import msgspec

from proxy.dialects.canonical import decode
from proxy.dialects.head_bytes import joined, member, part_values, value_at
from proxy.dialects.slices import Path, array_slices

CHOICE: Path = ("tool_choice",)
PARALLEL = "parallel_tool_calls"
"""Part of the cache's identity (OpenAI), and without meaning where no tool may be called."""

_NONE: Mapping[str, bytes] = {
    "anthropic_messages": b'{"type":"none"}',
    "openai_chat": b'"none"',
    "openai_responses": b'"none"',
}
_NAMED = ("function", "custom")


def no_tools(dialect: str, said: Mapping[str, object], held: Mapping[str, object]) -> dict[Path, bytes] | None:
    """Members by which no tool may be called; None where there is no way. Both sides: parameters of the cache."""
    if dialect not in _NONE:
        return None
    found: dict[Path, bytes] = {CHOICE: _NONE[dialect]}
    if said.get(PARALLEL) != held.get(PARALLEL):
        if held.get(PARALLEL) is None:
            return None
        found[(PARALLEL,)] = msgspec.json.encode(held[PARALLEL])
    return found


def only_tools(dialect: str, tools: Sequence[object], choice: object) -> dict[Path, bytes] | None:
    """Members by which only these may be called. `choice`: the client's own. None where there is no way."""
    listed = [_reference(dialect, tool) for tool in tools]
    if dialect not in ("openai_chat", "openai_responses") or None in listed:
        return None
    if choice not in (None, "auto", "required"):
        return {}  # none at all, or one that it names
    allowed = {"mode": choice or "auto", "tools": listed}
    nested = dialect == "openai_chat"
    said = {"type": "allowed_tools", **({"allowed_tools": allowed} if nested else allowed)}
    return {CHOICE: msgspec.json.encode(said)}


def choice_of(rest: bytes) -> object:
    """What the client says of it."""
    raw = value_at(rest, CHOICE)
    return None if raw is None else decode(raw)


def with_added(names: Sequence[str], before: bytes, now: bytes, keep: Sequence[int]) -> bytes | None:
    """The part `before` with those elements of the list in `now` behind its own; None where that is not one list."""
    sides = part_values(names, before), part_values(names, now)
    if len(sides[0]) != 1 or sides[0].keys() != sides[1].keys():
        return None
    ((path, old),), ((_, new),) = (side.items() for side in sides)
    if not old.startswith(b"[") or len(array_slices(new)) <= max(keep):
        return None
    places = array_slices(new)
    added = [new[slice(*places[place])] for place in keep]
    first = array_slices(old)
    end = first[-1][1] if first else old.index(b"[") + 1
    listed = old[:end] + b"".join(b"," * bool(first or place) + raw for place, raw in enumerate(added)) + old[end:]
    return joined([member(path, listed)])


def with_own(names: Sequence[str], known: bytes, now: bytes, own: Sequence[int | None]) -> bytes | None:
    """The part `known`, its elements as they stand in the list in `now` where that has them, at the places `own`.

    None where either is not one list, or an element is more than one tool.
    """
    sides = part_values(names, known), part_values(names, now)
    if len(sides[0]) != 1 or sides[0].keys() != sides[1].keys():
        return None
    ((path, whole),), ((_, part),) = (side.items() for side in sides)
    elements, ours = ([listed[slice(*place)] for place in array_slices(listed)] for listed in (whole, part))
    if len(elements) != len(own) or len(ours) != len(own) - own.count(None):
        return None
    listed = b",".join(raw if at is None else ours[at] for raw, at in zip(elements, own, strict=True))
    return joined([member(path, b"[%b]" % listed)])


def _reference(dialect: str, tool: object) -> object:
    """A tool as `tool_choice` names it; None where that cannot be said."""
    if not isinstance(tool, dict):
        return None
    kind = tool.get("type")
    inner = tool.get(kind) if dialect == "openai_chat" and isinstance(kind, str) else tool
    name = inner.get("name") if isinstance(inner, dict) else None
    if kind in _NAMED and isinstance(name, str):
        return {"type": kind, kind: {"name": name}} if dialect == "openai_chat" else {"type": kind, "name": name}
    label = tool.get("server_label")
    if kind == "mcp" and isinstance(label, str):
        return {"type": "mcp", "server_label": label}
    return None

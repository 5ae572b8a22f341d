"""Anthropic's own context editing: old tool results and old thinking, cleared on the provider's side.

Sources: `types/beta/beta_clear_tool_uses_20250919_edit_param.py` and its neighbours in the anthropic package; the
context editing page (defaults: trigger 100,000 input tokens, keep 3; oldest first, a placeholder for the result). The
caller's history stays as it was sent, so what reasoning is bound to does not change; the cached prefix does.
Threshold compaction (`compact_20260112`) is accepted and never triggers here.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from proxy.simulator.nodes import Node, dotted
from proxy.simulator.prompt import Count, Piece
from proxy.simulator.refusals import Refusal

TOOL_USES, THINKING, COMPACT = "clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112"
FIELDS = {
    TOOL_USES: ("type", "trigger", "keep", "clear_at_least", "exclude_tools", "clear_tool_inputs"),
    THINKING: ("type", "keep"),
    COMPACT: ("type", "trigger", "pause_after_compaction", "instructions"),
}
PLACEHOLDER = "[cleared]"
TRIGGER, KEEP = 100_000, 3


class Cleared(Struct, frozen=True):
    """What is left, and what was done."""

    pieces: tuple[Piece, ...]
    applied: tuple[Mapping[str, Any], ...] = ()


def clear(body: Node, pieces: tuple[Piece, ...], count: Count) -> Cleared:
    management = body.get("context_management")
    found = Cleared(pieces)
    for edit in management.all("edits") if management is not None else ():
        kind = edit.need("type").text()
        if kind not in FIELDS:
            raise Refusal(400, f"{dotted(edit.path)}: Input tag '{kind}' does not match any of: {', '.join(FIELDS)}")
        edit.only(FIELDS[kind])
        if kind == TOOL_USES:
            found = _clear_uses(edit, found, count)
        elif kind == THINKING:
            found = _clear_thinking(edit, found)
    return found


def _value(edit: Node, key: str, kinds: tuple[str, ...], default: tuple[str, int]) -> tuple[str, int]:
    """A setting of the form {type, value}."""
    found = edit.get(key)
    if found is None:
        return default
    kind = found.need("type").text()
    if kind not in kinds:
        raise Refusal(400, f"{dotted(found.path)}.type: Input should be one of {', '.join(kinds)}")
    return kind, found.need("value").whole()


def _clear_uses(edit: Node, before: Cleared, count: Count) -> Cleared:
    pieces = before.pieces
    excluded = tuple(name.text() for name in edit.all("exclude_tools"))
    uses = tuple(piece for piece in pieces if piece.kind == "call")
    unit, limit = _value(edit, "trigger", ("input_tokens", "tool_uses"), ("input_tokens", TRIGGER))
    _, keep = _value(edit, "keep", ("tool_uses",), ("tool_uses", KEEP))
    _, least = _value(edit, "clear_at_least", ("input_tokens",), ("input_tokens", 0))
    if (sum(piece.tokens for piece in pieces) if unit == "input_tokens" else len(uses)) <= limit:
        return before
    old = {use.head for use in uses[: max(0, len(uses) - keep)] if name_of(use) not in excluded}
    left = _without(pieces, old, _inputs(edit), count)
    saved = sum(piece.tokens for piece in pieces) - sum(piece.tokens for piece in left)
    if not old or saved < max(1, least):
        return before
    report = {"type": TOOL_USES, "cleared_tool_uses": len(old), "cleared_input_tokens": saved}
    return Cleared(left, (*before.applied, report))


def _inputs(edit: Node) -> bool | tuple[str, ...]:
    """Whose inputs go too: all, none, or those of the named tools."""
    found = edit.get("clear_tool_inputs")
    if found is None or isinstance(found.value, bool):
        return bool(found and found.value)
    return tuple(name.text() for name in found.items())


def name_of(use: Piece) -> str:
    """A call's text is its name and then its input, a JSON object."""
    return use.text.partition("{")[0]


def _without(
    pieces: tuple[Piece, ...], old: set[str], inputs: bool | tuple[str, ...], count: Count
) -> tuple[Piece, ...]:
    row: list[Piece] = []
    opened: set[str] = set()
    for piece in pieces:
        use = piece.head.removesuffix(" failed")
        if piece.kind == "result" and use in old:
            text = "" if use in opened else PLACEHOLDER
            opened.add(use)
            row.append(replace(piece, text=text, tokens=count(text)))
        elif piece.kind == "call" and use in old and (inputs is True or (inputs and name_of(piece) in inputs)):
            text = name_of(piece) + "{}"
            row.append(replace(piece, text=text, tokens=count(text)))
        else:
            row.append(piece)
    return tuple(row)


def _clear_thinking(edit: Node, before: Cleared) -> Cleared:
    keep = edit.get("keep")
    if keep is not None and keep.value == "all":
        return before
    _, newest = _value(edit, "keep", ("thinking_turns",), ("thinking_turns", 1))
    turns = list(dict.fromkeys(_message(piece) for piece in before.pieces if piece.kind == "reasoning"))
    old = set(turns[: max(0, len(turns) - newest)])
    gone = tuple(piece for piece in before.pieces if piece.kind == "reasoning" and _message(piece) in old)
    if not gone:
        return before
    left = tuple(piece for piece in before.pieces if piece not in gone)
    saved = sum(piece.tokens for piece in gone)
    report = {"type": THINKING, "cleared_thinking_turns": len(old), "cleared_input_tokens": saved}
    return Cleared(left, (*before.applied, report))


def _message(piece: Piece) -> str:
    return ".".join(piece.path.split(".")[:2])

"""Returned thinking: signed, whole, in order, and on newer models bound to what stood before it (T1).

Sources: preserved-thinking and its prefix-checks page; the texts of `block_binding` and `input_transformations` in the
anthropic package. Not bound: the key of an answer says what it followed; thinking may be dropped from the start, from
the end or altogether, never from the middle, and never put back.
"""

from collections.abc import Mapping
from typing import Any

from proxy.simulator.apis import Call
from proxy.simulator.messages.fields import BINDING_BETA, LEAST_BUDGET, THINKING
from proxy.simulator.messages.pairs import Turn
from proxy.simulator.nodes import Node, dotted
from proxy.simulator.prompt import Piece, bindings
from proxy.simulator.refusals import Refusal
from proxy.simulator.seals import Seal, Seals, mark_of

Report = Mapping[str, Any]


def check_setting(body: Node, call: Call) -> str:
    """The type of thinking asked for, "" where the request does not say."""
    thinking = body.get("thinking")
    if thinking is None:
        return ""
    kind = thinking.need("type").text()
    if kind not in THINKING:
        raise Refusal(400, f"thinking.type: Input should be one of {', '.join(THINKING)}")
    thinking.only(THINKING[kind])
    if thinking.get("block_binding") is not None and BINDING_BETA not in call.headers.get("anthropic-beta", ""):
        raise Refusal(400, "thinking.block_binding: Extra inputs are not permitted")
    if kind == "enabled":
        _check_budget(body, thinking)
    return kind


def _check_budget(body: Node, thinking: Node) -> None:
    budget, limit = thinking.need("budget_tokens").whole(), body.get("max_tokens")
    if budget < LEAST_BUDGET:
        raise Refusal(400, f"thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}")
    if limit is not None and limit.whole() <= budget:
        raise Refusal(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    choice = body.get("tool_choice")
    if choice is not None and choice.word("type") in ("any", "tool"):
        raise Refusal(400, "Thinking may not be enabled when tool_choice forces tool use.")


def check_open_turn(turns: tuple[Turn, ...]) -> None:
    """Manual thinking: a tool loop that is under way begins with the thinking that started it."""
    if len(turns) < 2 or not turns[-1].of("tool_result") or not turns[-2].blocks:
        return
    first = turns[-2].blocks[0]
    if first.word("type") not in ("thinking", "redacted_thinking"):
        raise Refusal(
            400,
            f"{dotted(first.path)}.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{first.word('type')}`. When `thinking` is enabled, a final `assistant` message must start with a "
            "thinking block.",
        )


def read_thinking(
    pieces: tuple[Piece, ...], model: str, binds: bool, drop: bool, seals: Seals
) -> tuple[tuple[Piece, ...], tuple[Report, ...]]:
    """The pieces that the model sees, and what was taken away. Refuses what was altered."""
    kept: list[Piece] = []
    reports: list[Report] = []
    before = ""
    for piece, bound in zip(pieces, bindings(pieces), strict=False):
        if piece.kind != "reasoning":
            kept.append(piece)
            continue
        reason = _fault(_opened(piece, seals), model, bound if binds else "", before)
        if reason == "prefix_binding_mismatch" and not drop:
            raise Refusal(
                400,
                f"{piece.path}: Invalid signature in thinking block. The block is bound to a different conversation: "
                "what precedes it is not what it was created after.",
            )
        if reason:
            reports.append({"type": "thinking_dropped", "path": piece.path, "reason": reason})
        else:
            kept.append(piece)
        before = mark_of(piece.head)
    return tuple(kept), tuple(reports)


def _opened(piece: Piece, seals: Seals) -> Seal:
    seal = seals.open(piece.head, piece.text)
    if seal is None:
        raise Refusal(400, f"{piece.path}: Invalid `signature` in `thinking` block")
    return seal


def _fault(seal: Seal, model: str, bound: str, before: str) -> str:
    """Why the block is not shown to the model; in the order of precedence that the package states."""
    if seal.model != model:
        return "model_binding_mismatch"
    if bound and (seal.bound != bound or (before and seal.before != before)):
        return "prefix_binding_mismatch"
    return ""


def last_mark(pieces: tuple[Piece, ...]) -> str:
    """The name of the newest reasoning block, which a new one will remember."""
    marks = [mark_of(piece.head) for piece in pieces if piece.kind == "reasoning"]
    return marks[-1] if marks else ""

"""Encrypted reasoning items: opened, and dropped where the provider drops them (T2).

Sources: guides/reasoning; guides/keep-prefix-unchanged; `input_transformations` in the openai package. On models that
bind reasoning, an item is silently removed once anything before it was edited; on all, `reasoning.context` says
whether reasoning of earlier turns is shown ("all_turns" from GPT-5.6, "current_turn" before).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from proxy.simulator.apis import Memory
from proxy.simulator.nodes import Node
from proxy.simulator.prompt import Count, Piece, bindings
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses.items import missing_item
from proxy.simulator.seals import Seal, Seals

PREFIX = "gAAAAAB"


def encrypted(text: str, seal: Seal, seals: Seals) -> str:
    row = json.dumps([text, seals.close(seal, text)]).encode()
    return PREFIX + base64.urlsafe_b64encode(row).decode()


def opened(item: Node, seals: Seals, memory: Memory) -> tuple[str, Seal]:
    """The reasoning and what it is bound to."""
    blob = item.get("encrypted_content")
    if blob is None:
        blob = Node(memory.reasoned.get(item.word("id") + " blob"), item.path)
    if blob.value is None:
        raise missing_item(item)
    try:
        row = json.loads(base64.urlsafe_b64decode(blob.text().removeprefix(PREFIX)))
        text, sealed = str(row[0]), str(row[1])
    except (binascii.Error, ValueError, LookupError, TypeError):
        raise _unverified(item) from None
    seal = seals.open(sealed, text)
    if seal is None or not blob.text().startswith(PREFIX):
        raise _unverified(item)
    return text, seal


def _unverified(item: Node) -> Refusal:
    return Refusal(
        400,
        f"The encrypted content for item {item.word('id')} could not be verified. Reason: Encrypted content could not "
        "be decrypted or parsed.",
        code="invalid_encrypted_content",
    )


class Shown(Struct, frozen=True):
    """What the model sees of the input."""

    pieces: tuple[Piece, ...]
    ends: tuple[int, ...]
    reports: tuple[Mapping[str, Any], ...]


def show(
    head: tuple[Piece, ...],
    pieces: tuple[Piece, ...],
    ends: tuple[int, ...],
    thoughts: Mapping[str, tuple[str, Seal]],
    *,
    salt: str,
    model: str,
    binds: bool,
    all_turns: bool,
    count: Count,
) -> Shown:
    """Reasoning filled in or taken out; `thoughts` by the path of its item. `head` stands before the input."""
    last_user = max((place for place, piece in enumerate(pieces) if piece.role == "user"), default=-1)
    bound = bindings((*head, *pieces), salt)[len(head) :]
    kept: list[Piece] = []
    reports: list[Mapping[str, Any]] = []
    new_ends: list[int] = []
    for place, piece in enumerate(pieces):
        if piece.kind != "reasoning":
            kept.append(piece)
        else:
            text, seal = thoughts[piece.path]
            reason = _fault(seal, model, bound[place] if binds else "", all_turns or place > last_user)
            if reason:
                reports.append({"type": "reasoning", "action": "removed", "id": piece.head, "reason": reason})
            else:
                kept.append(replace(piece, text=text, tokens=count(text)))
        if place + 1 in ends:
            new_ends.append(len(kept))
    return Shown(tuple(kept), tuple(new_ends), tuple(reports))


def _fault(seal: Seal, model: str, bound: str, in_reach: bool) -> str:
    if bound and seal.model != model:
        return "model_mismatch"
    if bound and seal.bound != bound:
        return "prefix_mismatch"
    return "" if in_reach else "turn_boundary"

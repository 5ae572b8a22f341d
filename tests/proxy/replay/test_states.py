"""Whose doing a token is that is not there, or is there in addition."""

import json

from policies.core.conversation import BlockHash
from policies.core.edits import Anchor, Edit, EditKind, Placed
from proxy.dialects.openai_chat import OPENAI_CHAT
from proxy.replay.prompts import Reader, Sent
from proxy.replay.states import States, makers, states

from .sessions import count

READER = Reader(OPENAI_CHAT, "/v1/chat/completions", count)


def sent(*texts: str) -> Sent:
    told = [{"role": "tool", "tool_call_id": str(number), "content": text} for number, text in enumerate(texts)]
    return READER.read(json.dumps({"model": "m", "messages": told}).encode())


def placed(kind: EditKind, message: int) -> Placed:
    return Placed(Edit(kind, Anchor(BlockHash(b"x")), "", 0), message, 0)


def test_tokens_are_those_of_the_bytes_and_the_plan_says_whose_doing_they_are() -> None:
    received, now = sent("a" * 400, "b" * 400, "c" * 400, "d" * 40), sent("a" * 40, "b" * 200, "c" * 400, "d" * 80)
    by = makers((placed("mask", 0), placed("shape", 1), placed("recite", 3)), 0)
    assert states(received, now, by) == States(masked=90, shaped=50, noted=10)
    assert states(received, received, by) == States()
    assert received.prompt.total - now.prompt.total == 90 + 50 - 10


def test_what_no_plan_names_was_masked() -> None:
    assert states(sent("a" * 400), sent("a" * 40), {}) == States(masked=90)


def test_a_mask_wins_over_a_shape_and_a_shape_over_a_note_wherever_they_stand() -> None:
    kinds: list[EditKind] = ["shape", "mask", "recite"]
    assert makers([placed(kind, 1) for kind in kinds], 2) == {(3, 0): "mask"}
    assert makers([placed("recite", 1), placed("shape", 1)], 0) == {(1, 0): "shape"}

"""A run of screenshots: masked like other observations, sent the same from then on, and kept whole."""

import json
import re
from typing import Any

import pytest

from policies.core.conversation import Kind
from proxy.exchange import tenant_of
from tests.proxy.driving import (
    ANTHROPIC,
    CONVERSE,
    RESPONSES,
    Json,
    Replica,
    Wire,
    blocks,
    run,
    turns_of,
    viewed,
    work,
)

WIRES = pytest.mark.parametrize("wire", [ANTHROPIC, RESPONSES, CONVERSE], ids=lambda wire: wire.name)
ID = re.compile(rb"hf-[a-z2-7]{16}")


def screenshot(wire: Wire, id: str) -> list[Json]:
    """What a tool shows, as this API has it."""
    kinds: dict[str, list[Json]] = {
        ANTHROPIC.name: [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": id}}],
        RESPONSES.name: [{"type": "input_image", "image_url": f"data:image/png;base64,{id}"}],
        CONVERSE.name: [{"image": {"format": "png", "source": {"bytes": id}}}],
    }
    return kinds[wire.name]


def shown(wire: Wire, message: Json) -> Json:
    """The message with a screenshot in each tool's answer; a picture of the user's own stays one."""
    if message.get("type") == "function_call_output":
        return {**message, "output": screenshot(wire, message["call_id"])}
    parts = message.get("content")
    return {**message, "content": [_shown(wire, part) for part in parts]} if isinstance(parts, list) else message


def _shown(wire: Wire, part: Any) -> Json:
    if part.get("type") == "tool_result":
        return {**part, "content": screenshot(wire, part["tool_use_id"])}
    result = part.get("toolResult")
    return {"toolResult": {**result, "content": screenshot(wire, result["toolUseId"])}} if result else part


def session(wire: Wire, turns: int) -> list[list[Json]]:
    """Each turn's messages; the user gave a picture as well."""
    own = screenshot(wire, "own")
    found = [[shown(wire, message) for message in wire.messages(turn)] for turn in turns_of(work(turns))]
    for messages in found:
        messages[0] = {**messages[0], "content": [*messages[0]["content"], *own]}
    return found


@WIRES
def test_screenshots_are_masked_append_only_and_legally_and_can_be_read_back(wire: Wire) -> None:
    replica = Replica()
    before: list[list[bytes]] = []
    for turn, messages in enumerate(session(wire, 5)):
        prepared = replica.turn(wire, messages)
        came, went = viewed(wire, prepared.request.body).messages, viewed(wire, prepared.body).messages
        seen = blocks(went, Kind.OBSERVATION)
        calls = [block.call_id for block in blocks(went, Kind.CALL)]
        assert calls == [block.call_id for block in seen] == [block.call_id for block in blocks(came, Kind.OBSERVATION)]
        assert [bool(block.picture) for block in seen] == [False] * max(0, turn - 1) + [True] * min(1, turn)
        assert len(blocks(went, Kind.MEDIA)) == 1, "what the user gave stays"
        sent = [[bytes(block.hash) for block in message.blocks] for message in went]
        new = [old for old, now in zip(before, sent, strict=False) if old != now]
        assert len(new) == (turn > 1), "what is masked stays so"
        before = sent
    assert replica.witness.degradations == []
    assert b"[previous image elided: read_file output, " in prepared.body
    kept = [
        run(replica.context.archive.get(tenant_of(replica.context, b"key"), id.decode()))
        for id in ID.findall(prepared.body)
    ]
    assert [json.loads(one or b"") for one in kept] == [screenshot(wire, f"c{turn}") for turn in range(4)]

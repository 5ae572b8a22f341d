"""Anthropic Messages: calls taken out of an answer, as one object or as events.

Rules of this room: those of `calls`. Blocks keep their order and get new indices. Thinking behind a call that was
taken out is left out too: it is bound to a conversation that the agent will not send (page "preserved-thinking").
Sources: the `raw_*_event` types and `lib/streaming/_messages.py` of the `anthropic` package 2.12.0.
"""

import json
from collections.abc import Sequence
from typing import Any

from proxy.answering.calls import Called, Object, added, encoded, updated
from proxy.answering.events import event
from proxy.answering.splicing import Said, Stream, Whole

_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_APPENDED = {"text_delta": "text", "thinking_delta": "thinking"}


class _Content(Said):
    """Blocks, as they can be sent back."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: dict[int, Object] = {}
        self.inputs: dict[int, str] = {}
        """Arguments of calls, by the block's index, as text."""
        self.theirs = False
        """It holds a call that the agent answers."""

    def waits(self) -> bool:
        return self.stop == "tool_use"

    def alone(self) -> bool:
        return not self.theirs

    def called(self) -> tuple[Called, ...]:
        return tuple(Called(self.blocks[index]["name"], self.inputs[index]) for index in self.ours)

    def messages(self, results: Sequence[str]) -> tuple[bytes, ...]:
        content = [self._whole(index) for index in sorted(self.blocks)]
        answers = [
            {"type": "tool_result", "tool_use_id": self.blocks[index]["id"], "content": text}
            for index, text in zip(self.ours, results, strict=True)
        ]
        return encoded({"role": "assistant", "content": content}), encoded({"role": "user", "content": answers})

    def take(self, index: int, block: Object, names: frozenset[str]) -> bool:
        """Keep a block; whether it is a call that Holdfast answers."""
        self.blocks[index] = dict(block)
        if block["type"] != "tool_use":
            return False
        self.inputs[index] = json.dumps(block["input"]) if block.get("input") else ""
        mine = block["name"] in names
        if mine:
            self.ours.append(index)
        self.theirs = self.theirs or not mine
        return mine

    def extend(self, index: int, delta: Object) -> None:
        """A further part of a block."""
        block, kind = self.blocks[index], delta["type"]
        if key := _APPENDED.get(kind):
            block[key] += delta[key]
        elif kind == "input_json_delta":
            self.inputs[index] = self.inputs.get(index, "") + delta["partial_json"]
        elif kind == "signature_delta":
            block["signature"] = delta["signature"]
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]

    def _whole(self, index: int) -> Object:
        block = self.blocks[index]
        return {**block, "input": _input(self.inputs[index])} if index in self.inputs else block


def _input(text: str) -> object:
    """As the API takes it back: an object, whatever the model wrote."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class MessagesStream(Stream[_Content]):
    """An answer as events."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self._given = 0
        """Blocks that the agent has got."""
        self._places: dict[int, int] = {}
        """The agent's indices by the provider's, of this answer."""
        self._cut = False
        """Something was taken out."""

    def nothing(self) -> _Content:
        return _Content()

    def go_on(self) -> None:
        super().go_on()
        self._places = {}

    def piece(self, raw: bytes, data: bytes) -> bytes:
        fields = json.loads(data)
        match fields["type"]:
            case "message_start":
                self._round.usage = updated({}, fields["message"].get("usage"))
                return raw if self._first else b""
            case "content_block_start":
                return self._start(raw, fields)
            case "content_block_delta":
                self._round.extend(fields["index"], fields["delta"])
                return self._placed(raw, fields)
            case "content_block_stop":
                return self._placed(raw, fields)
            case "message_delta":
                self._round.usage = updated(self._round.usage, fields.get("usage"))
                self._round.stop = fields["delta"].get("stop_reason") or ""
                return self.hold(raw, fields) if self._cut else raw
            case "message_stop":
                self._over = True
                return self.hold(raw, None) if self._cut else raw
            case _:
                return raw

    def last(self, raw: bytes, fields: Object, unanswered: bool) -> bytes:
        if self._first and not unanswered:
            return raw
        delta = {**fields["delta"], "stop_reason": "end_turn"} if unanswered else fields["delta"]
        return _event({**fields, "delta": delta, "usage": added(self._total, self._round.usage)})

    def note(self, text: str) -> bytes:
        at = {"index": self._given}
        events: tuple[Object, ...] = (
            {"type": "content_block_start", **at, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", **at, "delta": {"type": "text_delta", "text": text}},
            {"type": "content_block_stop", **at},
        )
        return b"".join(map(_event, events))

    def _start(self, raw: bytes, fields: Object) -> bytes:
        block = fields["content_block"]
        mine = self._round.take(fields["index"], block, self._names)
        self._cut = self._cut or mine
        if mine or (self._cut and block["type"] in _THOUGHTS):
            return b""
        self._places[fields["index"]] = self._given
        self._given += 1
        return self._placed(raw, fields)

    def _placed(self, raw: bytes, fields: Object) -> bytes:
        """The event for the agent: none where its block was taken out."""
        place = self._places.get(fields["index"])
        if place is None:
            return b""
        return raw if place == fields["index"] else _event({**fields, "index": place})


def _event(fields: Object) -> bytes:
    return event(encoded(fields), fields["type"])


class MessagesWhole(Whole[_Content]):
    """An answer as one object."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self._content: list[Any] = []
        """What the agent gets."""

    def nothing(self) -> _Content:
        return _Content()

    def read(self, fields: Object) -> _Content:
        found = _Content()
        found.stop, found.usage = fields["stop_reason"] or "", dict(fields["usage"])
        for index, block in enumerate(fields["content"]):
            found.take(index, block, self._names)
        return found

    def keep(self) -> None:
        cut = bool(self._first)
        for index, block in self._round.blocks.items():
            mine = index in self._round.ours
            cut = cut or mine
            if not mine and not (cut and block["type"] in _THOUGHTS):
                self._content.append(block)

    def joined(self, fields: Object, note: str) -> Object:
        if not note:
            return {**fields, "content": self._content}
        return {**fields, "content": [*self._content, {"type": "text", "text": note}], "stop_reason": "end_turn"}

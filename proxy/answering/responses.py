"""OpenAI Responses: calls taken out of an answer, as one object or as events.

Rules of this room: those of `calls`. Items keep their order and get new indices; events are counted anew behind the
first that was taken out. Reasoning behind a call that was taken out is left out too: it is bound to a conversation
that the agent will not send (guide "Keep the prefix unchanged"). So that nobody misses it, what it led to gets
another id: the API refuses an item whose reasoning it knows and does not find. Sources: the `*_event` and
`response_output_item` types of the `openai` package 3.54.0.
"""

import json
from collections.abc import Sequence
from typing import Any

from proxy.answering.calls import Called, Object, added, encoded
from proxy.answering.events import event
from proxy.answering.splicing import Said, Stream, Whole

# Items after which the model waits for nobody; any other one may be a call that the agent answers.
_COMPLETE = frozenset(
    "message reasoning file_search_call web_search_call code_interpreter_call image_generation_call mcp_call "
    "mcp_list_tools compaction".split()
)
_BEGINNINGS = frozenset({"response.created", "response.queued", "response.in_progress"})
_ENDINGS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Items(Said):
    """Items, as they can be sent back."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[int, Object] = {}

    def waits(self) -> bool:
        return self.stop == "completed"

    def alone(self) -> bool:
        return all(_complete(item) for index, item in self.items.items() if index not in self.ours)

    def called(self) -> tuple[Called, ...]:
        return tuple(Called(self.items[index]["name"], self.items[index]["arguments"]) for index in self.ours)

    def messages(self, results: Sequence[str]) -> tuple[bytes, ...]:
        # without its encrypted content, reasoning would be looked up among what is stored: nothing is
        kept = [item for item in self.items.values() if item["type"] != "reasoning" or item.get("encrypted_content")]
        outputs = [
            {"type": "function_call_output", "call_id": self.items[index]["call_id"], "output": text}
            for index, text in zip(self.ours, results, strict=True)
        ]
        return tuple(map(encoded, (*kept, *outputs)))

    def take(self, index: int, item: Object, names: frozenset[str]) -> bool:
        """Keep an item; whether it is a call that Holdfast answers."""
        self.items[index] = item
        mine = item["type"] == "function_call" and item["name"] in names
        if mine and index not in self.ours:
            self.ours.append(index)
        return mine


def _complete(item: Object) -> bool:
    kind = item["type"]
    return kind in _COMPLETE or kind.endswith("_output") or item.get("execution") == "server"


class ResponsesStream(Stream[_Items]):
    """An answer as events."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self._identity: Object = {}
        self._output: list[Object] = []
        """Items that the agent has got, complete."""
        self._given = 0
        self._places: dict[int, int] = {}
        """The agent's indices by the provider's, of this answer."""
        self._cut = False
        self._number = 0
        """Of the next event."""

    def nothing(self) -> _Items:
        return _Items()

    def go_on(self) -> None:
        super().go_on()
        self._places = {}

    def piece(self, raw: bytes, data: bytes) -> bytes:
        fields = json.loads(data)
        kind = fields["type"]
        if kind in _BEGINNINGS:
            return self._begun(raw, fields)
        if kind in _ENDINGS:
            return self._ended(raw, fields)
        if kind == "response.output_item.added" and self._added(fields):
            return b""
        if "output_index" not in fields:
            return self._counted(raw, fields)
        place = self._places.get(fields["output_index"])
        if kind == "response.output_item.done":
            self._round.take(fields["output_index"], fields["item"], self._names)
            if place is not None:
                self._output.append(self._named(fields["item"]))
        return self._placed(raw, fields, place) if place is not None else b""

    def last(self, raw: bytes, fields: Object, unanswered: bool) -> bytes:
        response = {**fields["response"], **self._identity, "output": self._output}
        if usage := added(self._total, self._round.usage):
            response["usage"] = usage
        return self._event({**fields, "response": response})

    def note(self, text: str) -> bytes:
        item, part = _note(self._identity.get("id"), text), {"type": "output_text", "text": text, "annotations": []}
        at = {"item_id": item["id"], "output_index": self._given}
        inside = {**at, "content_index": 0}
        self._output.append(item)
        events: tuple[Object, ...] = (
            {"type": "response.output_item.added", "output_index": self._given, "item": {**item, "content": []}},
            {"type": "response.content_part.added", **inside, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **inside, "delta": text, "logprobs": []},
            {"type": "response.output_text.done", **inside, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **inside, "part": part},
            {"type": "response.output_item.done", "output_index": self._given, "item": item},
        )
        return b"".join(map(self._event, events))

    def _begun(self, raw: bytes, fields: Object) -> bytes:
        if not self._first:
            return b""
        self._identity = {key: fields["response"].get(key) for key in ("id", "created_at")}
        return self._counted(raw, fields)

    def _ended(self, raw: bytes, fields: Object) -> bytes:
        response = fields["response"]
        self._round.stop, self._round.usage, self._over = response["status"], dict(response.get("usage") or {}), True
        return self.hold(raw, fields) if self._cut else raw

    def _added(self, fields: Object) -> bool:
        """Give an item its place; whether it is taken out."""
        mine = self._round.take(fields["output_index"], fields["item"], self._names)
        self._cut = self._cut or mine
        if mine or (self._cut and fields["item"]["type"] == "reasoning"):
            return True
        self._places[fields["output_index"]] = self._given
        self._given += 1
        return False

    def _placed(self, raw: bytes, fields: Object, place: int) -> bytes:
        if not self._cut:
            return self._counted(raw, fields)
        named = {"item_id": _later(fields["item_id"])} if not self._first and "item_id" in fields else {}
        item = {"item": self._named(fields["item"])} if "item" in fields else {}
        return self._event({**fields, "output_index": place, **named, **item})

    def _named(self, item: Object) -> Object:
        return item if self._first else _renamed(item)

    def _counted(self, raw: bytes, fields: Object) -> bytes:
        if self._cut:
            return self._event(fields)
        self._number = fields.get("sequence_number", self._number) + 1
        return raw

    def _event(self, fields: Object) -> bytes:
        self._number += 1
        return event(encoded({**fields, "sequence_number": self._number - 1}), fields["type"])


class ResponsesWhole(Whole[_Items]):
    """An answer as one object."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self._output: list[Any] = []
        """What the agent gets."""

    def nothing(self) -> _Items:
        return _Items()

    def read(self, fields: Object) -> _Items:
        found = _Items()
        found.stop, found.usage = fields["status"], dict(fields.get("usage") or {})
        for index, item in enumerate(fields["output"]):
            found.take(index, item, self._names)
        return found

    def keep(self) -> None:
        cut = bool(self._first)
        for index, item in self._round.items.items():
            mine = index in self._round.ours
            cut = cut or mine
            if not mine and not (cut and item["type"] == "reasoning"):
                self._output.append(_renamed(item) if self._first else item)

    def joined(self, fields: Object, note: str) -> Object:
        spoken = [_note(fields["id"], note)] if note else []
        return {**fields, "created_at": (self._first or fields).get("created_at"), "output": [*self._output, *spoken]}


def _renamed(item: Object) -> Object:
    return {**item, "id": _later(item["id"])} if "id" in item else item


def _later(name: str) -> str:
    """Another name of the same kind: the prefix says what it names."""
    kind, _, rest = name.partition("_")
    return f"{kind}_hf{rest}"


def _note(response: object, text: str) -> Object:
    part = {"type": "output_text", "text": text, "annotations": []}
    name = f"msg_hf{str(response).partition('_')[2]}"
    return {"id": name, "type": "message", "role": "assistant", "status": "completed", "content": [part]}

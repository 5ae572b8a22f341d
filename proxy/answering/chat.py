"""OpenAI Chat Completions: calls taken out of an answer, as one object or as chunks.

Rules of this room: those of `calls`. What several answers say is one text, parted by a blank line. Signed reasoning
behind a call that was taken out is left out too. Sources: `types/chat` and `lib/streaming/_deltas.py` of the
`openai` package 3.54.0, which joins a role that is given twice.
"""

import json
from collections.abc import Sequence
from operator import is_

from proxy.answering.calls import Called, Object, added, encoded, updated
from proxy.answering.events import event
from proxy.answering.splicing import Said, Stream, Whole

_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")
_SIGNED = frozenset({"reasoning_details", "thinking_blocks"})
_STOPS = frozenset({"tool_calls", "stop"})  # some servers say "stop" behind calls as well
_PARTING = "\n\n"


class _Message(Said):
    """A message, as it can be sent back."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: Object = {"role": "assistant", "content": None}
        self.calls: dict[int, Object] = {}

    def waits(self) -> bool:
        return self.stop in _STOPS

    def alone(self) -> bool:
        return len(self.calls) == len(self.ours)

    def called(self) -> tuple[Called, ...]:
        found = [self.calls[index]["function"] for index in self.ours]
        return tuple(Called(one["name"], one.get("arguments") or "") for one in found)

    def messages(self, results: Sequence[str]) -> tuple[bytes, ...]:
        message = {**self.fields, "tool_calls": list(self.calls.values())}
        answers = [
            {"role": "tool", "tool_call_id": self.calls[index].get("id", ""), "content": text}
            for index, text in zip(self.ours, results, strict=True)
        ]
        return tuple(map(encoded, (message, *answers)))

    def speak(self, delta: Object) -> None:
        """A further part of its texts."""
        for key in _TEXTS:
            if isinstance(delta.get(key), str):
                self.fields[key] = (self.fields.get(key) or "") + delta[key]
        for key in _SIGNED & delta.keys():
            self.fields[key] = [*self.fields.get(key, []), *delta[key]]

    def call(self, index: int, part: Object, names: frozenset[str]) -> bool:
        """A call, or a further part of one; whether Holdfast answers it."""
        function = part.get("function") or {}
        if index not in self.calls:
            self.calls[index] = {key: value for key, value in part.items() if key != "index"}
            self.calls[index]["function"] = dict(function)
            if function.get("name") in names:
                self.ours.append(index)
        else:
            known = self.calls[index]["function"]
            known["arguments"] = (known.get("arguments") or "") + (function.get("arguments") or "")
        return index in self.ours


class ChatStream(Stream[_Message]):
    """An answer as chunks."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self._identity: Object = {}
        """What all chunks of one answer have in common."""
        self._spoken = False
        """The agent has got some text."""
        self._parted = True
        """What is said next needs no blank line before it."""

    def nothing(self) -> _Message:
        return _Message()

    def go_on(self) -> None:
        super().go_on()
        self._parted = not self._spoken

    def piece(self, raw: bytes, data: bytes) -> bytes:
        if data.strip() == b"[DONE]":
            self._over = True
            return self.hold(raw, None) if self._holding() else raw
        fields = json.loads(data)
        self._round.usage = updated(self._round.usage, fields.get("usage"))
        if self._first and not self._identity:
            self._identity = {key: fields[key] for key in ("id", "created") if key in fields}
        choices = fields.get("choices") or []
        given = [self._choice(choice) for choice in choices]
        if self._first and all(map(is_, given, choices)):
            return self.hold(raw, fields) if self._holding() else raw
        fields = {**fields, **self._identity, "choices": given}
        if self._holding():
            return self.hold(b"", fields)
        return self._chunk(fields) if any(choice["delta"] for choice in given) else b""

    def last(self, raw: bytes, fields: Object, unanswered: bool) -> bytes:
        if raw and not unanswered:
            return raw
        if unanswered:
            fields = {**fields, "choices": [_stopped(choice) for choice in fields.get("choices") or []]}
        return self._chunk(fields)

    def note(self, text: str) -> bytes:
        last = next(fields for _, fields in self._ending if fields)
        choice = {"index": 0, "delta": {"content": _PARTING * self._spoken + text}, "finish_reason": None}
        kept = {key: value for key, value in last.items() if key != "usage"}
        return event(encoded({**kept, **self._identity, "choices": [choice]}))

    def _chunk(self, fields: Object) -> bytes:
        usage = {"usage": added(self._total, fields["usage"])} if fields.get("usage") else {}
        return event(encoded({**fields, **usage}))

    def _holding(self) -> bool:
        """The end of the answer waits until it is known whether more follows."""
        return bool(self._round.stop) and (bool(self._round.ours) or not self._first)

    def _choice(self, choice: Object) -> Object:
        """What the agent gets of it; the very same object where nothing was taken out."""
        delta = choice.get("delta") or {}
        self._round.speak(delta)
        if stop := choice.get("finish_reason"):
            self._round.stop, self._over = stop, True
        left = self._left(delta.get("tool_calls") or [])
        given = delta if self._first else _later(delta)
        if left is not None:
            given = {key: value for key, value in given.items() if key != "tool_calls"}
            given |= {"tool_calls": left} if left else {}
        given = self._spaced(given)
        return choice if given is delta else {**choice, "delta": given}

    def _spaced(self, delta: Object) -> Object:
        if not delta.get("content"):
            return delta
        parting, self._spoken, self._parted = not self._parted, True, True
        return {**delta, "content": _PARTING + delta["content"]} if parting else delta

    def _left(self, calls: Sequence[Object]) -> list[Object] | None:
        """Of these the parts of calls that the agent answers, counted anew; None where that is all as it is."""
        left = []
        for place, part in enumerate(calls):
            index = part.get("index", place)
            if not self._round.call(index, part, self._names):
                left.append({**part, "index": index - sum(mine < index for mine in self._round.ours)})
        return left if self._round.ours and calls else None


def _later(message: Object) -> Object:
    """Of a message what may follow an answer from which a call was taken out."""
    return {key: value for key, value in message.items() if key not in _SIGNED and key != "role"}


def _stopped(choice: Object) -> Object:
    return {**choice, "finish_reason": "stop"} if choice.get("finish_reason") else choice


class ChatWhole(Whole[_Message]):
    """An answer as one object."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self._texts: dict[str, list[str]] = {}
        """What the agent gets."""

    def nothing(self) -> _Message:
        return _Message()

    def read(self, fields: Object) -> _Message:
        found, choice = _Message(), fields["choices"][0]
        found.stop, found.usage = choice["finish_reason"] or "", dict(fields.get("usage") or {})
        found.speak(choice["message"])
        for index, call in enumerate(choice["message"].get("tool_calls") or []):
            found.call(index, call, self._names)
        return found

    def keep(self) -> None:
        for key in _TEXTS:
            if text := self._round.fields.get(key):
                self._texts.setdefault(key, []).append(text)

    def joined(self, fields: Object, note: str) -> Object:
        choice = fields["choices"][0]
        message = choice["message"]
        message = {"role": "assistant", **_later(message)} if self._first else message
        texts = {key: _PARTING.join(parts) for key, parts in self._texts.items()}
        if note:
            texts["content"] = _PARTING.join(filter(None, (texts.get("content"), note)))
        left = [call for index, call in self._round.calls.items() if index not in self._round.ours]
        message = {key: value for key, value in message.items() if key != "tool_calls"} | texts
        message |= {"tool_calls": left} if left else {}
        stop = {"finish_reason": "stop"} if note else {}
        return {**fields, "choices": [{**choice, **stop, "message": message}]}

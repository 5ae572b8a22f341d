"""The messages of a Responses WebSocket, as far as following a conversation needs them.

Rules of this room: pure; nothing is encoded. What cannot be read is no event. Sources: guide "WebSocket mode";
`responses_client_event.py` and `responses_server_event.py` of the openai package 3.54.0.
"""

import re
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

T = TypeVar("T")

CREATE = "response.create"
CREATED = "response.created"
ITEM = "response.output_item.done"
ERROR = "error"

STATUS = {"response.completed": 200, "response.incomplete": 200, "response.failed": 500}
"""What the last event of an answer counts as; an `error` has a status of its own."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Envelope(Struct):
    """Of the agent's message, what is not the prompt."""

    type: str = ""
    previous_response_id: str | None = None
    stream_id: str | None = None
    generate: bool | None = None
    conversation: Raw | UnsetType = UNSET

    @property
    def whole(self) -> bool:
        """Whether an answer is wanted to just what this message holds."""
        return self.previous_response_id is None and self.generate is not False


class Event(Struct):
    """Of the upstream's message, what says where it belongs."""

    type: str = ""
    stream_id: str | None = None
    status: int | None = None
    response: Raw | UnsetType = UNSET
    item: Raw | UnsetType = UNSET
    exact: bool = True
    """Whether `response` and `item` are the bytes that passed."""

    @property
    def last(self) -> bool:
        """Whether an answer ends with it."""
        return self.type in STATUS or self.type == ERROR


class Answer(Struct):
    id: str = ""
    output: list[Raw] = []


_envelopes = msgspec.json.Decoder(Envelope)
_events = msgspec.json.Decoder(Event)
_answers = msgspec.json.Decoder(Answer)


def envelope_of(body: bytes) -> Envelope | None:
    try:
        return _envelopes.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _otherwise(_envelopes, body)


def event_of(body: bytes) -> Event | None:
    try:
        return _events.decode(body)
    except (msgspec.DecodeError, RecursionError):
        event = _otherwise(_events, body)
        return msgspec.structs.replace(event, exact=False) if event else None


def answer_of(event: Event) -> Answer | None:
    if isinstance(event.response, UnsetType):
        return None
    try:
        return _answers.decode(event.response)
    except (msgspec.DecodeError, RecursionError):
        return None


def readable(body: bytes) -> bytes:
    """The same with another letter for half an emoji, as clients write that cut a text in one: msgspec refuses it."""
    return _SURROGATE.sub(rb"\\u0041", body)


def _otherwise(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    try:
        return decoder.decode(readable(body)) if _SURROGATE.search(body) else None
    except (msgspec.DecodeError, RecursionError):
        return None

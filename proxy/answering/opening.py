"""Which answers are looked into for calls, and with what.

Rules of this room: an answer that succeeded, in no content coding, as events or as one JSON object; any other one
passes as it came. It must not know how a request was sent.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import httpx

from proxy.answering.calls import Splicer
from proxy.answering.chat import ChatStream, ChatWhole
from proxy.answering.lookup import answered
from proxy.answering.messages import MessagesStream, MessagesWhole
from proxy.answering.responses import ResponsesStream, ResponsesWhole
from proxy.answering.rounds import Ask, Rounds
from proxy.dialects import Dialect
from proxy.headers import Pair, first
from proxy.recall.library import Library
from proxy.tap import Tap

log = logging.getLogger("holdfast.answering")

Kind = Literal["stream", "whole"]

SPLICERS: dict[tuple[str, Kind], Callable[[frozenset[str]], Splicer]] = {
    ("anthropic_messages", "stream"): MessagesStream,
    ("anthropic_messages", "whole"): MessagesWhole,
    ("openai_chat", "stream"): ChatStream,
    ("openai_chat", "whole"): ChatWhole,
    ("openai_responses", "stream"): ResponsesStream,
    ("openai_responses", "whole"): ResponsesWhole,
}


@dataclass(slots=True, repr=False)
class Opening:
    """What is known of a request whose answer may hold calls that Holdfast answers."""

    names: frozenset[str]
    dialect: Dialect
    body: bytes
    tenant: bytes
    library: Library
    ask: Ask
    tap: Callable[[int, Sequence[Pair]], Tap]
    owe: Callable[[str], None]
    told: Callable[[str], None]
    rounds: Rounds | None = None
    """Of its answer, where that is looked into."""

    def __call__(self, status: int, headers: Sequence[Pair]) -> Rounds | None:
        kind = kind_of(status, headers)
        opened = SPLICERS.get((self.dialect.name, kind)) if kind else None
        if opened is None:
            if status < 300:
                log.warning("an answer cannot be looked into, so calls in it reach the agent")
                self.told("unreadable")
            return None
        self.rounds = Rounds(
            splicer=opened(self.names),
            body=self.body,
            list_key=self.dialect.list_key,
            ask=self.ask,
            reply=partial(answered, library=self.library, tenant=self.tenant),
            alike=lambda response: kind_of(response.status_code, response.headers.raw) == kind,
            tap=self._tap,
            owe=self.owe,
            told=self.told,
        )
        return self.rounds

    def _tap(self, response: httpx.Response) -> Tap:
        return self.tap(response.status_code, response.headers.raw)


def kind_of(status: int, headers: Sequence[Pair]) -> Kind | None:
    """None for an answer that is not looked into."""
    if not 200 <= status < 300 or first(headers, b"content-encoding").strip().lower() not in (b"", b"identity"):
        return None
    media = first(headers, b"content-type").partition(b";")[0].strip().lower()
    if media == b"text/event-stream":
        return "stream"
    return "whole" if media == b"application/json" else None

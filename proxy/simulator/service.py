"""One request from bytes to answer: read, measure, ask the brain, word it. Knows no sockets.

Rules of this room: whatever the caller sends ends in an answer of the API's own shape.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from policies.core.profile import Profile
from proxy.simulator.apis import Api, Asked, Call, Desk, Memory, Told
from proxy.simulator.bills import Bill, Reading
from proxy.simulator.brains import Answer, Brain
from proxy.simulator.caches import Shelves
from proxy.simulator.fallback import profile_for
from proxy.simulator.nodes import BadShape, Unknown, parse
from proxy.simulator.prompt import Count
from proxy.simulator.refusals import Refusal
from proxy.simulator.seals import Seals


class Reply(Struct, frozen=True):
    """What goes out. `begin` is called with its first byte: only then the cache holds the prompt."""

    status: int
    media_type: str
    chunks: Iterator[bytes]
    begin: Callable[[], None]
    length: int | None = None
    """None for a stream."""
    headers: tuple[tuple[str, str], ...] = ()
    asked: Asked | None = None
    bill: Bill | None = None
    error: str | None = None


class Service:
    """The provider: its models, its cache, what it stores."""

    def __init__(self, profiles: tuple[Profile, ...], brain: Brain, count: Count, key: bytes) -> None:
        self._profiles, self._brain, self._count, self._key = profiles, brain, count, key
        self._shelves, self._memory = Shelves(count), Memory()

    def answer(self, api: Api, call: Call, number: int, now: float) -> Reply:
        name = hashlib.sha256(self._key + number.to_bytes(8, "big")).hexdigest()[:24]
        try:
            return self._served(api, call, name, now)
        except (BadShape, Unknown) as fault:
            return refused(api, api.refusal(fault), name)
        except Refusal as fault:
            return refused(api, fault, name)
        except RecursionError:
            return refused(api, Refusal(400, api.unreadable), name)

    def _served(self, api: Api, call: Call, name: str, now: float) -> Reply:
        desk = Desk(
            profile_for=lambda model: profile_for(self._profiles, api.name, model),
            seals=Seals(self._key),
            count=self._count,
            memory=self._memory,
            connection=call.connection,
        )
        try:
            body = parse(call.body, call.headers.get("content-encoding", ""))
        except ValueError:
            raise Refusal(400, api.unreadable) from None
        asked = api.read(call, body, desk, name)
        if asked.counting:
            return _json(200, api.counted(asked), _nothing, asked=asked)
        if asked.prompt.total > asked.profile.context_limit:
            raise api.too_long(asked.prompt.total, asked.profile)
        return self._told(api, asked, desk, now)

    def _told(self, api: Api, asked: Asked, desk: Desk, now: float) -> Reply:
        if asked.options.get("warm"):
            told = Told(asked, Answer(), Bill(input=Reading(total=0)), now)
            return Reply(200, api.stream_type(asked), api.stream(told, desk), _nothing, asked=asked, bill=told.bill)
        reading, keep = self._shelves.look(asked.credential, asked.model, asked.profile, asked.prompt, now)
        answer = self._answer(asked)
        reasoning = self._count(answer.reasoning)
        calls = sum(self._count(tool.name + tool.arguments) for tool in answer.calls)
        bill = Bill(input=reading, output=self._count(answer.text) + calls + reasoning, reasoning=reasoning)
        told = Told(asked, answer, bill, now)

        def begin() -> None:
            keep(api.said(answer, self._count))

        if asked.stream:
            return Reply(200, api.stream_type(asked), api.stream(told, desk), begin, asked=asked, bill=bill)
        return _json(200, api.reply(told, desk), begin, asked=asked, bill=bill)

    def _answer(self, asked: Asked) -> Answer:
        """What the model says, as far as the request lets it."""
        if asked.options.get("prewarm"):
            return Answer()
        answer = self._brain(asked.seen)
        calls = tuple(
            replace(tool, id=tool.id or f"{asked.options.get('call_prefix', 'toolu_')}{asked.name[:20]}{place:02}")
            for place, tool in enumerate(answer.calls)
            if asked.seen.allowed is None or tool.name in asked.seen.allowed
        )
        return replace(answer, calls=calls, reasoning=answer.reasoning if asked.options.get("thinks", True) else "")


def _nothing() -> None:
    return None


def refused(api: Api, fault: Refusal, name: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    status, body = api.error(fault, name)
    return replace(_json(status, body, _nothing), headers=headers, error=fault.message)


def _json(
    status: int,
    body: Mapping[str, Any],
    begin: Callable[[], None],
    *,
    asked: Asked | None = None,
    bill: Bill | None = None,
) -> Reply:
    raw = json.dumps(body).encode()
    return Reply(status, "application/json", iter((raw,)), begin, len(raw), (), asked, bill)

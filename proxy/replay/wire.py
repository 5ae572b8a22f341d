"""From a recorded session to the requests that its agent would have sent.

Rules of this room: each call's input is exactly what stands before the answer, in the dialect of the
model's provider, as a careful client sends it: Anthropic's with cache markers on the end of system
(or tools) and on the last message, as Claude Code does, so that `direct` is no straw man. What a
trace marks as an observation is one to the pipeline too. It must not know what requests cost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from policies.core.conversation import Role
from policies.core.profile import Profile
from proxy.dialects import Dialect
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.dialects.openai_chat import OPENAI_CHAT
from proxy.dialects.registry import by_name
from proxy.dialects.slices import split
from proxy.replay.gaps import USUAL, Constant, Gap, Recorded, starts
from proxy.replay.observing import observing
from proxy.replay.shapes import anthropic_messages, anthropic_tools, chat_messages, texts
from proxy.replay.trace import Object, Recording, Trace

MAX_OUTPUT = 8192
"""Anthropic's `max_tokens` has no default."""
MARKER = {"type": "ephemeral"}
UNMARKABLE = frozenset({"thinking", "redacted_thinking"})


@dataclass(frozen=True, slots=True)
class Call:
    """One model call. Its body is put together when it is asked for: the bodies of a session share their parts."""

    now: float
    opening: bytes
    elements: tuple[bytes, ...]
    closing: bytes
    answer: tuple[bytes, ...] = ()
    """The recorded answer as elements of the dialect's list; empty where it is not known."""
    output_tokens: int | None = None
    """As reported; None: to be counted."""

    @property
    def body(self) -> bytes:
        return self.opening + b",".join(self.elements) + self.closing


@dataclass(frozen=True, slots=True)
class Script:
    """One session, ready to be played."""

    id: str
    dialect: Dialect
    path: str
    calls: tuple[Call, ...]


def script(session: Trace | Recording, profile: Profile, gap: Gap | None = None) -> Script:
    """The calls of a session. `gap`: between them; None takes a recording's own, and the usual one for a trace."""
    if isinstance(session, Recording):
        first = session.exchanges[0]
        return Script(session.id, by_name(first.dialect), first.path, tuple(_recorded(session, gap or Recorded())))
    known = frozenset(text for item in session.messages if _is_observation(item) for text in texts(item["content"]))
    waits = gap or Constant(USUAL)
    if profile.provider == "anthropic":
        calls = _anthropic_calls(session, profile.name, waits)
        return Script(session.id, observing(ANTHROPIC_MESSAGES, known), "/v1/messages", tuple(calls))
    calls = _chat_calls(session, profile.name, waits)
    return Script(session.id, observing(OPENAI_CHAT, known), "/v1/chat/completions", tuple(calls))


def _is_observation(message: Object) -> bool:
    return message.get("kind") == "observation" and "content" in message


def _chat_calls(trace: Trace, model: str, gap: Gap) -> Iterator[Call]:
    messages = chat_messages(trace)
    tools = {"tools": trace.tools} if trace.tools else {}
    opening, closing = _envelope({"model": model, **tools})
    raws = [msgspec.json.encode(message) for message in messages]
    for now, index in _answers(trace, messages, gap):
        yield Call(now, opening, tuple(raws[:index]), closing, (raws[index],))


def _anthropic_calls(trace: Trace, model: str, gap: Gap) -> Iterator[Call]:
    system, messages = anthropic_messages(trace)
    tools = anthropic_tools(trace.tools or ())
    for part in (system or tools)[-1:]:
        part["cache_control"] = MARKER
    fields = {"model": model, "max_tokens": MAX_OUTPUT, "tools": tools, "system": system}
    opening, closing = _envelope({key: value for key, value in fields.items() if value})
    raws = [msgspec.json.encode(message) for message in messages]
    for now, index in _answers(trace, messages, gap):
        last = msgspec.json.encode(_marked(messages[index - 1]))
        yield Call(now, opening, (*raws[: index - 1], last), closing, (raws[index],))


def _answers(trace: Trace, messages: Sequence[Object], gap: Gap) -> list[tuple[float, int]]:
    """When each call was made and where its answer stands: every assistant message that has something before it."""
    places = [index for index, message in enumerate(messages) if message["role"] == "assistant" and index]
    known = trace.times[-len(places) :]
    unknown: list[float | None] = [None] * (len(places) - len(known))
    return list(zip(starts(gap, trace.id, [*unknown, *known]), places, strict=True)) if places else []


def _marked(message: Object) -> Object:
    """The message with a cache marker on its last block that may carry one."""
    blocks = list(message["content"])
    places = [place for place, block in enumerate(blocks) if block.get("type") not in UNMARKABLE]
    if places:
        blocks[places[-1]] = {**blocks[places[-1]], "cache_control": MARKER}
    return {**message, "content": blocks}


def _envelope(fields: Object) -> tuple[bytes, bytes]:
    """The body before and behind the elements of its list."""
    body = msgspec.json.encode({**fields, "messages": []})
    return body[:-2], body[-2:]


def _recorded(recording: Recording, gap: Gap) -> Iterator[Call]:
    exchanges = recording.exchanges
    dialect = by_name(exchanges[0].dialect)
    cuts = [split(one.body, dialect.list_key) for one in exchanges]
    elements = [tuple(bytes(element) for element in cut.elements) for cut in cuts]
    answers = [*(_answer(dialect, *pair) for pair in pairwise(elements)), ()]
    times = starts(gap, recording.id, [one.t for one in exchanges])
    for turn, (one, cut, now) in enumerate(zip(exchanges, cuts, times, strict=True)):
        body = one.body
        output = one.usage.output if one.usage else None
        # A body is kept as it was: its list is one piece, separators and all.
        whole = (body[cut.begin : cut.end],)
        yield Call(now, body[: cut.begin], whole, body[cut.end :], answers[turn], output or 0)


def _answer(dialect: Dialect, before: tuple[bytes, ...], after: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What the model said to `before`: the assistant's elements that `after` has in addition."""
    found = []
    for raw in after[len(before) :]:
        if dialect.message(raw, len).role is not Role.ASSISTANT:
            break
        found.append(raw)
    return tuple(found)

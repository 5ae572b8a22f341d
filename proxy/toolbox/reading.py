"""Recorded sessions, read for their tools: what each request defines, and which tools its history calls.

Rules of this room: a dialect finds tools and calls; a trace becomes requests as `replay` makes them. A call is
counted once, however often histories repeat it: the most that any one of them shows counts, for a
history may lose its beginning.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import msgspec

from policies.core.conversation import Block, Kind, Role
from policies.core.profile import Profile
from proxy.dialects import Count
from proxy.dialects.canonical import decode
from proxy.dialects.definitions import Definition, definitions, kept
from proxy.dialects.slices import split
from proxy.dialects.values import pick
from proxy.errors import ConfigError
from proxy.profiles import FALLBACK, load_profiles, profile_for
from proxy.replay.trace import Recording, Trace, read
from proxy.replay.wire import Script, script
from proxy.tokens import Counters
from proxy.toolbox.tally import Request, Session

Call = tuple[str, str, bytes]
"""Tool, id and identity of a call."""

_PARTS = {"bash_code_execution": "code_execution", "text_editor_code_execution": "code_execution"}
"""Anthropic's code execution is one tool when it is defined and several when it is called (package 2.12.0)."""

_ELSEWHERE = frozenset({"thread", "previous_response_id", "conversation"})
"""Of the reasons to leave a history alone those by which it is with the provider, and its calls with it."""


def sessions(paths: Iterable[Path], model: str | None = None) -> Iterator[Session]:
    """The sessions of some files. ConfigError for a bad line, and for a `model` that nobody describes."""
    profiles, counters = load_profiles(), Counters()
    named = next((profile for profile in profiles if profile.name == model), None)
    if model and named is None and profile_for(profiles, model) is FALLBACK:
        raise ConfigError(f"no profile describes the model `{model}`", help="`holdfast models` lists them")
    for path in paths:
        for recorded in read(path):
            profile = named or profile_for(profiles, model or recorded.model)
            yield session(recorded, profile, counters.counter(profile))


def session(recorded: Trace | Recording, profile: Profile, count: Count) -> Session:
    """One session, its costs by the prices of `profile`."""
    if isinstance(recorded, Trace):
        told = kept(recorded.tools or (), count)
        reader = _Reader(script(msgspec.structs.replace(recorded, tools=None), profile), count, told)
        requests = [reader.request(call.body) for call in reader.script.calls]
    else:
        reader = _Reader(script(recorded, profile), count)
        requests = [msgspec.structs.replace(reader.request(one.body), usage=one.usage) for one in recorded.exchanges]
    return Session(recorded.id, recorded.model, profile, tuple(requests), tuple(_calls(reader.histories())))


class _Reader:
    """Reads the requests of one session, each message and each head once."""

    def __init__(self, played: Script, count: Count, told: tuple[Definition, ...] = ()) -> None:
        """`told`: definitions that stand beside the requests and not in them."""
        self.script = played
        self._dialect = played.dialect
        self._count = count
        self._told = told
        self._messages: dict[bytes, tuple[Role, tuple[Call, ...]]] = {}
        self._heads: dict[bytes, Request] = {}
        self._systems: dict[bytes, int] = {}
        self._histories: list[list[Call]] = []

    def request(self, body: bytes) -> Request:
        """What one request defines; its calls go to the histories."""
        cut = split(body, self._dialect.list_key)
        elements = [bytes(element) for element in cut.elements]
        self._histories.append([call for raw in elements for call in self._message(raw)[1]])
        head = self._head(cut.rest)
        leading = takewhile(lambda raw: self._message(raw)[0] is Role.SYSTEM, elements)
        return msgspec.structs.replace(head, head=head.head + sum(map(self._system, leading)))

    def histories(self) -> Iterator[list[Call]]:
        """The calls that each request shows, and after the last one those that its answer adds."""
        yield from self._histories
        if self.script.calls:
            answer = self.script.calls[-1].answer
            yield [*self._histories[-1], *(call for raw in answer for call in self._message(raw)[1])]

    def _message(self, raw: bytes) -> tuple[Role, tuple[Call, ...]]:
        found = self._messages.get(raw)
        if found is None:
            message = self._dialect.message(raw, len)
            calls = tuple(_call(block) for block in message.blocks if block.kind is Kind.CALL)
            found = self._messages[raw] = message.role, calls
        return found

    def _system(self, raw: bytes) -> int:
        if raw not in self._systems:
            self._systems[raw] = self._dialect.message(raw, self._count).tokens
        return self._systems[raw]

    def _head(self, rest: bytes) -> Request:
        found = self._heads.get(rest)
        if found is None:
            listed = definitions(self._dialect.prompt(rest).tools, self._count)
            late = (one for one in definitions(_deferred(rest), self._count) if one not in listed)
            head = self._dialect.head(rest, self.script.path, self._count)
            tokens = head.tokens + sum(one.tokens for one in self._told)
            tokens -= sum(one.tokens for one in listed if one.deferred)
            whole = head.stand_down not in _ELSEWHERE
            found = self._heads[rest] = Request((*self._told, *listed, *late), tokens, whole=whole)
        return found


def _deferred(rest: bytes) -> list[object]:
    """Tools that are not in the prompt, which a dialect need not list."""
    try:
        tools = pick(decode(rest), "tools")
    except ValueError:  # without one meaning: the dialect has read what it could
        return []
    listed = tools if isinstance(tools, list) else []
    return [tool for tool in listed if pick(tool, "defer_loading") is True]


def _call(block: Block) -> Call:
    """What is asked makes a call the same, where its bytes change: Gemini CLI drops signatures when it resumes."""
    return _PARTS.get(block.tool, block.tool), block.call_id, block.act.identity if block.act else block.hash


def _calls(histories: Iterable[Sequence[Call]]) -> Iterator[tuple[str, int]]:
    """Tool and turn of each call. What a request shows first, the turn before it has called."""
    known: Counter[Call] = Counter()
    for turn, history in enumerate(histories):
        shown = Counter(history)
        for call, times in (shown - known).items():
            yield from [(call[0], turn)] * times
        known |= shown

"""Sessions in each wire format, and the driver around them: what the tests of the driver share.

A session is a list of steps that no wire format shows in; a `Wire` says each step in its own words. A
`Replica` is one process: its own memo, and a store and an archive that it may share with others.
Everything is the real thing but the witness, which writes down what it is told.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from policies.breakpoints import Breakpoints
from policies.core.conversation import Block, Conversation, Kind, Message
from policies.core.lineage import extend_message, root_hash
from policies.core.profile import Profile
from policies.core.usage import Usage
from policies.mask import Mask
from policies.policy import Policy
from proxy.archive import Archive
from proxy.archive.memory import MemoryArchive
from proxy.dialects import Count, Dialect
from proxy.dialects.registry import by_name
from proxy.dialects.slices import split
from proxy.exchange import Context, Prepared, Request, Settled, prepare, settle
from proxy.memo import Memo
from proxy.profiles import load_profiles, profile_for
from proxy.store import Store
from proxy.store.memory import MemoryStore

T = TypeVar("T")
Json = dict[str, Any]

START = 1_800_000_000.0
STEP = 10.0
"""Seconds between two turns: every cache is still warm."""
PROFILES = load_profiles()

UNMARKED = Breakpoints(auto=False)
_EACH_TURN = Mask(keep_newest=1, min_tokens=61, when="always", liveness=False)
EAGER = Policy(name="eager", mask=_EACH_TURN, breakpoints=UNMARKED)
"""Masks whatever is older than the newest observation, at once."""
PATIENT = Policy(name="patient", mask=Mask(keep_newest=1, min_tokens=61, liveness=False), breakpoints=UNMARKED)
"""Masks when it pays."""
IDLE = Policy(name="idle", mask=Mask(when="never"), breakpoints=UNMARKED)


@dataclass(frozen=True)
class User:
    text: str


@dataclass(frozen=True)
class Result:
    id: str
    text: str
    tool: str = "read_file"


@dataclass(frozen=True)
class Results:
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Answer:
    text: str
    calls: tuple[str, ...] = ()
    """Ids of the calls it makes, all of `read_file`."""
    thought: str = ""


Step = User | Answer | Results


@dataclass(frozen=True)
class Wire:
    """One dialect as a client speaks it."""

    name: str
    path: str
    model: str
    say: Callable[[Step], list[Json]]
    head: Callable[[str, str, str], Json]
    """Model, system text and the name of a tool to the rest of the body."""
    lead: Callable[[str], list[Json]] = lambda system: []
    """The system text as it stands in the list, where this API puts it there."""

    @property
    def dialect(self) -> Dialect:
        return by_name(self.name)

    def messages(self, steps: Sequence[Step]) -> list[Json]:
        return [message for step in steps for message in self.say(step)]

    def body(
        self,
        messages: Sequence[Json] | Sequence[Step],
        *,
        system: str = "You are careful.",
        tool: str = "read_file",
        model: str = "",
        **fields: object,
    ) -> bytes:
        said = [one for item in messages for one in (self.say(item) if not isinstance(item, dict) else [item])]
        rest = self.head(model or self.model, system, tool)
        return dump({**rest, self.dialect.list_key: [*self.lead(system), *said], **fields})


def dump(value: object) -> bytes:
    return json.dumps(value).encode()


def _arguments(id: str) -> Json:
    return {"path": f"src/{id}.py"}


def _anthropic(step: Step) -> list[Json]:
    match step:
        case User(text):
            return [{"role": "user", "content": [{"type": "text", "text": text}]}]
        case Results(results):
            parts = [{"type": "tool_result", "tool_use_id": one.id, "content": one.text} for one in results]
            return [{"role": "user", "content": parts}]
        case Answer(text, calls, thought):
            thoughts = [{"type": "thinking", "thinking": thought, "signature": f"sig-{thought}"}] if thought else []
            uses = [{"type": "tool_use", "id": id, "name": "read_file", "input": _arguments(id)} for id in calls]
            return [{"role": "assistant", "content": [*thoughts, {"type": "text", "text": text}, *uses]}]


def _chat(step: Step) -> list[Json]:
    match step:
        case User(text):
            return [{"role": "user", "content": text}]
        case Results(results):
            return [{"role": "tool", "tool_call_id": one.id, "content": one.text} for one in results]
        case Answer(text, calls, thought):
            message: Json = {"role": "assistant", "content": text}
            if thought:
                message["reasoning_content"] = thought
            if calls:
                message["tool_calls"] = [
                    {
                        "id": id,
                        "type": "function",
                        "function": {"name": "read_file", "arguments": json.dumps(_arguments(id))},
                    }
                    for id in calls
                ]
            return [message]


def _responses(step: Step) -> list[Json]:
    match step:
        case User(text):
            return [{"role": "user", "content": [{"type": "input_text", "text": text}]}]
        case Results(results):
            return [{"type": "function_call_output", "call_id": one.id, "output": one.text} for one in results]
        case Answer(text, calls, thought):
            sealed = {"type": "reasoning", "id": f"rs-{thought}", "summary": [], "encrypted_content": f"enc-{thought}"}
            said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
            made = [
                {
                    "type": "function_call",
                    "call_id": id,
                    "name": "read_file",
                    "arguments": json.dumps(_arguments(id)),
                }
                for id in calls
            ]
            return [*([sealed] if thought else []), said, *made]


def _gemini(step: Step) -> list[Json]:
    match step:
        case User(text):
            return [{"role": "user", "parts": [{"text": text}]}]
        case Results(results):
            return [
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"id": one.id, "name": one.tool, "response": {"output": one.text}}}
                        for one in results
                    ],
                }
            ]
        case Answer(text, calls, thought):
            parts: list[Json] = [{"text": text, **({"thoughtSignature": f"sig-{thought}"} if thought else {})}]
            uses = [{"functionCall": {"id": id, "name": "read_file", "args": _arguments(id)}} for id in calls]
            return [{"role": "model", "parts": [*parts, *uses]}]


def _converse(step: Step) -> list[Json]:
    match step:
        case User(text):
            return [{"role": "user", "content": [{"text": text}]}]
        case Results(results):
            parts = [{"toolResult": {"toolUseId": one.id, "content": [{"text": one.text}]}} for one in results]
            return [{"role": "user", "content": parts}]
        case Answer(text, calls, thought):
            told = {"reasoningText": {"text": thought, "signature": f"sig-{thought}"}}
            uses = [{"toolUse": {"toolUseId": id, "name": "read_file", "input": _arguments(id)}} for id in calls]
            thoughts = [{"reasoningContent": told}] if thought else []
            return [{"role": "assistant", "content": [*thoughts, {"text": text}, *uses]}]


def _converse_head(model: str, system: str, name: str) -> Json:
    """The model stands in the path; a test that changes it says so in the body, where it is read as well."""
    tool = {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}
    named = {} if model == CONVERSE.model else {"model": model}
    return {**named, "system": [{"text": system}], "toolConfig": {"tools": [tool] if name else []}}


def _head(named: Callable[[str], Json], tool: Callable[[str], Json]) -> Callable[[str, str, str], Json]:
    def head(model: str, system: str, name: str) -> Json:
        return {"model": model, **named(system), "tools": [tool(name)] if name else []}

    return head


ANTHROPIC = Wire(
    "anthropic_messages",
    "/v1/messages",
    "claude-sonnet-4-5",
    _anthropic,
    _head(
        lambda system: {"system": [{"type": "text", "text": system}], "max_tokens": 1000},
        lambda name: {"name": name, "input_schema": {"type": "object"}},
    ),
)
CHAT = Wire(
    "openai_chat",
    "/v1/chat/completions",
    "gpt-4.1",
    _chat,
    _head(lambda system: {}, lambda name: {"type": "function", "function": {"name": name}}),
    lead=lambda system: [{"role": "system", "content": system}],
)
RESPONSES = Wire(
    "openai_responses",
    "/v1/responses",
    "gpt-6.1-sol",
    _responses,
    _head(lambda system: {"instructions": system, "store": False}, lambda name: {"type": "function", "name": name}),
)
GEMINI = Wire(
    "gemini",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    "gemini-2.5-flash",
    _gemini,
    _head(
        lambda system: {"systemInstruction": {"parts": [{"text": system}]}},
        lambda name: {"functionDeclarations": [{"name": name}]},
    ),
)
CONVERSE = Wire(
    "bedrock_converse",
    "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    _converse,
    _converse_head,
)
WIRES = (ANTHROPIC, CHAT, RESPONSES, GEMINI, CONVERSE)


def large(id: str) -> str:
    """A tool's answer that is worth masking, told apart from others by `id`."""
    return "\n".join(f"{id} line {line}: the quick brown fox jumps over the lazy dog" for line in range(40))


def work(turns: int, *, name: str = "c", thinking: bool = False) -> list[Step]:
    """A task, then this many calls with their answers."""
    steps: list[Step] = [User(f"Please fix the bug in {name}.")]
    for turn in range(turns):
        id = f"{name}{turn}"
        steps.append(Answer(f"I shall read {id}.", (id,), f"think {id}" if thinking else ""))
        steps.append(Results((Result(id, large(id)),)))
    return steps


def turns_of(steps: Sequence[Step]) -> list[list[Step]]:
    """The requests of a session: everything up to each step that a model has to answer."""
    return [list(steps[: at + 1]) for at, step in enumerate(steps) if not isinstance(step, Answer)]


@dataclass
class Witness:
    """Writes down what it is told."""

    degradations: list[tuple[str, str]] = field(default_factory=list)
    accounts: list[Settled] = field(default_factory=list)

    def accounted(self, settled: Settled) -> None:
        self.accounts.append(settled)

    def degraded(self, what: str, reason: str) -> None:
        self.degradations.append((what, reason))


def counter(profile: Profile) -> Count:
    """As real as it need be: four characters a token."""
    return lambda text: len(text) // 4 + 1


class Replica:
    """One process. `policy` may be changed between turns."""

    def __init__(
        self,
        policy: Policy = EAGER,
        *,
        store: Store | None = None,
        archive: Archive | None = None,
        memo: Memo | None = None,
        count: Callable[[Profile], Count] = counter,
    ) -> None:
        self.policy = policy
        self.witness = Witness()
        self.now = START
        self.context = Context(
            store=store or MemoryStore(),
            archive=archive or MemoryArchive(),
            memo=memo or Memo(seed=7),
            profile=lambda model, upstream: profile_for(PROFILES, model),
            counter=count,
            policy=lambda request, model: self.policy,
            witness=self.witness,
        )

    def beside(self, policy: Policy | None = None) -> "Replica":
        """Another process with the same store and archive; the same one after a restart."""
        other = Replica(
            policy or self.policy, store=self.context.store, archive=self.context.archive, memo=Memo(seed=8)
        )
        other.now = self.now
        return other

    async def prepare(
        self, wire: Wire, body: bytes, *, key: bytes = b"key", session: str = "", agent: str = "unknown"
    ) -> Prepared:
        self.now += STEP
        request = Request("api", wire.dialect, wire.path, body, credential=key, session=session, agent=agent)
        return await prepare(request, self.context, self.now)

    async def send(
        self, wire: Wire, body: bytes, *, key: bytes = b"key", session: str = "", agent: str = "unknown"
    ) -> Prepared:
        """A whole exchange, as far as the driver sees it."""
        prepared = await self.prepare(wire, body, key=key, session=session, agent=agent)
        await settle(prepared, self.context, Usage(output=50), self.now)
        return prepared

    def turn(self, wire: Wire, messages: Sequence[Step] | Sequence[Json], **fields: Any) -> Prepared:
        """`send` for a test that has no loop of its own. `fields`: of the body."""
        return run(self.send(wire, wire.body(messages, **fields)))

    def session(self, wire: Wire, steps: Sequence[Step], **fields: Any) -> list[Prepared]:
        """Every turn of a session."""
        return [self.turn(wire, turn, **fields) for turn in turns_of(steps)]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def viewed(wire: Wire, body: bytes, count: Count = len) -> Conversation:
    """What an upstream reads: the body decoded anew."""
    cut = split(body, wire.dialect.list_key)
    head = wire.dialect.head(cut.rest, wire.path, count)
    return Conversation(wire.name, head, tuple(wire.dialect.message(bytes(one), count) for one in cut.elements))


def hashes(wire: Wire, body: bytes) -> list[bytes]:
    """The prefix hash behind each message as sent; cache markers do not count."""
    at = root_hash(b"", wire.name, "")
    found: list[bytes] = []
    for message in viewed(wire, body).messages:
        at = extend_message(at, message)
        found.append(at)
    return found


def elements(wire: Wire, body: bytes) -> list[bytes]:
    """The list of messages as sent, byte for byte."""
    return [bytes(one) for one in split(body, wire.dialect.list_key).elements]


def listed(wire: Wire, body: bytes) -> list[Json]:
    found: list[Json] = json.loads(body)[wire.dialect.list_key]
    return found


def blocks(messages: Sequence[Message], kind: Kind) -> list[Block]:
    return [block for message in messages for block in message.blocks if block.kind is kind]


def texts(wire: Wire, body: bytes) -> list[str]:
    """The text of each observation as the model reads it."""
    return [
        wire.dialect.original(message.raw, block.index)
        for message in viewed(wire, body).messages
        for block in message.blocks
        if block.kind is Kind.OBSERVATION
    ]


def masked(wire: Wire, body: bytes) -> int:
    """How many observations are placeholders."""
    return sum("elided" in text for text in texts(wire, body))


def headers(prepared: Prepared) -> Mapping[str, str]:
    return dict(prepared.headers)

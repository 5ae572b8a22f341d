"""Small agents that keep their history as each API wants it, and the provider's script that keeps them busy.

Rules of this room: plain JSON over HTTP, as agents send it; nothing of Holdfast's own code but
profiles and token counts, so that what is measured is measured from outside.
"""

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from policies.core.profile import find_profile
from policies.core.usage import Usage, input_cost, output_cost
from proxy.profiles import load_profiles
from proxy.simulator.brains import Answer, ToolCall
from proxy.simulator.prompt import Count
from proxy.simulator.records import Record
from tests.end_to_end.running import COUNTERS

PROFILES = load_profiles()
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}}
TASK = "Find out why the build is slow, and say what to change."
SYSTEM = "You are a careful engineer who reads before writing. " * 150
WORDS = "cache token lineage prefix marker block plan edit store tenant replay ledger mask view slice head".split()


def turns(count: int, reasoning: bool = True) -> tuple[Answer, ...]:
    """What the model says: two calls at once every fifth turn, else one."""
    return tuple(
        Answer(
            reasoning=f"Step {number}: the next file will tell. " * 3 if reasoning else "",
            text=f"Reading part {number}.",
            calls=tuple(ToolCall("read", json.dumps({"path": f"src/part_{number}_{n}.py"})) for n in range(calls)),
        )
        for number, calls in ((number, 2 if number % 5 == 4 else 1) for number in range(count))
    )


def observation(number: int, lines: tuple[int, int] = (20, 160)) -> str:
    """What a tool reports: made-up source of varying length, the same for the same number."""
    rng = random.Random(number)
    row = (
        f"{n:4} def {rng.choice(WORDS)}_{rng.randrange(999)}(): {rng.choice(WORDS)}" for n in range(rng.randint(*lines))
    )
    return "\n".join(row)


@dataclass
class Call:
    id: str
    name: str


@dataclass
class Reply:
    """One answer as the client saw it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    usage: Usage

    @property
    def plan(self) -> str:
        return self.headers.get("x-holdfast-plan", "")


@dataclass
class Agent(ABC):
    """Works against `url` until the script ends. `history` is what it will send next."""

    url: str
    client: httpx.Client
    model: str
    history: list[Any] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    observations: int = 0
    lines: tuple[int, int] = (20, 160)

    def __post_init__(self) -> None:
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Set the first history and the headers."""

    @abstractmethod
    def path(self) -> str: ...

    @abstractmethod
    def body(self) -> dict[str, Any]: ...

    @abstractmethod
    def take(self, answer: Any) -> tuple[list[Call], Usage]:
        """Lay the answer to the history."""

    @abstractmethod
    def report(self, call: Call, text: str) -> None:
        """Lay an observation to the history."""

    def turn(self) -> bool:
        """One exchange and the tools it asks for; False where the model asks for none."""
        reply = self.client.post(
            self.url + self.path(), content=json.dumps(self.body(), ensure_ascii=False), headers=self.headers
        )
        assert reply.status_code == 200, reply.text
        calls, usage = self.take(reply.json())
        self.replies.append(Reply(reply.status_code, reply.headers, reply.content, usage))
        for call in calls:
            self.report(call, observation(self.observations, self.lines))
            self.observations += 1
        return bool(calls)

    def run(self, most: int = 1000) -> "Agent":
        for _ in range(most):
            if not self.turn():
                break
        return self


class Claude(Agent):
    """Markers as Claude Code places them: on the system prompt and on the last two messages."""

    thinking: Mapping[str, Any] = {"type": "enabled", "budget_tokens": 2000}
    marks = True

    def begin(self) -> None:
        self.headers |= {"x-api-key": "key-of-claude", "anthropic-version": "2023-06-01"}
        self.headers |= {"content-type": "application/json"}
        self.history = [{"role": "user", "content": [{"type": "text", "text": TASK}]}]

    def path(self) -> str:
        return "/v1/messages"

    def body(self) -> dict[str, Any]:
        mark = {"cache_control": {"type": "ephemeral"}} if self.marks else {}
        return {
            "model": self.model,
            "max_tokens": 8000,
            "thinking": self.thinking,
            "system": [{"type": "text", "text": SYSTEM, **mark}],
            "tools": [{"name": "read", "input_schema": PARAMETERS}],
            "messages": [*self.history[:-2], *(_marked(m, mark) for m in self.history[-2:])],
        }

    def take(self, answer: Any) -> tuple[list[Call], Usage]:
        self.history.append({"role": "assistant", "content": answer["content"]})
        calls = [Call(block["id"], block["name"]) for block in answer["content"] if block["type"] == "tool_use"]
        said = answer["usage"]
        read, write = said["cache_read_input_tokens"], said["cache_creation_input_tokens"]
        return calls, Usage(said["input_tokens"] + read + write, read, write, output=said["output_tokens"])

    def report(self, call: Call, text: str) -> None:
        if self.history[-1]["role"] == "assistant":
            self.history.append({"role": "user", "content": []})
        self.history[-1]["content"].append({"type": "tool_result", "tool_use_id": call.id, "content": text})


class UnmarkedClaude(Claude):
    """Most frameworks place no markers: nothing is cached, so every edit pays at once."""

    marks = False


class AutomaticClaude(UnmarkedClaude):
    """One marker at top level, which the provider moves to the end of each request."""

    def body(self) -> dict[str, Any]:
        return {**super().body(), "cache_control": {"type": "ephemeral"}}


class BoundClaude(Claude):
    """On models that bind thinking to its prefix nothing before it may be edited."""

    thinking = {"type": "adaptive"}


class Chat(Agent):
    def begin(self) -> None:
        self.headers |= {"authorization": "Bearer key-of-chat", "content-type": "application/json"}
        self.history = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}]

    def path(self) -> str:
        return "/v1/chat/completions"

    def body(self) -> dict[str, Any]:
        tools = [{"type": "function", "function": {"name": "read", "parameters": PARAMETERS}}]
        return {"model": self.model, "messages": self.history, "tools": tools}

    def take(self, answer: Any) -> tuple[list[Call], Usage]:
        message = answer["choices"][0]["message"]
        self.history.append({key: value for key, value in message.items() if value is not None})
        calls = [Call(call["id"], call["function"]["name"]) for call in message.get("tool_calls") or ()]
        said = answer["usage"]
        details = said["prompt_tokens_details"]
        write = details.get("cache_write_tokens")
        return calls, Usage(said["prompt_tokens"], details["cached_tokens"], write, output=said["completion_tokens"])

    def report(self, call: Call, text: str) -> None:
        self.history.append({"role": "tool", "tool_call_id": call.id, "content": text})


class Responses(Agent):
    """Stateless, as Codex works: encrypted reasoning goes back with every request."""

    def begin(self) -> None:
        self.headers |= {"authorization": "Bearer key-of-responses", "content-type": "application/json"}
        self.history = [{"role": "user", "content": TASK}]

    def path(self) -> str:
        return "/v1/responses"

    def body(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "instructions": SYSTEM,
            "input": self.history,
            "tools": [{"type": "function", "name": "read", "parameters": PARAMETERS, "strict": False}],
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "one-run",
        }

    def take(self, answer: Any) -> tuple[list[Call], Usage]:
        self.history += answer["output"]
        calls = [Call(item["call_id"], item["name"]) for item in answer["output"] if item["type"] == "function_call"]
        said = answer["usage"]
        details = said["input_tokens_details"]
        write = details.get("cache_write_tokens")
        return calls, Usage(said["input_tokens"], details["cached_tokens"], write, output=said["output_tokens"])

    def report(self, call: Call, text: str) -> None:
        self.history.append({"type": "function_call_output", "call_id": call.id, "output": text})


class Gemini(Agent):
    def begin(self) -> None:
        self.headers |= {"x-goog-api-key": "key-of-gemini", "content-type": "application/json"}
        self.history = [{"role": "user", "parts": [{"text": TASK}]}]

    def path(self) -> str:
        return f"/v1beta/models/{self.model}:generateContent"

    def body(self) -> dict[str, Any]:
        return {
            "contents": self.history,
            "systemInstruction": {"parts": [{"text": SYSTEM}]},
            "tools": [{"functionDeclarations": [{"name": "read", "parametersJsonSchema": PARAMETERS}]}],
        }

    def take(self, answer: Any) -> tuple[list[Call], Usage]:
        content = answer["candidates"][0]["content"]
        self.history.append(content)
        calls = [Call("", part["functionCall"]["name"]) for part in content["parts"] if "functionCall" in part]
        said = answer["usageMetadata"]
        output = said.get("candidatesTokenCount", 0) + said.get("thoughtsTokenCount", 0)
        return calls, Usage(said["promptTokenCount"], said.get("cachedContentTokenCount", 0), output=output)

    def report(self, call: Call, text: str) -> None:
        if self.history[-1]["role"] == "model":
            self.history.append({"role": "user", "parts": []})
        response = {"name": call.name, "response": {"output": text}}
        self.history[-1]["parts"].append({"functionResponse": response})


def _marked(message: dict[str, Any], mark: Mapping[str, Any]) -> dict[str, Any]:
    *before, last = message["content"]
    return {**message, "content": [*before, {**last, **mark} if last["type"] != "thinking" else last]}


KINDS: dict[str, tuple[type[Agent], str]] = {
    "anthropic": (Claude, "claude-sonnet-4-5"),
    "anthropic without markers": (UnmarkedClaude, "claude-sonnet-4-5"),
    "anthropic with the automatic marker": (AutomaticClaude, "claude-sonnet-4-5"),
    "anthropic bound": (BoundClaude, "claude-opus-5-5"),
    "chat": (Chat, "gpt-5.1"),
    "chat with breakpoints": (Chat, "gpt-5.6-sol"),
    "responses": (Responses, "gpt-5.1"),
    "responses bound": (Responses, "gpt-6.2-sol"),
    "gemini": (Gemini, "gemini-2.5-pro"),
    "gemini signed": (Gemini, "gemini-3-pro-preview"),
}


def cost(records: Sequence[Record]) -> float:
    """US dollars at list prices, by what the provider says it computed."""
    total = 0.0
    for record in records:
        profile = find_profile(PROFILES, record.model)
        assert profile and record.usage, record.error
        usage = usage_of(record)
        total += input_cost(profile, usage) + output_cost(profile, usage)
    return total


def usage_of(record: Record) -> Usage:
    assert record.usage, record.error
    tokens = record.usage.input
    return Usage(tokens.total, tokens.read, tokens.write + tokens.write_long, tokens.write_long, record.usage.output)


def hit_rate(records: Sequence[Record]) -> float:
    bills = [record.usage.input for record in records if record.usage]
    return sum(bill.read for bill in bills) / sum(bill.total for bill in bills)


def rendered(body: bytes) -> list[str]:
    """A request as the provider's cache reads it: tools, system, messages, block by block, markers left out."""
    whole = json.loads(body)
    rows = [*_shown(whole.get("tools", ())), *_listed(whole.get("system")), whole.get("instructions")]
    rows += [whole.get("systemInstruction")]
    for message in whole.get("messages") or whole.get("input") or whole.get("contents"):
        rows += _blocks(message)
    return [json.dumps(row, sort_keys=True) for row in rows]


def _shown(tools: Sequence[Any]) -> list[Any]:
    """Without what Anthropic keeps out of the prompt until a result refers to it."""
    return [tool for tool in tools if not ("input_schema" in tool and tool.get("defer_loading"))]


def _listed(system: Any) -> list[Any]:
    return [_unmarked(block) for block in system] if isinstance(system, list) else [system]


def _blocks(message: Mapping[str, Any]) -> Iterator[Any]:
    """Each block with what its message says beside; a plain string is the same as one text block."""
    key = next((key for key in ("parts", "content", "output") if message.get(key)), "")
    if not key:
        yield message
        return
    beside = {name: value for name, value in message.items() if name != key}
    content = message[key]
    for block in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        yield beside, _unmarked(block)


def _unmarked(block: Mapping[str, Any]) -> dict[str, Any]:
    """A text with a marker is a block of a list, and maybe a string again once the marker has moved on."""
    bare = {key: value for key, value in block.items() if key not in ("cache_control", "prompt_cache_breakpoint")}
    if bare.get("type") == "input_text":
        bare["type"] = "text"
    if isinstance(text := bare.get("content"), str):
        bare["content"] = [{"type": "text", "text": text}]
    return bare


def counted(model: str) -> Count:
    """How a provider counts whose tokens Holdfast estimates well."""
    profile = find_profile(PROFILES, model)
    assert profile
    return COUNTERS.counter(profile)


def extends(before: bytes, after: bytes) -> bool:
    """APPEND-ONLY: whether the earlier request is a cache prefix of the later one."""
    first = rendered(before)
    return rendered(after)[: len(first)] == first

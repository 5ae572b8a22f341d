"""The recorded material as requests and answers, one a line, with what a simulated provider thinks of each.

Reasoning was sealed by the real providers, whose keys nobody has: before a request is judged, each
seal that stands in the *original* is exchanged for one of the simulator's own, by what it seals. A
rewriting that altered sealed reasoning therefore still fails.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from policies.core.profile import Profile
from proxy.profiles import load_profiles
from proxy.simulator.apis import Api, Call, Desk, Memory
from proxy.simulator.chat import CHAT
from proxy.simulator.clouds.bedrock import CONVERSE
from proxy.simulator.fallback import profile_for
from proxy.simulator.gemini import GEMINI
from proxy.simulator.gemini.turns import signature
from proxy.simulator.messages import MESSAGES
from proxy.simulator.nodes import BadShape, Unknown, parse
from proxy.simulator.prompt import four_bytes_a_token
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses import RESPONSES
from proxy.simulator.responses.reasoning import encrypted
from proxy.simulator.seals import Seal, Seals

CASSETTES = (
    "anthropic", "anthropic-count-tokens", "anthropic-vertex", "bedrock-converse", "gemini", "gemini-cached-contents",
    "gemini-vertex", "openai-chat", "openai-chat-compatible", "openai-responses", "openai-responses-compact",
    "openai-responses-compatible",
)  # fmt: skip
CAPTURES = (
    "anthropic-sdk", "claude", "claude-compact", "codex", "codex-compact", "langchain-anthropic", "langgraph",
    "openai-agents", "openai-agents-prev", "opencode", "opencode-anthropic", "opencode-compact", "opencode-prune",
    "pydantic-ai", "pydantic-ai-anth", "pydantic-ai-resp",
)  # fmt: skip
ELSEWHERE = ("codex-ws",)
"""Recorded over WebSocket: played by test_websocket.py."""

FILES = tuple(f"cassettes/{name}" for name in CASSETTES) + tuple(f"captures/{name}" for name in CAPTURES)

PROFILES = load_profiles()
APIS: dict[str, Api] = {
    **{api.name: api for api in (MESSAGES, CHAT, RESPONSES, GEMINI)},
    "bedrock_converse": CONVERSE,
}
SEALS = Seals(b"recorded")
CREDENTIALS = {
    "x-api-key": "recorded",
    "authorization": "Bearer recorded",
    "x-goog-api-key": "recorded",
    "anthropic-version": "2023-06-01",
}


@dataclass(frozen=True)
class Line:
    """One exchange. `answer` is None where none was recorded."""

    number: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 200
    answer: bytes | None = None
    streamed: bool = False

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


def lines(shared: Path, file: str) -> list[Line]:
    """In the order recorded."""
    with gzip.open(shared / f"{file}.jsonl.gz", "rt", encoding="utf-8") as rows:
        read = _cassette if file.startswith("cassettes/") else _capture
        return [read(number, json.loads(row)) for number, row in enumerate(rows, 1)]


def _cassette(number: int, row: Any) -> Line:
    request, response = row["request"], row["response"]
    streamed = isinstance(response["body"], str)
    return Line(
        number,
        request["method"],
        request["path"],
        request["headers"],
        json.dumps(request["body"]).encode() if request["body"] else b"",
        response["status"],
        response["body"].encode() if streamed else json.dumps(response["body"]).encode(),
        streamed,
    )


def _capture(number: int, row: Any) -> Line:
    target = row["path"] + (f"?{row['query']}" if row["query"] else "")
    return Line(number, row["method"], target, row["headers"], row["body"].encode())


class Known(Struct, frozen=True):
    """The seals of one request, as the providers wrote them, and what each of them seals."""

    seals: frozenset[tuple[str, str]]


def known(body: bytes) -> Known:
    return Known(frozenset((seal, content) for seal, content, _ in _sealed(json.loads(body))))


def _sealed(value: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(seal, content, the object that carries them) of all sealed reasoning."""
    if isinstance(value, list):
        for item in value:
            yield from _sealed(item)
    elif isinstance(value, dict):
        for key in ("signature", "data", "encrypted_content", "thoughtSignature", "thought_signature"):
            if isinstance(value.get(key), str) and (key != "data" or value.get("type") == "redacted_thinking"):
                yield value[key], json.dumps({k: v for k, v in value.items() if k != key}), value
        for item in value.values():
            yield from _sealed(item)


def refusal(dialect: str, line: Line, body: bytes, seals: Known) -> str:
    """Why the strict provider refuses this body; empty where it does not. `seals`: those of the original."""
    if dialect not in APIS:
        return "nobody here judges it"
    api = APIS[dialect]
    model = str(json.loads(body).get("model", ""))
    path = line.path if dialect == "gemini" else ""
    model = path.rpartition("/")[2].partition(":")[0] or model
    headers = {**{name.lower(): value for name, value in line.headers.items()}, **CREDENTIALS}
    headers.pop("content-encoding", None)
    desk = Desk(lambda name: unbound(api, name), SEALS, four_bytes_a_token, Memory())
    try:
        whole = parse(_resealed(body, model, seals), "")
        api.read(Call(line.path, {}, headers, body), whole, desk, "recorded")
    except Refusal as fault:
        return fault.message
    except (BadShape, Unknown) as fault:
        return str(fault)
    return ""


def unbound(api: Api, model: str) -> Profile:
    """Without the binding of reasoning to its prefix: what a real provider bound cannot be known here."""
    return replace(profile_for(PROFILES, api.name, model), binds_reasoning="no")


def _resealed(body: bytes, model: str, seals: Known) -> bytes:
    value = json.loads(body)
    for seal, content, carrier in list(_sealed(value)):
        if (seal, content) not in seals.seals:
            continue
        if "signature" in carrier:
            carrier["signature"] = SEALS.close(Seal(model=model, bound=""), carrier.get("thinking", ""))
        elif "data" in carrier:
            carrier["data"] = SEALS.close(Seal(model=model, bound=""), "")
        elif "encrypted_content" in carrier:
            carrier["encrypted_content"] = encrypted(seal, Seal(model=model, bound=""), SEALS)
        else:
            key = "thoughtSignature" if "thoughtSignature" in carrier else "thought_signature"
            carrier[key] = signature(model, SEALS)
    return json.dumps(value).encode()

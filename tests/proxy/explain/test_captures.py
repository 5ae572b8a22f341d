"""What real clients break, and what Holdfast sends in its place: cause and place of every break, nothing unexplained.

Each recorded request goes through the driver to the strict simulated provider, and what the store then holds is read
back as `explain` reads it. Left out of the bodies is reasoning: another stand-in had signed it.
"""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from policies.core.planner import WORST_CASE
from policies.core.usage import Usage
from policies.policy import Policy
from proxy import exchange
from proxy.config.policies import load_policy
from proxy.dialects.registry import recognise
from proxy.explain.figures import Line, line_of, story_of
from proxy.explain.looking import find, turns
from proxy.simulator.apis import Call
from proxy.simulator.brains import echo
from proxy.simulator.paths import api_of
from proxy.simulator.prompt import four_bytes_a_token
from proxy.simulator.service import Service
from proxy.store.memory import MemoryStore
from tests.proxy.driving import PROFILES, START, Replica

Broken = tuple[tuple[int, str, str], ...]
"""Which request (from 0, of those that were answered), for what cause, and where."""

CLIENTS: dict[str, Broken] = {
    "claude": ((8, "tools_changed", "tools[1].description"),),  # resumed
    # the request for a summary has its marker in front of the last result, and so in front of what was written
    "claude-compact": tuple((number, "lookback_exceeded", "") for number in (3, 5, 7)),
    "codex": (),
    "codex-compact": ((4, "tools_changed", "tools[0]"), (9, "tools_changed", "tools[0]")),  # summaries have no tools
    "langchain-anthropic": (),
    "langgraph": (),
    "openai-agents": (),
    "opencode": (),
    "opencode-anthropic": (),
    "opencode-compact": (),
    "opencode-prune": ((8, "history_edited", "messages[104].content[0].text"),),
    "pydantic-ai": (),
    "pydantic-ai-anth": (),
    "pydantic-ai-resp": (),
}
ELSEWHERE = {
    "anthropic-sdk": "the provider holds the thread",
    "codex-ws": "messages of a WebSocket",
    "openai-agents-prev": "the provider holds the history",
}
"""Captures that are not played, and why."""


class Played(Struct):
    lines: list[Line]
    losses: set[str]
    cost: float


def _requests(shared: Path, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(shared / "captures" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from (line for line in map(json.loads, lines) if line["method"] == "POST")


def _without_reasoning(text: str) -> bytes:
    body = json.loads(text)
    body.pop("thinking", None)
    key = "input" if "input" in body else "messages"
    body[key] = [_spoken(message) for message in body[key] if message.get("type") != "reasoning"]
    return json.dumps(body).encode()


def _spoken(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [block for block in content if block.get("type") != "thinking"]}


async def _play(shared: Path, name: str, policy: Policy) -> Played:
    store = MemoryStore()
    replica = Replica(policy, store=store, count=lambda profile: four_bytes_a_token)
    provider = Service(PROFILES, echo, four_bytes_a_token, b"key")
    for number, line in enumerate(_requests(shared, name)):
        dialect, now = recognise(line["path"]), START + line["t"]
        assert dialect is not None
        body = _without_reasoning(line["body"])
        asked = exchange.Request("api", dialect, line["path"], body, b"key", session=name)
        prepared = await exchange.prepare(asked, replica.context, now)
        usage = _served(provider, line, prepared.body, number, now)
        await exchange.settle(prepared, replica.context, usage, now)
    assert not replica.witness.degradations
    kept = await turns(store, await find(store, name))
    losses = {lost.cause for turn in kept for lost in story_of(turn).losses}
    return Played(
        [line_of(turn) for turn in kept], losses, sum(each.actual or 0.0 for each in replica.witness.accounts)
    )


def _served(provider: Service, line: dict[str, Any], body: bytes, number: int, now: float) -> Usage:
    api = api_of("POST", line["path"])
    assert api is not None
    headers = {key.lower(): value for key, value in line["headers"].items()} | {"x-api-key": "key"}
    reply = provider.answer(api, Call(line["path"], {}, headers, body), number, now)
    assert reply.bill is not None, reply.error
    for _ in reply.chunks:
        pass
    reply.begin()
    reading = reply.bill.input
    return Usage(reading.total, reading.read, reading.write + reading.write_long, reading.write_long, output=50)


def _broken(played: Played, *, ours: bool) -> Broken:
    """The largest loss of each request that has one."""
    return tuple(
        (number, line.lost.cause, line.place)
        for number, line in enumerate(played.lines)
        if line.lost is not None and line.lost.cause.startswith("policy_") is ours
    )


@pytest.mark.parametrize("name", CLIENTS)
def test_every_break_of_a_client_has_its_cause_and_place_and_holdfast_adds_none_unplanned(
    name: str, shared: Path
) -> None:
    observed = asyncio.run(_play(shared, name, load_policy("observe").policy))
    through = asyncio.run(_play(shared, name, load_policy("default").policy))
    assert _broken(observed, ours=False) == CLIENTS[name] and not _broken(observed, ours=True)
    assert "provider_unexplained" not in observed.losses | through.losses
    assert set(_broken(through, ours=False)) <= set(CLIENTS[name])
    for number, _, place in _broken(through, ours=True):
        assert through.lines[number].applied and place
    assert through.cost <= (1 + WORST_CASE) * observed.cost  # a mask that has just been made has not paid yet


def test_every_capture_is_played_or_its_absence_explained(shared: Path) -> None:
    found = {path.name.removesuffix(".jsonl.gz") for path in (shared / "captures").glob("*.jsonl.gz")}
    assert found == CLIENTS.keys() | ELSEWHERE.keys()

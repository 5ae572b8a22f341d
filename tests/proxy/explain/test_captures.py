"""What real clients break, and what Holdfast sends in its place: cause and place of every break, nothing unexplained.

Each recorded request goes through the driver to the strict simulated provider, and what the store then holds is read
back as `explain` reads it. Left out of the bodies is reasoning: another stand-in had signed it.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policies.core.planner import WORST_CASE
from proxy.config.policies import load_policy
from tests.proxy.explain.playing import Broken, Sent, played

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


def _sent(line: dict[str, Any]) -> Sent:
    return Sent(line["path"], _without_reasoning(line["body"]), line["t"], line["headers"])


@pytest.mark.parametrize("name", CLIENTS)
def test_every_break_of_a_client_has_its_cause_and_place_and_holdfast_adds_none_unplanned(
    name: str, shared: Path
) -> None:
    requests = [_sent(line) for line in _requests(shared, name)]
    observed, through = (played(name, requests, load_policy(policy).policy) for policy in ("observe", "default"))
    assert observed.broken(ours=False) == CLIENTS[name] and not observed.broken(ours=True)
    assert "provider_unexplained" not in observed.losses | through.losses
    assert set(through.broken(ours=False)) <= set(CLIENTS[name])
    for number, _, place in through.broken(ours=True):
        assert through.lines[number].applied and place
    assert through.cost <= (1 + WORST_CASE) * observed.cost  # a mask that has just been made has not paid yet


def test_a_claude_that_is_resumed_keeps_its_prefix_though_a_tool_is_described_otherwise(shared: Path) -> None:
    requests = [_sent(line) for line in _requests(shared, "claude")]
    observed, through = (played("claude", requests, load_policy(policy).policy) for policy in ("observe", "default"))
    lost, kept = observed.lines[8], through.lines[8]
    assert (lost.read, lost.lost and lost.lost.cause) == (0.0, "tools_changed")
    assert kept.read is not None and kept.read > 0.99 and kept.lost is None
    assert kept.place == "tools[1].description" and kept.applied["stabilize"] >= 2  # told, and not lost
    assert through.cost < 0.75 * observed.cost


def test_a_codex_that_asks_for_a_summary_without_tools_reads_its_cache(shared: Path) -> None:
    requests = [_sent(line) for line in _requests(shared, "codex-compact")]
    observed, through = (played("codex", requests, load_policy(policy).policy) for policy in ("observe", "default"))
    assert observed.lines[4].read == 0.0
    for number in (4, 9):
        kept = through.lines[number]
        assert kept.read is not None and kept.read > 0.8 and kept.lost is None and kept.applied["tools"] == 1
    assert not through.broken(ours=False)


def test_every_capture_is_played_or_its_absence_explained(shared: Path) -> None:
    found = {path.name.removesuffix(".jsonl.gz") for path in (shared / "captures").glob("*.jsonl.gz")}
    assert found == CLIENTS.keys() | ELSEWHERE.keys()

"""The report on tools of real clients and of recorded runs: figures that a second count confirms."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.dialects.registry import recognise
from proxy.toolbox.reading import sessions
from proxy.toolbox.report import text
from proxy.toolbox.tally import Toolset, toolsets
from tests.end_to_end.recorded import Line, lines

CLIENTS = {
    "claude": (25, {"Bash": 10, "Read": 1, "TaskCreate": 1}),
    "claude-compact": (25, {"Bash": 1, "Read": 3}),
    "codex": (14, {"exec_command": 13}),
    "codex-compact": (14, {"exec_command": 10}),
    "langgraph": (1, {"bash": 13}),
    "openai-agents": (1, {"bash": 13}),
    "opencode": (10, {"bash": 9, "read": 1, "todowrite": 1, "grep": 1, "glob": 1}),
    "opencode-anthropic": (10, {"bash": 9, "read": 1, "todowrite": 1, "grep": 1, "glob": 1}),
    "pydantic-ai": (1, {"bash": 13}),
    "pydantic-ai-anth": (1, {"bash": 13}),
    "pydantic-ai-resp": (1, {"bash": 13}),
}
"""How many definitions each client sends, and how often its history shows each tool called."""
ELSEWHERE = ("openai-agents-prev", "anthropic-sdk")
"""Clients that leave their history with the provider."""
VAGUE = {
    "book_reservation",
    "cancel_reservation",
    "get_reservation_details",
    "update_reservation_baggages",
    "update_reservation_flights",
    "update_reservation_passengers",
}


@pytest.fixture(scope="module")
def recordings(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each capture as `serve --record` would have written it."""
    folder = tmp_path_factory.mktemp("recordings")
    for name in (*CLIENTS, *ELSEWHERE):
        written = map(_recorded, lines(shared, f"captures/{name}"))
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in written if line))
    return folder


def _recorded(line: Line) -> bytes:
    dialect = recognise(line.path)
    named = (line.headers.get(key, "") for key in ("x-claude-code-session-id", "session-id", "x-session-id"))
    return b"" if dialect is None else msgspec.json.encode(
        {
            "t": float(line.number),
            "dialect": dialect.name,
            "path": line.path,
            "session": next(filter(None, named), ""),
            "request": line.body.decode(),
        }
    )  # fmt: skip


def reported(*paths: Path) -> tuple[Toolset, ...]:
    return toolsets(sessions(paths))


@pytest.mark.parametrize("name", CLIENTS)
def test_what_real_clients_define_and_call_is_counted(name: str, recordings: Path) -> None:
    (found,) = reported(recordings / f"{name}.jsonl")
    assert (len(found.tools), {one.definition.label: one.calls for one in found.tools if one.calls}) == CLIENTS[name]
    assert found.undefined == ()
    assert sum(one.definition.tokens for one in found.tools) <= 1.05 * found.head
    assert max(map(len, text([found]).splitlines())) <= 80


@pytest.mark.parametrize("name", ELSEWHERE)
def test_of_a_history_that_the_provider_keeps_no_tool_is_said_to_be_unused(name: str, recordings: Path) -> None:
    (found,) = reported(recordings / f"{name}.jsonl")
    assert found.partial > 0 and found.idle == ()


@pytest.mark.parametrize("name", ["claude", "codex", "opencode"])
def test_tools_that_well_known_agents_keep_apart_are_not_called_alike(name: str, recordings: Path) -> None:
    assert "alike" not in text(reported(recordings / f"{name}.jsonl"))


def test_the_tool_that_a_resumed_session_describes_anew_is_named(recordings: Path) -> None:
    (found,) = reported(recordings / "claude.jsonl")
    assert [(one.definition.name, one.changed) for one in found.tools if one.changed] == [("Bash", 1)]


@pytest.mark.parametrize(
    "name",
    [
        "tau-bench-airline-gpt4o",
        "pi-sessions-claude",
        pytest.param("isobench-trae-sonnet-4.5", marks=pytest.mark.slow),
    ],
)
def test_every_call_of_a_recorded_run_is_counted_once(name: str, shared: Path) -> None:
    path = shared / "traces" / f"{name}.jsonl.gz"
    found = Counter[str]()
    for one in reported(path):
        found.update({used.definition.name: used.calls for used in one.tools if used.calls})
        found.update(dict(one.undefined))
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        assert found == Counter(
            name for row in rows for message in json.loads(row)["messages"] for name in _called(message)
        )


def _called(message: dict[str, Any]) -> list[str]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    chat = [call["function"]["name"] for call in message.get("tool_calls") or ()]
    return [*chat, *(block["name"] for block in blocks if block.get("type") == "tool_use")]


def test_of_the_airline_s_tools_those_that_say_too_little_are_named(shared: Path) -> None:
    (found,) = reported(shared / "traces" / "tau-bench-airline-gpt4o.jsonl.gz")
    said = text([found])
    assert {one.definition.name for one in found.tools if f"{one.definition.name} is vague" in said} == VAGUE
    assert said.count(" are alike: ") == 1
    assert "search_onestop_flight and search_direct_flight are alike" in said
    assert [one.definition.name for one in found.idle] == ["update_reservation_passengers"]

"""Legal requests of every API, damaged at random: refused or answered, never a server error."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.simulator.brains import Answer, ToolCall, script
from tests.proxy.simulator import test_anthropic_rules, test_gemini_rules, test_openai_rules
from tests.proxy.simulator.provider import Provider

CHAT = test_openai_rules.chat(
    test_openai_rules.USER,
    test_openai_rules.CALLS,
    test_openai_rules.TOOL,
    test_openai_rules.marked("user"),
    tools=[{"type": "function", "function": {"name": "ls"}}],
    prompt_cache_options={"mode": "implicit"},
    stream_options={"include_usage": True},
    stream=True,
)
TALKS = script((Answer(text="a", reasoning="b", calls=(ToolCall("ls"),)),) * 9)
SEEDS = {
    "/v1/messages": lambda: test_anthropic_rules.looped("claude-bound", 3),
    "/v1/responses": lambda: test_openai_rules.looped("gpt-6.2", 3),
    "/v1/chat/completions": lambda: (Provider(TALKS), CHAT),
    test_gemini_rules.STREAM: lambda: test_gemini_rules.looped(),
}
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", [], {}, [1], {"type": "text"}, {"a": {}}, "tool_use", "\ud800", 10**30, [[]],
    [None], {"type": None},
]  # fmt: skip
KEYS = ("type", "content", "id", "text", "x", "cache_control", "role", "thought_signature")
STATUSES = (200, 400, 404)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in rows:
        yield from places(inner, (*path, key))


def damaged(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    found = copy.deepcopy(body)
    *parents, last = chance.choice(list(places(found)))
    holder: Any = found
    for key in parents:
        holder = holder[key]
    match chance.randrange(4):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, list):
            holder.insert(last, copy.deepcopy(chance.choice(holder)))
        case 1:
            holder[chance.choice(KEYS)] = copy.deepcopy(chance.choice(JUNK))
        case _:
            holder[last] = copy.deepcopy(chance.choice(JUNK))
    return found


@pytest.mark.parametrize("path", SEEDS)
def test_no_damage_to_a_legal_request_makes_a_server_error(path: str) -> None:
    provider, body = SEEDS[path]()
    chance = random.Random(7)
    for _ in range(400):
        broken = damaged(body, chance)
        response = provider.post(path, broken)
        assert response.status_code in STATUSES, broken
    assert {record.status for record in provider.log} >= {200, 400}

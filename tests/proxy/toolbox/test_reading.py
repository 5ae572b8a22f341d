"""Tools and calls of recorded sessions, through each dialect."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.usage import Usage
from proxy.errors import ConfigError
from proxy.replay.trace import Trace, read
from proxy.toolbox.reading import session, sessions
from proxy.toolbox.report import document, text
from proxy.toolbox.tally import toolsets

from ..dialects.test_definitions import ODD
from ..replay.sessions import trace
from .building import DEAR

DEFINED = {"name": "look", "description": "Looks at whatever stands at a place.", "parameters": {"type": "object"}}
BODIES: dict[str, tuple[str, str, Any, Any, Any]] = {
    "anthropic_messages": (
        "/v1/messages",
        "messages",
        [{"name": "look", "description": DEFINED["description"], "input_schema": {"type": "object"}}],
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {}}]},
    ),
    "openai_chat": (
        "/v1/chat/completions",
        "messages",
        [{"type": "function", "function": DEFINED}],
        {"role": "user", "content": "hello"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": "{}"}}]},
    ),
    "openai_responses": (
        "/v1/responses",
        "input",
        [{"type": "function", **DEFINED}],
        {"role": "user", "content": "hello"},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
    ),
    "gemini": (
        "/v1beta/models/gemini-2.5-pro:generateContent",
        "contents",
        [{"functionDeclarations": [DEFINED]}],
        {"role": "user", "parts": [{"text": "hello"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "abc"}]},
    ),
    "bedrock_converse": (
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse",
        "messages",
        [{"toolSpec": {"name": "look", "description": DEFINED["description"], "inputSchema": {"json": {}}}}],
        {"role": "user", "content": [{"text": "hello"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "look", "input": {}}}]},
    ),
}
every_dialect = pytest.mark.parametrize("dialect", BODIES)


def exchange(t: int, dialect: str, tools: Any, *said: Any, **fields: Any) -> str:
    path, key, *_ = BODIES[dialect]
    body: dict[str, Any] = {"model": "claude-sonnet-4-5", key: said}
    body |= {"toolConfig": {"tools": tools}} if dialect == "bedrock_converse" else {"tools": tools}
    line = {"t": t, "dialect": dialect, "path": path, "session": "s", "request": json.dumps(body), **fields}
    return json.dumps(line) + "\n"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "recorded.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


@every_dialect
def test_tools_and_their_calls_are_found_in_every_dialect(dialect: str, tmp_path: Path) -> None:
    _, _, tools, hello, called = BODIES[dialect]
    lines = [exchange(n, dialect, tools, hello, *[called] * (n > 1), hello) for n in (1, 2, 3)]
    (found,) = sessions([written(tmp_path, *lines)])
    assert [[one.name for one in request.definitions] for request in found.requests] == [["look"]] * 3
    assert found.calls == (("look", 1),)
    (look,) = found.requests[0].definitions
    assert 0 < look.tokens <= found.requests[0].head + 2


@every_dialect
@given(tools=st.lists(ODD, max_size=3) | ODD, odd=ODD)
def test_no_recorded_tools_raise(dialect: str, tools: Any, odd: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    *_, hello, called = BODIES[dialect]
    lines = [exchange(1, dialect, tools, hello), exchange(2, dialect, tools, hello, called, odd)]
    path = written(tmp_path_factory.getbasetemp(), *lines)
    found = toolsets(session(recorded, DEAR, len) for recorded in read(path))
    assert all(len(line) <= 80 for line in text(found).splitlines())
    json.dumps(document(found))


@given(
    tools=st.lists(st.dictionaries(st.text(max_size=4), ODD, max_size=3) | ODD.filter(lambda v: isinstance(v, dict)))
)
def test_no_tools_of_a_trace_raise(tools: list[Any]) -> None:
    text(toolsets([session(trace([9], tools=tools), DEAR, len)]))


def test_a_call_that_comes_back_in_other_bytes_is_the_same_call(tmp_path: Path) -> None:
    _, _, tools, hello, called = BODIES["gemini"]
    bare = {"role": "model", "parts": [{"functionCall": called["parts"][0]["functionCall"]}]}
    lines = [exchange(1, "gemini", tools, hello, called), exchange(2, "gemini", tools, hello, bare, hello)]
    (found,) = sessions([written(tmp_path, *lines)])
    assert found.calls == (("look", 0),)


def test_calls_that_a_history_has_lost_stay_counted_and_new_ones_that_ask_the_same_count(tmp_path: Path) -> None:
    _, _, tools, hello, called = BODIES["anthropic_messages"]
    again = json.loads(json.dumps(called).replace("c1", "c2"))
    histories = [(hello,), (hello, called, hello), (hello,), (hello, again, hello)]
    lines = [exchange(n, "anthropic_messages", tools, *said) for n, said in enumerate(histories)]
    (found,) = sessions([written(tmp_path, *lines)])
    assert found.calls == (("look", 1), ("look", 3))


def test_a_call_that_a_later_history_shows_again_is_counted_once(tmp_path: Path) -> None:
    _, _, tools, hello, called = BODIES["anthropic_messages"]
    histories = [(hello,), (hello, called, hello), (hello,), (hello, called, hello)]
    lines = [exchange(n, "anthropic_messages", tools, *said) for n, said in enumerate(histories)]
    assert next(sessions([written(tmp_path, *lines)])).calls == (("look", 1),)


def test_a_history_that_the_provider_keeps_is_known_as_such(tmp_path: Path) -> None:
    _, _, tools, hello, _ = BODIES["openai_responses"]
    line = exchange(1, "openai_responses", tools, hello)
    chained = line.replace('{\\"model', '{\\"previous_response_id\\": \\"r1\\", \\"model')
    (found,) = sessions([written(tmp_path, line, chained)])
    assert [request.whole for request in found.requests] == [True, False]


def test_what_a_server_defines_once_and_is_called_in_parts_is_one_tool(tmp_path: Path) -> None:
    hello = BODIES["anthropic_messages"][3]
    block = {"type": "server_tool_use", "id": "x", "name": "bash_code_execution", "input": {"command": "ls"}}
    tools = [{"type": "code_execution_20260120", "name": "code_execution"}]
    line = exchange(1, "anthropic_messages", tools, hello, {"role": "assistant", "content": [block]})
    (found,) = sessions([written(tmp_path, line)])
    assert found.calls == (("code_execution", 0),)


@pytest.mark.parametrize("dialect", ["anthropic_messages", "openai_responses"])
def test_a_deferred_tool_is_listed_and_is_no_part_of_the_head(dialect: str, tmp_path: Path) -> None:
    _, _, tools, hello, _ = BODIES[dialect]
    late = [{**tools[0], "name": "late", "defer_loading": True}]
    found = [next(sessions([written(tmp_path, exchange(1, dialect, some, hello))])) for some in (tools, tools + late)]
    assert [one.name for one in found[1].requests[0].definitions] == ["look", "late"]
    assert abs(found[0].requests[0].head - found[1].requests[0].head) <= 2


def test_system_messages_at_the_front_are_part_of_the_head(tmp_path: Path) -> None:
    _, _, tools, hello, _ = BODIES["openai_chat"]
    ruled = {"role": "system", "content": "Obey the rules of this house. " * 20}
    heads = [
        next(sessions([written(tmp_path, exchange(1, "openai_chat", tools, *said))])).requests[0].head
        for said in ((hello,), (ruled, hello), (hello, ruled))
    ]
    assert heads[0] == heads[2] and heads[1] > heads[0] + 100


def test_usage_is_as_recorded(tmp_path: Path) -> None:
    _, _, tools, hello, _ = BODIES["openai_chat"]
    (found,) = sessions([written(tmp_path, exchange(1, "openai_chat", tools, hello, usage={"input": 7}))])
    assert found.requests[0].usage == Usage(input=7)


def test_a_trace_has_its_tools_beside_its_calls() -> None:
    found = session(trace([9, 9], tools=[{"name": "read_file", "description": "Reads."}]), DEAR, len)
    assert [[one.name for one in request.definitions] for request in found.requests] == [["read_file"]] * 3
    assert found.calls == (("read_file", 1), ("read_file", 2))


def test_the_last_answer_of_a_trace_counts() -> None:
    ending = trace([9], tools=[{"name": "read_file"}])
    shorter = Trace("cut", ending.messages[:3], "made-up", tools=ending.tools)
    assert session(shorter, DEAR, len).calls == (("read_file", 1),)
    assert session(Trace("none", [], "made-up"), DEAR, len).calls == ()


def test_a_model_that_nobody_describes_has_no_prices_unless_one_is_named(tmp_path: Path) -> None:
    _, _, tools, hello, _ = BODIES["openai_chat"]
    path = written(tmp_path, exchange(1, "openai_chat", tools, hello).replace("claude-sonnet-4-5", "home-made"))
    assert next(sessions([path])).profile.unit == "relative"
    assert next(sessions([path], "gpt-4o")).profile.name == "gpt-4o"
    with pytest.raises(ConfigError, match="no profile describes the model `made-up`"):
        next(sessions([path], "made-up"))

"""What a client withdraws is disallowed in each API's own way, and a choice of its own is respected."""

import json
from typing import Any

import pytest

from proxy.dialects.head_choice import choice_of, no_tools, only_tools, with_added, with_own

CHAT = {"type": "function", "function": {"name": "a", "parameters": {}}}
RESPONSES = {"type": "function", "name": "a", "parameters": {}}


def _said(dialect: str, tools: list[Any], choice: object = None) -> Any:
    found = only_tools(dialect, tools, choice)
    return found if not found else json.loads(found[("tool_choice",)])


@pytest.mark.parametrize(
    ("dialect", "choice"),
    [("openai_chat", "none"), ("openai_responses", "none"), ("anthropic_messages", {"type": "none"})],
)
def test_no_tool_may_be_called(dialect: str, choice: object) -> None:
    found = no_tools(dialect, {}, {})
    assert found and {path: json.loads(raw) for path, raw in found.items()} == {("tool_choice",): choice}


@pytest.mark.parametrize("dialect", ["gemini", "bedrock_converse"])
def test_where_that_cannot_be_said_nothing_is(dialect: str) -> None:
    assert no_tools(dialect, {}, {}) is None
    assert only_tools(dialect, [RESPONSES], None) is None


def test_parallel_calls_stay_as_they_were_since_they_are_part_of_the_cache() -> None:
    parallel, path = "parallel_tool_calls", ("parallel_tool_calls",)
    assert (no_tools("openai_responses", {parallel: False}, {parallel: True}) or {})[path] == b"true"
    assert (no_tools("openai_responses", {}, {parallel: False}) or {})[path] == b"false"
    assert path not in (no_tools("openai_responses", {parallel: False}, {parallel: False}) or {})
    assert no_tools("openai_responses", {parallel: False}, {}) is None


def test_some_tools_are_allowed_in_the_shape_of_each_api() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "a"}}]}
    assert _said("openai_chat", [CHAT]) == {"type": "allowed_tools", "allowed_tools": allowed}
    assert _said("openai_responses", [RESPONSES], "required") == {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "a"}],
    }
    listed = [{"type": "custom", "name": "b"}, {"type": "mcp", "server_label": "docs", "server_url": "x"}]
    assert _said("openai_responses", listed, "auto")["tools"] == [
        {"type": "custom", "name": "b"},
        {"type": "mcp", "server_label": "docs"},
    ]


@pytest.mark.parametrize("choice", ["none", {"type": "function", "name": "a"}])
def test_a_choice_that_already_restricts_is_the_clients(choice: object) -> None:
    assert _said("openai_responses", [RESPONSES], choice) == {}


@pytest.mark.parametrize("tool", ["a", {"type": "namespace"}, {"type": "function"}, {"type": "mcp"}, {}])
def test_a_tool_that_cannot_be_named_leaves_the_list_to_the_client(tool: object) -> None:
    assert _said("openai_responses", [tool]) is None
    assert _said("openai_chat", [tool]) is None


def test_the_clients_choice_is_read_from_the_request() -> None:
    assert choice_of(b'{"tool_choice":"auto"}') == "auto" and choice_of(b"{}") is None


def test_new_tools_stand_behind_those_listed_before_in_their_own_bytes() -> None:
    before, now = b'{"tools":[ {"n": 1} ]}', b'{"tools":[{"n":2},{"n":1},{"n" : 3}]}'
    assert with_added(("tools",), before, now, [0, 2]) == b'{"tools":[ {"n": 1},{"n":2},{"n" : 3} ]}'
    assert with_added(("tools",), b'{"tools":[]}', now, [0, 2]) == b'{"tools":[{"n":2},{"n" : 3}]}'


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (b"{}", b'{"tools":[1]}'),
        (b'{"tools":[1]}', b'{"functions":[1]}'),
        (b'{"tools":null}', b'{"tools":[1]}'),
        (b'{"tools":[1],"functions":[2]}', b'{"tools":[1],"functions":[3]}'),
        (b'{"tools":[{"f":[1]}]}', b'{"tools":[{"f":[1,2]}]}'),
    ],
)
def test_what_is_not_one_list_is_left_to_the_client(before: bytes, now: bytes) -> None:
    assert with_added(("tools", "functions"), before, now, [1]) is None


def test_tools_known_before_stand_in_the_clients_bytes_where_it_lists_them() -> None:
    known, now = b'{"tools":[{"n":1},{"n":2},{"n":3}]}', b'{"tools":[ {"n": 3},{"n" : 1} ]}'
    assert with_own(("tools",), known, now, [1, None, 0]) == b'{"tools":[{"n" : 1},{"n":2},{"n": 3}]}'


@pytest.mark.parametrize(
    ("known", "now"),
    [
        (b'{"tools":[1],"functions":[2]}', b'{"tools":[1],"functions":[3]}'),
        (b'{"tools":[1,2]}', b'{"functions":[1]}'),
        (b'{"tools":[{"f":[1,2]}]}', b'{"tools":[1]}'),
        (b'{"tools":[1,2]}', b'{"tools":[{"f":[1,2]},3]}'),
    ],
)
def test_where_an_element_is_no_single_tool_no_list_is_made(known: bytes, now: bytes) -> None:
    assert with_own(("tools", "functions"), known, now, [0, None]) is None

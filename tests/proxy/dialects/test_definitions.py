"""Each provider's shape of a tool becomes one form; nothing that a client lists raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.definitions import Definition, definitions, kept

SCHEMA = {"type": "object", "properties": {"path": {"type": "string", "description": "Where."}, "deep": True}}

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("name", "type", "function", "custom", "toolSpec", "description", "tools", "defer_loading"),
                    *(
                        "functionDeclarations",
                        "parameters",
                        "input_schema",
                        "inputSchema",
                        "json",
                        "properties",
                        "path",
                    ),
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
"""JSON whose keys are often those of a definition."""


def one(tool: Any) -> Definition:
    (found,) = definitions([tool], len)
    return found


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "read", "description": "Reads.", "input_schema": SCHEMA},
        {"type": "custom", "name": "read", "description": "Reads.", "input_schema": SCHEMA},
        {"type": "function", "function": {"name": "read", "description": "Reads.", "parameters": SCHEMA}},
        {"function": {"name": "read", "description": "Reads.", "parameters": SCHEMA}},
        {"name": "read", "description": "Reads.", "parameters": SCHEMA},
        {"type": "function", "name": "read", "description": "Reads.", "parameters": SCHEMA, "strict": True},
        {"functionDeclarations": [{"name": "read", "description": "Reads.", "parameters": SCHEMA}]},
        {"function_declarations": [{"name": "read", "description": "Reads.", "parametersJsonSchema": SCHEMA}]},
        {"toolSpec": {"name": "read", "description": "Reads.", "inputSchema": {"json": SCHEMA}}},
    ],
)
def test_a_tool_of_the_client_is_the_same_in_every_dialect(tool: Any) -> None:
    found = one(tool)
    assert (found.name, found.description, found.kind, found.countable) == ("read", "Reads.", "", True)
    assert (found.parameters, found.undescribed) == (2, 1)
    assert found.tokens > 100


@pytest.mark.parametrize(
    ("tool", "name", "kind", "countable"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "bash", "bash_20250124", True),
        ({"type": "web_search_20260318", "name": "web_search"}, "web_search", "web_search_20260318", True),
        ({"type": "url", "name": "docs", "url": "https://example.com"}, "docs", "url", False),
        ({"type": "mcp_toolset", "mcp_server_name": "docs"}, "docs", "mcp_toolset", False),
        ({"type": "mcp", "server_label": "docs"}, "docs", "mcp", False),
        ({"type": "web_search"}, "web_search", "web_search", False),
        ({"type": "local_shell"}, "local_shell", "local_shell", True),
        ({"type": "computer_use_preview", "display_width": 9}, "computer", "computer_use_preview", True),
        ({"googleSearch": {}}, "googleSearch", "googleSearch", False),
    ],
)
def test_of_a_built_in_tool_calls_count_where_they_can_be_seen(
    tool: Any, name: str, kind: str, countable: bool
) -> None:
    found = one(tool)
    assert (found.name, found.kind, found.countable) == (name, kind, countable)


def test_the_tools_of_a_namespace_stand_beside_what_the_namespace_says() -> None:
    tools = [{"type": "function", "name": "spawn"}, {"type": "custom", "name": "wait"}]
    found = definitions([{"type": "namespace", "name": "agents", "description": "Agents.", "tools": tools}], len)
    assert [(each.label, each.name, each.countable) for each in found] == [
        ("agents", "agents", False),
        ("agents.spawn", "spawn", True),
        ("agents.wait", "wait", True),
    ]


def test_one_listed_tool_may_hold_several() -> None:
    found = definitions([{"functionDeclarations": [{"name": "a"}, 3, {"name": "b"}], "googleSearch": {}}], len)
    assert [each.name for each in found] == ["a", "b", "googleSearch"]


def test_a_deferred_tool_is_known_as_such() -> None:
    assert one({"name": "a", "defer_loading": True}).deferred and not one({"name": "a", "defer_loading": 1}).deferred


def test_a_trace_that_kept_the_name_alone_says_nothing_of_the_size() -> None:
    bare, whole = kept([{"function": {"name": "a"}}, {"name": "b", "description": "Does b."}], len)
    assert (bare.bare, bare.tokens, whole.bare) == (True, 0, False) and whole.tokens > 0


@given(st.lists(ODD, max_size=4))
def test_no_list_of_tools_raises_and_every_definition_has_a_size(tools: list[Any]) -> None:
    for found in definitions(tools, len):
        assert found.tokens > 0 and 0 <= found.undescribed <= found.parameters
    kept(tools, len)

"""Tools stand under their names in every wire format, and none of what is listed gets lost."""

import json
from typing import Any

import pytest

from proxy.dialects.head_tools import is_marked, named_tools


def _named(*tools: Any, key: str = "tools") -> tuple[tuple[str, object], ...] | None:
    return named_tools((key,), json.dumps({key: list(tools)}).encode())


def test_every_wrapping_is_taken_off_and_belongs_to_the_tool() -> None:
    assert _named({"name": "a", "input_schema": {}}) == (("a", [{}, {"name": "a", "input_schema": {}}]),)
    chat = {"type": "function", "function": {"name": "a", "strict": True}}
    assert _named(chat) == (("a", [{"type": "function"}, {"name": "a", "strict": True}]),)
    assert _named({"toolSpec": {"name": "a"}}) == (("a", [{}, {"name": "a"}]),)


def test_functions_that_gemini_lists_together_are_tools_each_and_so_is_what_stands_beside_them() -> None:
    found = _named({"functionDeclarations": [{"name": "a"}, {"name": "b"}], "googleSearch": {}}) or ()
    assert [name for name, _ in found] == ["a", "b", '{"googleSearch":{}}']
    assert _named({"functionDeclarations": []}) == ()


def test_a_tool_without_a_name_is_called_by_what_it_is() -> None:
    assert _named({"type": "web_search"}) == (('{"type":"web_search"}', [{}, {"type": "web_search"}]),)
    assert _named("odd") == (('"odd"', "odd"),)


def test_markers_are_no_part_of_a_tool() -> None:
    marked = {"name": "a", "cache_control": {"type": "ephemeral"}}
    assert _named(marked, {"cachePoint": {"type": "default"}}) == _named({"name": "a"})
    assert is_marked(json.dumps({"tools": [marked]}).encode()) and not is_marked(b'{"tools":[{"name":"a"}]}')


@pytest.mark.parametrize("part", [b'{"tools":{"a":1}}', b'{"tools":"a"}', b'{"tools":[{"name":"a","name":"b"}]}'])
def test_what_is_no_list_or_has_two_meanings_is_not_known(part: bytes) -> None:
    assert named_tools(("tools",), part) is None


def test_nothing_listed_is_no_tools() -> None:
    assert named_tools(("tools", "functions"), b'{"tools":null}') == ()

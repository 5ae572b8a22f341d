"""The head: equal where the cache would be the same, different where it would not."""

import json
from collections.abc import Mapping

import pytest

from policies.core.conversation import Head
from policies.core.divergence import Prompt
from proxy.dialects.heads import Layout, model_of, read_head, read_prompt
from proxy.errors import DialectError

LAYOUT = Layout(
    tools=("tools",),
    system=("system",),
    parameters=("mode", "deep.effort"),
    max_output=("max", "deep.max"),
    stand_down=lambda fields: "managed" if fields.get("managed") else "",
    also=("managed",),
)


def head(body: Mapping[str, object] | bytes, path: str = "/v1/x") -> Head:
    rest = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_head(LAYOUT, rest, path, lambda text: len(text))


def test_fields_are_found() -> None:
    found = head(
        {
            "model": "m",
            "tools": [{"name": "a", "cache_control": {}}, {"name": "b"}],
            "system": [{"type": "text", "text": "x", "cache_control": {}}],
            "cache_control": {"type": "ephemeral"},
            "stream": True,
            "max": 9,
            "managed": 1,
        }
    )
    assert (found.model, found.tools, found.markers, found.automatic, found.stream) == ("m", 2, 3, True, True)
    assert (found.max_output, found.stand_down) == (9, "managed")


def test_the_estimate_is_of_tools_and_system() -> None:
    assert head({}).tokens == 0
    both = head({"tools": [{"name": "a"}], "system": "x"}).tokens
    assert both == head({"tools": [{"name": "a"}]}).tokens + head({"system": "x"}).tokens
    assert head({"system": "x" * 100}).tokens - head({"system": "x"}).tokens == 99


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tools": [{"a": 1, "b": 2}]}, {"tools": [{"b": 2.0, "a": 1, "cache_control": {"type": "ephemeral"}}]}),
        ({"tools": []}, {"tools": None}),
        ({}, {"tools": []}),
        ({"system": "x"}, {"system": [{"type": "text", "text": "x", "cache_control": {}}]}),
        ({"mode": None}, {}),
        ({"temperature": 1}, {"temperature": 0}),
        ({"deep": {"effort": "low", "other": 1}}, {"deep": {"effort": "low"}}),
    ],
)
def test_what_the_cache_ignores_does_not_count(one: Mapping[str, object], other: Mapping[str, object]) -> None:
    a, b = head(one), head(other)
    assert (a.tools_hash, a.system_hash, a.parameters_hash) == (b.tools_hash, b.system_hash, b.parameters_hash)


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ({"tools": [{"n": 1}, {"n": 2}]}, {"tools": [{"n": 2}, {"n": 1}]}, "tools_hash"),
        ({"tools": [{"n": {"cache_control": 1}}]}, {"tools": [{"n": {}}]}, "tools_hash"),
        ({"system": "x"}, {"system": "y"}, "system_hash"),
        ({"mode": 1}, {"mode": 2}, "parameters_hash"),
        ({"deep": {"effort": "low"}}, {"deep": {"effort": "high"}}, "parameters_hash"),
    ],
)
def test_what_splits_the_cache_counts(one: Mapping[str, object], other: Mapping[str, object], field: str) -> None:
    hashes = {"tools_hash", "system_hash", "parameters_hash"}
    a, b = head(one), head(other)
    assert {name for name in hashes if getattr(a, name) != getattr(b, name)} == {field}


def test_a_field_without_a_canonical_form_is_known_by_its_bytes() -> None:
    one, other = head(b'{"tools":[{"a":1,"a":2}]}'), head(b'{"tools":[{"a":1,"a":3}]}')
    assert one.tools_hash != other.tools_hash
    assert one.tools == 0
    assert one.tools_hash == head(b'{"model":"x","tools":[{"a":1,"a":2}]}').tools_hash


@pytest.mark.parametrize("rest", [b"", b"[]", b"{", b'{"\xff":1}', b'{"a":' * 100_000])
def test_what_is_no_object_has_no_head(rest: bytes) -> None:
    with pytest.raises(DialectError, match="malformed_json"):
        head(rest)


@pytest.mark.parametrize(
    ("fields", "path", "model"),
    [
        ({"model": "m"}, "/v1beta/models/other:generateContent", "m"),
        ({"model": 7}, "/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"),
        ({"model": ""}, "/openai/deployments/my%20gpt/chat/completions?api-version=1", "my gpt"),
        ({}, "/v1/projects/p/publishers/anthropic/models/claude@1:rawPredict", "claude@1"),
        ({}, "/v1/chat/completions", ""),
    ],
)
def test_the_model_stands_in_the_body_or_in_the_path(fields: dict[str, object], path: str, model: str) -> None:
    assert model_of(fields, path) == model


def test_the_first_limit_that_is_a_number_counts() -> None:
    assert head({"max": "many", "deep": {"max": 7}}).max_output == 7
    assert head({"max": None}).max_output is None


def test_a_path_alone_may_ask_for_a_stream() -> None:
    layout = Layout((), (), (), (), lambda fields: "", streams=lambda path: "stream" in path)
    assert read_head(layout, b"{}", "/stream", len).stream
    assert not read_head(layout, b'{"stream":"yes"}', "/x", len).stream


def names(*tools: object) -> list[str]:
    return [name for name, _ in head({"tools": tools}).definitions]


def test_definitions_are_known_by_name_wherever_the_name_stands() -> None:
    assert names({"name": "a", "description": "x"}) == ["a"]
    assert names({"type": "function", "function": {"name": "a"}}, {"toolSpec": {"name": "b"}}) == ["a", "b"]
    assert names({"functionDeclarations": [{"name": "a"}, {"name": "b"}]}, {"googleSearch": {}}) == ["a", "b"]
    assert names("odd", {"name": 1}, {"function": "odd"}, {"functionDeclarations": []}) == []


def test_of_a_namespace_the_members_count_that_stand_in_the_prompt() -> None:
    # OpenAI Responses: a call names the member, never the namespace
    members = [{"type": "function", "name": "a"}, {"type": "function", "name": "b", "defer_loading": True}]
    assert names({"type": "namespace", "name": "crm", "tools": members}, {"type": "web_search"}) == ["a"]


def test_a_definition_is_counted_without_its_marker() -> None:
    ((_, bare),) = head({"tools": [{"name": "a"}]}).definitions
    assert head({"tools": [{"name": "a", "cache_control": {"type": "ephemeral"}}]}).definitions == (("a", bare),)
    assert bare == len('{"name":"a"}')


def test_a_head_as_values_is_what_its_hashes_cover() -> None:
    body = {
        "model": "m",
        "tools": [{"name": "a", "cache_control": {}}, {"name": "b"}],
        "system": "x",
        "mode": 1,
        "deep": {"effort": "low", "other": 2},
        "other": 3,
    }
    assert read_prompt(LAYOUT, json.dumps(body).encode()) == Prompt(
        tools=({"name": "a"}, {"name": "b"}),
        system=({"type": "text", "text": "x"},),
        parameters={"mode": 1, "deep.effort": "low"},
    )


def test_what_is_no_list_stands_as_one_value() -> None:
    found = read_prompt(LAYOUT, b'{"tools":{"name":"a"},"system":{"parts":["x"]}}')
    assert (found.tools, found.system) == (({"name": "a"},), ({"parts": ["x"]},))
    assert read_prompt(LAYOUT, b"{}") == Prompt()


def test_tools_that_are_not_in_the_prompt_are_not_compared() -> None:
    layout = Layout(("tools",), (), (), (), lambda fields: "", in_prompt=lambda tool: tool != "deferred")
    assert read_prompt(layout, b'{"tools":["deferred","a"]}').tools == ("a",)

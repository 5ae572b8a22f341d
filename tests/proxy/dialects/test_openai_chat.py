"""OpenAI Chat: messages, calls, markers, the head and usage, also of servers that speak it."""

import json
from collections.abc import Mapping

import pytest

from policies.core.conversation import Block, Head, Kind, Role
from policies.core.usage import Usage
from proxy.dialects.openai_chat import OPENAI_CHAT as DIALECT
from proxy.errors import DialectError


def message(value: object) -> tuple[Role, tuple[Block, ...]]:
    read = DIALECT.message(json.dumps(value).encode(), len)
    return read.role, read.blocks


def blocks(value: object) -> tuple[Block, ...]:
    return message(value)[1]


def head(body: Mapping[str, object], path: str = "/v1/chat/completions") -> Head:
    return DIALECT.head(json.dumps(body).encode(), path, len)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/chat/completions",
        "/openai/deployments/x/chat/completions?api-version=2024-10-21",
        "/v1beta/openai/chat/completions",
        "/api/coding/paas/v4/chat/completions",
    ],
)
def test_a_path_that_creates_a_completion_is_recognised(path: str) -> None:
    assert DIALECT.recognises(path)


@pytest.mark.parametrize(
    "path", ["/v1/completions", "/v1/chat/completions/id", "/v1/chat/completions/id/messages", "/v1/models"]
)
def test_another_path_is_not(path: str) -> None:
    assert not DIALECT.recognises(path)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("system", Role.SYSTEM),
        ("developer", Role.SYSTEM),
        ("user", Role.USER),
        ("assistant", Role.ASSISTANT),
        ("tool", Role.TOOL),
        ("function", Role.TOOL),
    ],
)
def test_roles(role: str, expected: Role) -> None:
    assert message({"role": role, "content": "x"})[0] is expected


def test_an_unknown_role_is_opaque() -> None:
    assert [one.kind for one in blocks({"role": "oracle", "content": "x"})] == [Kind.OPAQUE]


def test_an_assistants_message_is_reasoning_then_text_then_calls() -> None:
    made = blocks(
        {
            "role": "assistant",
            "content": "x",
            "reasoning_content": "why",
            "refusal": "no",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "patch", "input": "***"}},
                "odd",
                None,
            ],
        }
    )
    kinds = [Kind.REASONING, Kind.TEXT, Kind.TEXT, Kind.CALL, Kind.CALL, Kind.OPAQUE]
    assert [one.kind for one in made] == kinds
    assert [(one.call_id, one.tool) for one in made[3:5]] == [("c1", "bash"), ("c2", "patch")]
    assert not any(one.markable or one.editable or one.bound for one in made)


def test_null_says_the_same_as_nothing() -> None:
    bare = {"role": "assistant", "content": "x"}
    nulls = {**bare, "refusal": None, "tool_calls": None, "function_call": None, "reasoning": None, "name": None}
    assert blocks(bare) == blocks({**nulls, "annotations": []})


@pytest.mark.parametrize("key", ["reasoning_details", "thinking_blocks"])
def test_signed_reasoning_is_bound(key: str) -> None:
    assert blocks({"role": "assistant", "content": None, key: [{"text": "x", "signature": "s"}]})[0].bound
    assert not blocks({"role": "assistant", "content": None, key: [{"text": "x"}]})[0].bound


def test_a_call_with_a_thought_signature_is_bound() -> None:
    extra = {"google": {"thought_signature": "s"}}
    made = {"id": "c1", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}
    assert blocks({"role": "assistant", "tool_calls": [made]})[0].bound


def test_the_old_function_call_is_a_call_answered_by_name() -> None:
    (made,) = blocks({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}})
    (answer,) = blocks({"role": "function", "name": "f", "content": "x"})
    assert (made.kind, made.call_id, answer.call_id, answer.tool) == (Kind.CALL, "f", "f", "f")


@pytest.mark.parametrize("content", ["one\ntwo", [{"type": "text", "text": "one\ntwo"}]])
def test_a_tools_answer_can_be_replaced(content: object) -> None:
    (made,) = blocks({"role": "tool", "tool_call_id": "c1", "content": content})
    assert (made.kind, made.call_id, made.lines, made.editable, made.markable) == (
        Kind.OBSERVATION,
        "c1",
        2,
        True,
        True,
    )


def test_answers_of_different_calls_are_different() -> None:
    one, other = ({"role": "tool", "tool_call_id": name, "content": "x"} for name in ("c1", "c2"))
    assert blocks(one)[0].hash != blocks(other)[0].hash


def test_a_tools_answer_with_an_image_cannot_be_replaced() -> None:
    image = {"type": "image_url", "image_url": {"url": "u"}}
    (made,) = blocks({"role": "tool", "tool_call_id": "c1", "content": [image]})
    assert (made.editable, made.markable) == (False, True)


@pytest.mark.parametrize(
    ("item", "kind", "tokens"),
    [
        ({"type": "image_url", "image_url": {"url": "u"}}, Kind.MEDIA, 765),
        ({"type": "image_url", "image_url": {"url": "u", "detail": "low"}}, Kind.MEDIA, 85),
        ({"type": "file", "file": {"file_id": "f"}}, Kind.MEDIA, 1500),
        ({"type": "thinking", "thinking": "four"}, Kind.REASONING, 4),
        ({"type": "text", "text": "four"}, Kind.TEXT, 4),
    ],
)
def test_content_parts(item: dict[str, object], kind: Kind, tokens: int) -> None:
    (made,) = blocks({"role": "user", "content": [item]})
    assert (made.kind, made.tokens) == (kind, tokens)


def test_an_unknown_part_is_opaque() -> None:
    assert blocks({"role": "user", "content": [{"type": "novelty"}]})[0].kind is Kind.OPAQUE


def test_untyped_tool_output_is_seen_in_a_user_message() -> None:
    (made,) = blocks({"role": "user", "content": "<returncode>1</returncode>\n<output>\nno\n</output>"})
    assert (made.kind, made.call_id, made.editable, made.failed) == (Kind.OBSERVATION, "", True, True)


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_a_breakpoint_is_explicit_and_has_one_lifetime(role: str, long: bool) -> None:
    raw = b'{"role":"%b","content":"x"}' % role.encode()
    part = b'{"type":"text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}}'
    assert DIALECT.mark(raw, 0, long) == raw.replace(b'"x"', b"[%b]" % part)


def test_no_breakpoint_on_what_the_assistant_said() -> None:
    with pytest.raises(DialectError, match="not_markable"):
        DIALECT.mark(b'{"role":"assistant","content":"x"}', 0, False)
    (made,) = blocks({"role": "assistant", "content": [{"type": "image_url", "image_url": {}}]})
    assert not made.markable


def test_a_marker_on_the_message_is_seen() -> None:
    plain = blocks({"role": "user", "content": "x"})
    marked = blocks({"role": "user", "content": "x", "cache_control": {"type": "ephemeral"}})
    assert (marked[-1].marked, [one.hash for one in marked]) == (True, [one.hash for one in plain])


@pytest.mark.parametrize(
    "field",
    [{"parallel_tool_calls": False}, {"response_format": {"type": "x"}}, {"reasoning_effort": "low"}]
    + [{"prompt_cache_options": {"mode": "explicit"}}, {"chat_template_kwargs": {"thinking": True}}],
)
def test_parameters_of_the_cache_identity_count(field: dict[str, object]) -> None:
    assert head(field).parameters_hash != head({}).parameters_hash


def test_other_parameters_do_not() -> None:
    ignored = {"temperature": 0, "stream_options": {}, "tool_choice": "auto", "user": "u", "seed": 1}
    assert head(ignored).parameters_hash == head({}).parameters_hash


def test_the_head() -> None:
    found = head({"model": "gpt-x", "tools": [{}, {}], "functions": [{}], "max_completion_tokens": 7, "stream": True})
    assert (found.model, found.tools, found.max_output, found.stream) == ("gpt-x", 3, 7, True)
    assert head({"max_tokens": 8}).max_output == 8
    assert head({}, "/openai/deployments/gpt-y/chat/completions").model == "gpt-y"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, ""),
        ({"transforms": ["middle-out"]}, "transforms"),
        ({"transforms": []}, ""),
        ({"context_management": [1]}, "context_management"),
    ],
)
def test_a_history_that_someone_else_manages_is_left_alone(body: dict[str, object], word: str) -> None:
    assert head(body).stand_down == word


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            Usage(100, 64, 30, None, 9, 4),
        ),
        (
            {"prompt_tokens": 100, "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36},
            Usage(input=100, cache_read=64),
        ),
        ({"prompt_tokens": 100, "cached_tokens": 64}, Usage(input=100, cache_read=64)),
        ({"prompt_tokens": 7, "prompt_tokens_details": None}, Usage(input=7)),
    ],
)
def test_usage_of_each_server(usage: dict[str, object], expected: Usage) -> None:
    assert DIALECT.usage(json.dumps({"usage": usage}).encode()) == expected
    reader = DIALECT.usage_reader()
    chunks = [{"choices": [{}], "usage": None}, {"choices": [], "usage": usage}]
    reader.feed(b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n")
    assert reader.usage() == expected


def test_usage_of_groq() -> None:
    assert DIALECT.usage(b'{"x_groq":{"usage":{"prompt_tokens":7}}}') == Usage(input=7)


@pytest.mark.parametrize(("status", "kind"), [(413, "invalid_request_error"), (502, "server_error")])
def test_an_error_is_in_the_providers_own_shape(status: int, kind: str) -> None:
    error = json.loads(DIALECT.error(status, "no"))
    assert error == {"error": {"message": "no", "type": kind, "param": None, "code": None}}

"""OpenAI Responses: items, breakpoints, the head and usage."""

import json
from collections.abc import Mapping

import pytest

from policies.core.conversation import Block, Head, Kind, Role
from policies.core.usage import Usage
from proxy.dialects.openai_responses import OPENAI_RESPONSES as DIALECT
from proxy.errors import DialectError


def message(value: object) -> tuple[Role, tuple[Block, ...]]:
    read = DIALECT.message(json.dumps(value).encode(), len)
    return read.role, read.blocks


def only(value: object) -> Block:
    (block,) = message(value)[1]
    return block


def head(body: Mapping[str, object]) -> Head:
    return DIALECT.head(json.dumps(body).encode(), "/v1/responses", len)


@pytest.mark.parametrize("path", ["/v1/responses", "/responses?x=1", "/openai/v1/responses", "/openai/responses/"])
def test_a_path_that_creates_a_response_is_recognised(path: str) -> None:
    assert DIALECT.recognises(path)


@pytest.mark.parametrize(
    "path",
    ["/v1/responses/compact", "/v1/responses/input_tokens", "/v1/responses/resp_1/cancel", "/v1/chat/completions"],
)
def test_another_path_is_not(path: str) -> None:
    assert not DIALECT.recognises(path)


@pytest.mark.parametrize(
    ("role", "expected"),
    [("user", Role.USER), ("assistant", Role.ASSISTANT), ("system", Role.SYSTEM), ("developer", Role.SYSTEM)],
)
def test_roles_with_and_without_a_type(role: str, expected: Role) -> None:
    plain, typed = ({"role": role, "content": "x"}, {"type": "message", "role": role, "content": "x"})
    assert message(plain) == message(typed)
    assert message(plain)[0] is expected


@pytest.mark.parametrize(("role", "kind"), [("user", "input_text"), ("assistant", "output_text")])
def test_a_string_and_one_text_part_are_the_same(role: str, kind: str) -> None:
    listed = only({"role": role, "content": [{"type": kind, "text": "x"}]})
    assert only({"role": role, "content": "x"}).hash == listed.hash


def test_what_only_names_an_item_does_not_count() -> None:
    for bare in (
        {"type": "message", "role": "user", "content": "x"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ):
        assert message(bare) == message({**bare, "id": "i1", "status": "completed"})
    assert len(message({"role": "assistant", "content": "x", "phase": "final_answer"})[1]) == 2


@pytest.mark.parametrize(
    ("item", "tool"),
    [
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "f"),
        ({"type": "custom_tool_call", "name": "apply_patch", "input": "***"}, "apply_patch"),
        ({"type": "local_shell_call", "action": {"command": ["ls"]}}, "local_shell"),
        ({"type": "shell_call", "action": {}}, "shell"),
        ({"type": "apply_patch_call", "operation": {}}, "apply_patch"),
        ({"type": "computer_call", "action": {}}, "computer"),
        ({"type": "tool_search_call", "arguments": {}}, "tool_search"),
    ],
)
def test_a_call_has_its_id_and_tool(item: dict[str, object], tool: str) -> None:
    role, (made,) = message({**item, "call_id": "c1"})
    assert (role, made.kind, made.call_id, made.tool) == (Role.ASSISTANT, Kind.CALL, "c1", tool)
    assert not made.markable and not made.editable
    assert only({**item, "id": "i1"}).call_id == "i1"


@pytest.mark.parametrize(
    ("item", "editable", "markable"),
    [
        ({"type": "function_call_output", "output": "x"}, True, True),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": "x"}]}, True, True),
        ({"type": "function_call_output", "output": [{"type": "input_image", "image_url": "u"}]}, False, True),
        ({"type": "custom_tool_call_output", "output": "x"}, True, True),
        ({"type": "local_shell_call_output", "output": "x"}, True, False),
        ({"type": "apply_patch_call_output", "output": "x"}, True, False),
        ({"type": "shell_call_output", "output": [{"stdout": "x", "stderr": ""}]}, False, False),
        ({"type": "computer_call_output", "output": {"type": "computer_screenshot"}}, False, False),
        ({"type": "tool_search_output", "tools": []}, False, False),
    ],
)
def test_only_text_that_a_tool_answered_can_be_replaced(
    item: dict[str, object], editable: bool, markable: bool
) -> None:
    role, (made,) = message({**item, "call_id": "c1"})
    assert (role, made.kind, made.call_id) == (Role.TOOL, Kind.OBSERVATION, "c1")
    assert (made.editable, made.markable) == (editable, markable)


def test_a_result_fails_by_status_or_words() -> None:
    item = {"type": "apply_patch_call_output", "call_id": "c1", "output": "x"}
    assert not only({**item, "status": "completed"}).failed
    assert only({**item, "status": "failed"}).failed
    assert only({**item, "output": "Exit code: 1\nOutput:\n"}).failed


@pytest.mark.parametrize(
    ("extra", "bound"),
    [({"encrypted_content": "x"}, True), ({"id": "rs_1"}, True), ({"encrypted_content": None}, False)],
)
def test_reasoning_is_bound_if_the_provider_can_check_it(extra: dict[str, object], bound: bool) -> None:
    summary = [{"type": "summary_text", "text": "four"}, "odd", {"type": "x"}]
    made = only({"type": "reasoning", "summary": summary, "content": None, **extra})
    assert (made.kind, made.bound) == (Kind.REASONING, bound)


def test_reasoning_costs_its_words_or_its_encrypted_length() -> None:
    open_, sealed = {"summary": [{"text": "four"}], "content": [{"text": "x"}]}, {"encrypted_content": "x" * 800}
    assert only({"type": "reasoning", **open_}).tokens == 6
    assert only({"type": "reasoning", **open_, **sealed}).tokens == 100


@pytest.mark.parametrize(
    ("item", "role", "bound"),
    [
        ({"type": "compaction", "encrypted_content": "x"}, Role.ASSISTANT, True),
        ({"type": "item_reference", "id": "i"}, Role.ASSISTANT, True),
        ({"type": "web_search_call", "status": "completed"}, Role.ASSISTANT, False),
        ({"type": "additional_tools", "role": "developer", "tools": []}, Role.SYSTEM, False),
        ({"type": "message", "role": "oracle", "content": "x"}, Role.ASSISTANT, False),
        ({}, Role.ASSISTANT, False),
    ],
)
def test_an_unknown_item_is_opaque(item: dict[str, object], role: Role, bound: bool) -> None:
    found, (made,) = message(item)
    assert (found, made.kind, made.bound, made.editable) == (role, Kind.OPAQUE, bound, False)


@pytest.mark.parametrize(
    ("item", "kind", "tokens", "markable"),
    [
        ({"type": "input_text", "text": "four"}, Kind.TEXT, 4, True),
        ({"type": "input_image", "image_url": "u"}, Kind.MEDIA, 765, True),
        ({"type": "input_file", "file_id": "f"}, Kind.MEDIA, 1500, True),
        ({"type": "input_audio", "data": ""}, Kind.MEDIA, 500, False),
        ({"type": "novelty"}, Kind.OPAQUE, 18, False),
    ],
)
def test_content_parts(item: dict[str, object], kind: Kind, tokens: int, markable: bool) -> None:
    made = only({"role": "user", "content": [item]})
    assert (made.kind, made.tokens, made.markable) == (kind, tokens, markable)


def test_untyped_tool_output_is_seen_in_a_user_message() -> None:
    assert only({"role": "user", "content": "OBSERVATION:\nfile"}).editable


@pytest.mark.parametrize(("long", "ttl"), [(False, b""), (True, b',"ttl":"12h"')])
@pytest.mark.parametrize(
    "raw", [b'{"role":"user","content":"x"}', b'{"type":"function_call_output","call_id":"c","output":"x"}']
)
def test_a_breakpoint_stands_on_an_input_part(raw: bytes, long: bool, ttl: bytes) -> None:
    part = b'{"type":"input_text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"%b}}' % ttl
    assert DIALECT.mark(raw, 0, long) == raw.replace(b'"x"', b"[%b]" % part)


@pytest.mark.parametrize("content", [b'"x"', b'[{"type":"output_text","text":"x"}]', b'[{"type":"input_image"}]'])
def test_no_breakpoint_on_what_the_assistant_said(content: bytes) -> None:
    with pytest.raises(DialectError, match="not_markable"):
        DIALECT.mark(b'{"role":"assistant","content":%b}' % content, 0, False)


@pytest.mark.parametrize(
    "field",
    [
        {"parallel_tool_calls": False},
        {"text": {"format": {"type": "x"}}},
        {"text": {"verbosity": "low"}},
        {"reasoning": {"effort": "low"}},
        {"service_tier": "flex"},
        {"prompt_cache_key": "k"},
        {"context_management": [{"type": "compaction"}]},
    ],
)
def test_parameters_of_the_cache_identity_count(field: dict[str, object]) -> None:
    assert head(field).parameters_hash != head({}).parameters_hash


def test_other_parameters_do_not() -> None:
    ignored = {"store": False, "include": ["x"], "client_metadata": {"a": 1}, "reasoning": {"summary": "auto"}}
    assert head(ignored).parameters_hash == head({}).parameters_hash


def test_instructions_are_the_system() -> None:
    assert head({"instructions": "x"}).system_hash != head({"instructions": "y"}).system_hash
    assert head({"instructions": None}).system_hash == head({}).system_hash
    assert (head({"max_output_tokens": 7}).max_output, head({"tools": [{}]}).tools) == (7, 1)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, ""),
        ({"previous_response_id": "r"}, "previous_response_id"),
        ({"previous_response_id": None, "conversation": "c"}, "conversation"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"truncation": "auto"}, "truncation"),
        ({"truncation": "disabled"}, ""),
    ],
)
def test_a_history_that_someone_else_manages_is_left_alone(body: dict[str, object], word: str) -> None:
    assert head(body).stand_down == word


USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {
        "cached_tokens": 60,
        "cache_write_tokens": 30,
        "cache_write_tokens_details": {"ttl_30m_tokens": 10, "ttl_12h_tokens": 20},
    },
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
}


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete", "response.failed"])
def test_usage_of_a_stream_is_in_its_last_event(kind: str) -> None:
    reader = DIALECT.usage_reader()
    for event in (
        {"type": "response.created", "response": {"usage": None}},
        {"type": kind, "response": {"usage": USAGE}},
    ):
        reader.feed(b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), json.dumps(event).encode()))
    assert reader.usage() == Usage(100, 60, 30, 20, 9, 4)
    assert DIALECT.usage(json.dumps({"usage": USAGE}).encode()) == reader.usage()


def test_what_is_not_reported_is_none() -> None:
    assert DIALECT.usage(b'{"usage":{"input_tokens":7}}') == Usage(input=7)
    assert DIALECT.usage(b'{"usage":null}') is None


def test_an_error_is_in_the_providers_own_shape() -> None:
    assert json.loads(DIALECT.error(502, "no"))["error"]["type"] == "server_error"


def test_an_item_as_a_value_is_without_its_name_and_speaks_as_its_role_does() -> None:
    said = DIALECT.said(b'{"role":"assistant","content":"x","id":"msg_1","status":"completed"}')
    assert said == {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
    assert DIALECT.said(b'{"role":"user","content":"x"}') == {
        "role": "user",
        "content": [{"type": "input_text", "text": "x"}],
    }


@pytest.mark.parametrize(
    ("diagnostics", "word"),
    [
        ({"type": "cache_miss", "reason": "verbosity_changed", "cache_missed_tokens": 9}, "verbosity_changed"),
        ({"type": "cache_hit"}, "cache_hit"),
        ({"type": "Not A Word; or a very long one"}, None),
        (None, None),
    ],
)
def test_why_the_cache_was_missed_is_read_where_the_client_asked(diagnostics: object, word: str | None) -> None:
    response = {"usage": {"input_tokens": 9}, "prompt_cache_diagnostics": diagnostics}
    whole = DIALECT.usage(json.dumps(response).encode())
    reader = DIALECT.usage_reader()
    reader.feed(b"data: " + json.dumps({"type": "response.completed", "response": response}).encode() + b"\n\n")
    streamed = reader.usage()
    assert whole is not None and streamed is not None
    assert whole.diagnosis == streamed.diagnosis == word

"""Anthropic Messages: blocks, markers, the head and usage."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from policies.core.conversation import Block, Head, Kind, Role
from policies.core.usage import Usage
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES as DIALECT
from proxy.errors import DialectError

MARK = {"type": "ephemeral"}


def message(value: object) -> tuple[Role, tuple[Block, ...]]:
    read = DIALECT.message(json.dumps(value).encode(), len)
    return read.role, read.blocks


def block(item: object, role: str = "user") -> Block:
    (only,) = message({"role": role, "content": [item]})[1]
    return only


def head(body: Mapping[str, object], path: str = "/v1/messages") -> Head:
    return DIALECT.head(json.dumps(body).encode(), path, len)


def test_a_deferred_tool_is_not_in_the_prompt_that_is_cached() -> None:
    """Claude Code lists a tool so once the model has searched for it: the cached prefix is kept."""
    tools = [{"name": "Read", "input_schema": {}}, {"name": "WebFetch", "input_schema": {}}]
    before, loaded, deferred = (head({"tools": each}) for each in (tools[:1], tools, _deferred(tools)))
    assert (deferred.tools_hash, deferred.tokens) == (before.tools_hash, before.tokens)
    assert loaded.tools_hash != before.tools_hash


def _deferred(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**tools[1], "defer_loading": True}, tools[0]]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/messages?beta=true",
        "/messages",
        "/api/anthropic/v1/messages",
        "/v1/messages/",
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:rawPredict",
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict",
    ],
)
def test_a_path_that_creates_a_message_is_recognised(path: str) -> None:
    assert DIALECT.recognises(path)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/threads/t_1/messages",
        "/v1/submessages",
        "/v1/projects/p/publishers/mistralai/models/m:rawPredict",
        "/v1/chat/completions",
    ],
)
def test_another_path_is_not(path: str) -> None:
    assert not DIALECT.recognises(path)


@pytest.mark.parametrize(
    ("role", "expected"), [("user", Role.USER), ("assistant", Role.ASSISTANT), ("system", Role.SYSTEM)]
)
def test_roles(role: str, expected: Role) -> None:
    assert message({"role": role, "content": "x"})[0] is expected


def test_an_unknown_role_is_opaque() -> None:
    assert [one.kind for one in message({"role": "oracle", "content": "x"})[1]] == [Kind.OPAQUE]


def test_a_string_and_one_text_block_are_the_same_message() -> None:
    plain = message({"role": "user", "content": "x"})[1]
    listed = message({"role": "user", "content": [{"type": "text", "text": "x", "cache_control": MARK}]})[1]
    assert plain[0].hash == listed[0].hash
    assert (plain[0].marked, listed[0].marked) == (False, True)


def test_thinking_is_bound_by_its_signature_even_when_it_is_empty() -> None:
    signed = block({"type": "thinking", "thinking": "", "signature": "s"}, "assistant")
    assert (signed.kind, signed.bound, signed.markable) == (Kind.REASONING, True, False)
    assert not block({"type": "thinking", "thinking": "x"}, "assistant").bound
    assert block({"type": "redacted_thinking", "data": "x"}, "assistant").bound


def test_hidden_thinking_costs_its_encrypted_length() -> None:
    assert block({"type": "redacted_thinking", "data": "x" * 800}, "assistant").tokens == 100
    assert block({"type": "thinking", "thinking": "", "signature": "x" * 800}, "assistant").tokens == 100
    assert block({"type": "thinking", "thinking": "four", "signature": "x" * 800}, "assistant").tokens == 4


@pytest.mark.parametrize("kind", ["tool_use", "server_tool_use", "mcp_tool_use"])
def test_a_call_has_its_id_and_tool(kind: str) -> None:
    made = block({"type": kind, "id": "t1", "name": "bash", "input": {"command": "ls"}}, "assistant")
    assert (made.kind, made.call_id, made.tool, made.markable, made.editable) == (Kind.CALL, "t1", "bash", True, False)


def test_a_result_answers_its_call() -> None:
    made = block({"type": "tool_result", "tool_use_id": "t1", "content": "one\ntwo"})
    assert (made.kind, made.call_id, made.lines, made.first_line) == (Kind.OBSERVATION, "t1", 2, "one")
    assert (made.editable, made.markable, made.failed) == (True, True, False)


@pytest.mark.parametrize(
    ("flag", "words", "failed"), [(True, "x", True), (False, "x", False), (False, "Error: x", True)]
)
def test_a_result_fails_by_flag_or_words(flag: bool, words: str, failed: bool) -> None:
    item = {"type": "tool_result", "tool_use_id": "t1", "content": words, "is_error": flag}
    assert block(item).failed is failed


def test_a_result_with_an_image_is_no_text_to_be_edited_and_costs_more() -> None:
    words = {"type": "text", "text": "x"}
    image = {"type": "image", "source": {"type": "base64", "data": "abc"}}
    plain = block({"type": "tool_result", "tool_use_id": "t1", "content": [words]})
    pictured = block({"type": "tool_result", "tool_use_id": "t1", "content": [words, image]})
    assert (plain.editable, pictured.editable) == (True, False)
    assert pictured.tokens > plain.tokens + 1000


def test_what_the_providers_own_tools_answered_is_not_ours_to_edit() -> None:
    made = block({"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"encrypted_content": "x"}]})
    assert (made.kind, made.call_id, made.editable, made.failed) == (Kind.OBSERVATION, "s1", False, False)
    assert block({"type": "mcp_tool_result", "tool_use_id": "s1", "content": "x", "is_error": True}).failed


@pytest.mark.parametrize(
    ("item", "least"),
    [
        ({"type": "image", "source": {"type": "url", "url": "u"}}, 1500),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, 1500),
        ({"type": "document", "source": {"type": "base64", "data": "x" * 400_000}}, 10_000),
        ({"type": "document", "source": {"type": "text", "data": "x" * 300}}, 300),
    ],
)
def test_media_are_estimated(item: object, least: int) -> None:
    made = block(item)
    assert (made.kind, made.tokens, made.markable) == (Kind.MEDIA, least, True)


@pytest.mark.parametrize(
    ("kind", "markable", "bound"),
    [("search_result", True, False), ("compaction", True, True), ("novelty", False, False)],
)
def test_an_unknown_block_is_opaque(kind: str, markable: bool, bound: bool) -> None:
    made = block({"type": kind, "content": "x"})
    assert (made.kind, made.markable, made.bound) == (Kind.OPAQUE, markable, bound)


def test_untyped_tool_output_is_seen_in_a_user_message() -> None:
    made = block({"type": "text", "text": "OBSERVATION:\nfile"})
    assert (made.kind, made.call_id, made.editable) == (Kind.OBSERVATION, "", True)


def test_further_fields_of_a_message_count() -> None:
    plain, further = message({"role": "user", "content": "x"})[1], message({"role": "user", "content": "x", "n": 1})[1]
    assert len(further) == len(plain) + 1


@pytest.mark.parametrize(("long", "ttl"), [(False, b""), (True, b',"ttl":"1h"')])
def test_a_marker_is_ephemeral(long: bool, ttl: bytes) -> None:
    raw = b'{"role":"user","content":"x"}'
    marker = b'"cache_control":{"type":"ephemeral"%b}' % ttl
    assert DIALECT.mark(raw, 0, long) == b'{"role":"user","content":[{"type":"text","text":"x",%b}]}' % marker


@pytest.mark.parametrize(
    "item", [{"type": "thinking", "thinking": "x", "signature": "s"}, {"type": "text", "text": " "}, {"type": "new"}]
)
def test_no_marker_where_the_provider_refuses_one(item: dict[str, object]) -> None:
    with pytest.raises(DialectError):
        DIALECT.mark(json.dumps({"role": "assistant", "content": [item]}).encode(), 0, False)


@pytest.mark.parametrize("field", ["tool_choice", "thinking", "output_config", "speed"])
def test_parameters_that_lose_the_message_cache_count(field: str) -> None:
    assert head({field: {"type": "x"}}).parameters_hash != head({}).parameters_hash


def test_parameters_that_do_not_are_ignored() -> None:
    ignored = {"temperature": 0, "max_tokens": 7, "metadata": {"user_id": "u"}, "stream": True}
    assert head(ignored).parameters_hash == head({}).parameters_hash


KEEP_ALL = {"type": "clear_thinking_20251015", "keep": "all"}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, ""),
        ({"context_management": {"edits": []}}, ""),
        ({"context_management": {"edits": [KEEP_ALL]}}, ""),
        (
            {"context_management": {"edits": [{**KEEP_ALL, "keep": {"type": "thinking_turns", "value": 1}}]}},
            "context_management",
        ),
        ({"context_management": {"edits": [KEEP_ALL, {"type": "clear_tool_uses_20250919"}]}}, "context_management"),
        ({"thread": {"type": "create"}}, "thread"),
        ({"compaction": {"type": "summarize"}}, "compaction"),
    ],
)
def test_a_history_that_someone_else_manages_is_left_alone(body: dict[str, object], word: str) -> None:
    assert head(body).stand_down == word


def test_on_vertex_the_path_names_the_model_and_the_stream() -> None:
    found = head({}, "/v1/projects/p/publishers/anthropic/models/claude-x@1:streamRawPredict")
    assert (found.model, found.stream) == ("claude-x@1", True)
    assert not head({}, "/v1/projects/p/publishers/anthropic/models/claude-x@1:rawPredict").stream


def test_usage_of_a_stream_includes_what_was_cached() -> None:
    start: dict[str, Any] = {"input_tokens": 3, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 100}
    start |= {"output_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 30}}
    events = [
        {"type": "message_start", "message": {"usage": start}},
        {"type": "message_delta", "usage": {"output_tokens": 9}},
    ]
    reader = DIALECT.usage_reader()
    for event in events:
        reader.feed(b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), json.dumps(event).encode()))
    assert reader.usage() == Usage(143, 100, 40, 30, 9)


def test_what_is_not_reported_is_none() -> None:
    assert DIALECT.usage(b'{"usage":{"input_tokens":3,"output_tokens":0}}') == Usage(input=3, output=0)
    assert DIALECT.usage(b'{"usage":{"cache_read_input_tokens":3}}') == Usage(cache_read=3)
    assert DIALECT.usage(b'{"type":"error"}') is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (429, "rate_limit_error"), (502, "api_error"), (504, "timeout_error")],
)
def test_an_error_is_in_the_providers_own_shape(status: int, kind: str) -> None:
    error = json.loads(DIALECT.error(status, "no"))
    assert error == {"type": "error", "error": {"type": kind, "message": "no"}}


LONG = {"type": "ephemeral", "ttl": "1h"}
TOOL = {"name": "bash", "input_schema": {"type": "object"}}
DEFERRED = {**TOOL, "name": "later", "defer_loading": True}


def read(**fields: object) -> Head:
    return DIALECT.head(json.dumps({"model": "m", "messages": [], **fields}).encode(), "/v1/messages", len)


@pytest.mark.parametrize(
    ("fields", "marked"),
    [
        ({"system": "Be careful."}, {"system": [{"type": "text", "text": "Be careful.", "cache_control": MARK}]}),
        (
            {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "tools": [TOOL]},
            {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": MARK}]},
        ),
        ({"tools": [TOOL, DEFERRED]}, {"tools": [{**TOOL, "cache_control": MARK}, DEFERRED]}),
        ({"system": " ", "tools": [TOOL]}, None),
        ({"system": [{"type": "text", "text": ""}], "tools": [TOOL]}, None),
        ({"tools": [DEFERRED]}, None),
        ({"tools": [TOOL], "mcp_servers": [{"name": "m"}]}, None),
        ({"tools": {}}, None),
        ({}, None),
    ],
)
def test_the_end_of_tools_and_system_is_marked_and_nothing_else_changes(
    fields: dict[str, object], marked: dict[str, object] | None
) -> None:
    rest = json.dumps({"model": "m", **fields, "messages": []}).encode()
    plain = read(**fields)
    assert plain.markable is (marked is not None)
    if marked is None:
        with pytest.raises(DialectError, match="not_markable"):
            DIALECT.mark_head(rest, False)
        return
    for long in (False, True):
        start, end, new = DIALECT.mark_head(rest, long)
        whole = rest[:start] + new + rest[end:]
        expected = json.dumps({**fields, **marked}).replace(json.dumps(MARK), json.dumps(LONG if long else MARK))
        assert json.loads(whole) == {"model": "m", "messages": [], **json.loads(expected)}
        after = DIALECT.head(whole, "/v1/messages", len)
        assert (after.system_hash, after.tools_hash, after.tokens) == (
            plain.system_hash,
            plain.tools_hash,
            plain.tokens,
        )
        assert (after.markers, after.long) == (1, long)


def test_it_is_known_how_long_the_clients_markers_live() -> None:
    assert not read(system=[{"type": "text", "text": "x", "cache_control": MARK}]).long
    assert read(tools=[{**TOOL, "cache_control": LONG}]).long
    top = read(cache_control=LONG)
    assert (top.long, top.automatic_long, read(cache_control=MARK).automatic_long) == (False, True, False)
    lasting = block({"type": "text", "text": "x", "cache_control": LONG})
    assert (lasting.marked, lasting.long) == (True, True)
    assert not block({"type": "text", "text": "x", "cache_control": MARK}).long


@pytest.mark.parametrize(
    ("reason", "word"),
    [({"type": "tools_changed", "cache_missed_input_tokens": 9}, "tools_changed"), (None, None), ({"type": 3}, None)],
)
def test_why_the_cache_was_missed_is_read_where_the_client_asked(reason: object, word: str | None) -> None:
    message = {"usage": {"input_tokens": 9}, "diagnostics": {"cache_miss_reason": reason}}
    whole = DIALECT.usage(json.dumps(message).encode())
    reader = DIALECT.usage_reader()
    reader.feed(b"event: message_start\ndata: " + json.dumps({"message": message}).encode() + b"\n\n")
    reader.feed(b'event: message_delta\ndata: {"usage":{"output_tokens":5}}\n\n')
    streamed = reader.usage()
    assert whole is not None and streamed is not None
    assert whole.diagnosis == streamed.diagnosis == word

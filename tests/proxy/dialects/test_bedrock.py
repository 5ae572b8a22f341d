"""Bedrock: what is Converse's own, and usage as each of its forms reports it."""

import json

import pytest

from policies.core.conversation import Kind
from policies.core.profile import find_profile
from policies.core.usage import Usage
from proxy.dialects import Dialect
from proxy.dialects.bedrock import BEDROCK_CONVERSE, BEDROCK_INVOKE
from proxy.dialects.registry import recognise
from proxy.profiles import load_profiles
from tests.proxy.dialects.test_frames import chunk, frame


def blocks(*content: object, role: str = "user") -> list[tuple[Kind, bool]]:
    message = BEDROCK_CONVERSE.message(json.dumps({"role": role, "content": content}).encode(), len)
    return [(block.kind, block.marked) for block in message.blocks]


def hashes(*content: object) -> list[bytes]:
    message = BEDROCK_CONVERSE.message(json.dumps({"role": "user", "content": content}).encode(), len)
    return [block.hash for block in message.blocks]


POINT = {"cachePoint": {"type": "default"}}
TEXT = {"text": "Hello"}
RESULT = {"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}


def test_a_cache_point_is_a_marker_on_what_it_ends_and_no_content() -> None:
    assert blocks(TEXT, POINT, RESULT, POINT) == [(Kind.TEXT, True), (Kind.OBSERVATION, True)]
    assert hashes(TEXT, POINT, RESULT) == hashes(TEXT, RESULT, POINT) == hashes(TEXT, RESULT)


def test_a_cache_point_that_moves_does_not_change_tools_or_system() -> None:
    tool = {"toolSpec": {"name": "bash", "inputSchema": {"json": {}}}}

    def head(tools: list[object], system: list[object]) -> tuple[bytes, bytes, int, int]:
        rest = json.dumps({"toolConfig": {"tools": tools}, "system": system, "messages": []}).encode()
        found = BEDROCK_CONVERSE.head(rest, "/model/m/converse", len)
        return found.tools_hash, found.system_hash, found.tools, found.markers

    plain = head([tool], [TEXT])
    assert head([tool, POINT], [TEXT, POINT]) == (*plain[:3], 2)
    assert plain[2:] == (1, 0)


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"document": {"name": "d", "source": {"bytes": "AA=="}}}, Kind.MEDIA),
        ({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/k"}}}}, Kind.MEDIA),
        ({"guardContent": {"text": {"text": "x"}}}, Kind.OPAQUE),
        ({"text": 7}, Kind.OPAQUE),
        ({"toolUse": "x"}, Kind.OPAQUE),
        ({"text": "x", "more": 1}, Kind.OPAQUE),
        ("x", Kind.OPAQUE),
        ({"reasoningContent": {"redactedContent": "AA=="}}, Kind.REASONING),
    ],
)
def test_what_a_part_is_its_only_key_says(item: object, kind: Kind) -> None:
    assert blocks(item) == [(kind, False)]


@pytest.mark.parametrize(
    "message", [{"role": "tool", "content": []}, {"role": "user", "content": "x"}, {"content": []}]
)
def test_another_shape_of_message_is_left_alone(message: object) -> None:
    (block,) = BEDROCK_CONVERSE.message(json.dumps(message).encode(), len).blocks
    assert block.kind is Kind.OPAQUE and not block.editable


def test_editing_asked_for_in_the_models_own_fields_is_stood_back_from() -> None:
    rest = b'{"messages":[],"additionalModelRequestFields":{"context_management":{"edits":[]}}}'
    assert BEDROCK_CONVERSE.head(rest, "", len).stand_down == "context_management"


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/model/us.anthropic.claude-opus-5-5-v1%3A0/converse", "bedrock_converse"),
        ("/model/m/converse-stream", "bedrock_converse"),
        ("/model/anthropic.claude-sonnet-5-v1:0/invoke", "anthropic_messages"),
        ("/model/global.anthropic.claude-sonnet-5-v1%3A0/invoke-with-response-stream", "anthropic_messages"),
        ("/model/us.amazon.nova-lite-v1%3A0/invoke", "bedrock_invoke"),
        ("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fp/invoke", "anthropic_messages"),
        ("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprovisioned-model%2Fp/invoke", "bedrock_invoke"),
        ("/model/m/invoke-with-bidirectional-stream", ""),
        ("/model/m/count-tokens", ""),
        ("/async-invoke", ""),
    ],
)
def test_a_path_tells_the_format(path: str, dialect: str) -> None:
    found = recognise(path)
    assert (found.name if found else "") == dialect


@pytest.mark.parametrize(
    "path",
    [
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse",
        "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/x",
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-sonnet-4-5-20250929-v1%3A0/x",
        "/model/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0/converse",
    ],
)
def test_a_model_is_found_whatever_stands_around_its_name(path: str) -> None:
    model = BEDROCK_CONVERSE.head(b'{"messages":[]}', path, len).model
    profile = find_profile(load_profiles(), model)
    assert profile and profile.name == "claude-sonnet-4-5"


# As recorded of Converse with prompt caching (Claude and Nova); the two `...Count` names repeat the others.
CONVERSED = (
    b'{"output":{},"stopReason":"end_turn","usage":{"cacheReadInputTokenCount":1322,"cacheReadInputTokens":1322,'
    b'"cacheWriteInputTokenCount":0,"cacheWriteInputTokens":0,"inputTokens":2,"outputTokens":5,"serverToolUsage":{},'
    b'"totalTokens":1329}}'
)


def test_input_of_converse_includes_what_was_read_and_written() -> None:
    assert BEDROCK_CONVERSE.usage(CONVERSED) == Usage(input=1324, cache_read=1322, cache_write=0, output=5)


def test_what_was_written_for_an_hour_is_told_apart() -> None:
    details = [{"ttl": "1h", "inputTokens": 70}, {"ttl": "5m", "inputTokens": 30}]
    usage = {"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 100, "cacheDetails": details}
    assert BEDROCK_CONVERSE.usage(json.dumps({"usage": usage}).encode()) == Usage(
        input=101, cache_write=100, cache_write_long=70, output=2
    )


def streamed(dialect: Dialect, stream: bytes) -> Usage | None:
    reader = dialect.usage_reader()
    for at in range(0, len(stream), 7):
        reader.feed(stream[at : at + 7])
    return reader.usage()


def test_a_stream_of_converse_reports_in_its_last_event() -> None:
    metadata = {"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}, "metrics": {"latencyMs": 9}}
    stream = frame(b'{"role":"assistant"}') + frame(json.dumps(metadata).encode())
    assert streamed(BEDROCK_CONVERSE, stream) == Usage(input=3, output=4)
    assert streamed(BEDROCK_CONVERSE, stream[:40]) is None


METRICS = {
    "inputTokenCount": 20,
    "outputTokenCount": 5,
    "invocationLatency": 900,
    "firstByteLatency": 300,
    "cacheReadInputTokenCount": 80,
    "cacheWriteInputTokenCount": 0,
}


def test_a_model_invoked_in_a_format_of_its_own_is_measured_by_bedrocks_count() -> None:
    stream = chunk({"generation": "Hi"}) + chunk({"stop_reason": "stop", "amazon-bedrock-invocationMetrics": METRICS})
    assert streamed(BEDROCK_INVOKE, stream) == Usage(input=100, cache_read=80, cache_write=0, output=5)


def test_amazons_own_models_answer_as_converse_does() -> None:
    assert BEDROCK_INVOKE.usage(CONVERSED) == BEDROCK_CONVERSE.usage(CONVERSED)


def test_claude_invoked_in_anthropics_format_reports_as_there() -> None:
    claude = recognise("/model/anthropic.claude-sonnet-5-v1:0/invoke-with-response-stream")
    assert claude is not None
    usage = {"input_tokens": 2, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 8, "output_tokens": 1}
    stream = chunk({"type": "message_start", "message": {"usage": usage}})
    stream += chunk({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 12}})
    stream += chunk({"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS})
    assert streamed(claude, stream) == Usage(input=100, cache_read=90, cache_write=8, output=12)


USE = {"toolUse": {"toolUseId": "t", "name": "bash", "input": {}}}
LONG = {"cachePoint": {"type": "default", "ttl": "1h"}}


@pytest.mark.parametrize("item", [TEXT, RESULT, USE, {"image": {"format": "png", "source": {"bytes": "AA=="}}}])
def test_a_cache_point_is_put_behind_what_it_ends(item: object) -> None:
    raw = json.dumps({"role": "user", "content": [item, TEXT]}).encode()
    marked = BEDROCK_CONVERSE.mark(raw, 0, False)
    assert json.loads(marked)["content"] == [item, POINT, TEXT]
    assert json.loads(BEDROCK_CONVERSE.mark(raw, 0, True))["content"] == [item, LONG, TEXT]
    before, after = (BEDROCK_CONVERSE.message(each, len).blocks for each in (raw, marked))
    assert [block.hash for block in after] == [block.hash for block in before]
    assert [block.marked for block in after] == [True, False]


@pytest.mark.parametrize("item", [{"text": " "}, {"reasoningContent": {"reasoningText": {"text": "x"}}}])
def test_blank_text_and_reasoning_take_no_cache_point(item: object) -> None:
    message = BEDROCK_CONVERSE.message(json.dumps({"role": "user", "content": [item]}).encode(), len)
    assert not message.blocks[0].markable


SPEC = {"toolSpec": {"name": "bash", "inputSchema": {"json": {}}}}


@pytest.mark.parametrize(
    ("fields", "marked"),
    [
        ({"system": [TEXT]}, {"system": [TEXT, POINT]}),
        ({"system": [TEXT], "toolConfig": {"tools": [SPEC]}}, {"system": [TEXT, POINT]}),
        ({"toolConfig": {"tools": [SPEC]}}, {"toolConfig": {"tools": [SPEC, POINT]}}),
        ({"system": [{"guardContent": {"text": {"text": "x"}}}]}, None),
        ({"system": ["odd"]}, None),
        ({"toolConfig": {"tools": []}}, None),
        ({}, None),
    ],
)
def test_a_cache_point_ends_system_or_tools(fields: dict[str, object], marked: dict[str, object] | None) -> None:
    rest = json.dumps({**fields, "messages": []}).encode()
    plain = BEDROCK_CONVERSE.head(rest, "/model/m/converse", len)
    assert plain.markable is (marked is not None)
    if marked is not None:
        start, end, new = BEDROCK_CONVERSE.mark_head(rest, False)
        whole = rest[:start] + new + rest[end:]
        assert json.loads(whole) == {**fields, **marked, "messages": []}
        after = BEDROCK_CONVERSE.head(whole, "/model/m/converse", len)
        assert (after.system_hash, after.tools_hash, after.markers) == (plain.system_hash, plain.tools_hash, 1)


def test_it_is_known_how_long_a_cache_point_lives() -> None:
    message = BEDROCK_CONVERSE.message(json.dumps({"role": "user", "content": [TEXT, LONG, TEXT]}).encode(), len)
    assert [block.long for block in message.blocks] == [True, False]

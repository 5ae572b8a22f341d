"""Gemini: parts, signatures, the head and usage, in camel and in snake case."""

import json
from base64 import b64encode
from collections.abc import Mapping

import pytest

from policies.core.conversation import Block, Head, Kind, Role
from policies.core.usage import Usage
from proxy.dialects.gemini import GEMINI as DIALECT
from proxy.errors import DialectError

PATH = "/v1beta/models/gemini-3-flash:generateContent"


def message(value: object) -> tuple[Role, tuple[Block, ...]]:
    read = DIALECT.message(json.dumps(value).encode(), len)
    return read.role, read.blocks


def only(part: object, role: str = "user") -> Block:
    (block,) = message({"role": role, "parts": [part]})[1]
    return block


def head(body: Mapping[str, object], path: str = PATH) -> Head:
    return DIALECT.head(json.dumps(body).encode(), path, len)


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse",
        "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent",
    ],
)
def test_a_path_that_generates_content_is_recognised(path: str) -> None:
    assert DIALECT.recognises(path)


@pytest.mark.parametrize(
    "path", ["/v1beta/models/m:countTokens", "/v1beta/models/m:batchGenerateContent", "/v1beta/cachedContents"]
)
def test_another_path_is_not(path: str) -> None:
    assert not DIALECT.recognises(path)


@pytest.mark.parametrize(
    ("role", "expected"),
    [("user", Role.USER), ("model", Role.ASSISTANT), ("function", Role.TOOL), ("tool", Role.TOOL), (None, Role.USER)],
)
def test_roles(role: str | None, expected: Role) -> None:
    assert message({"role": role, "parts": [{"text": "x"}]})[0] is expected
    assert message({"parts": []}) == (Role.USER, ())


@pytest.mark.parametrize(
    "value", [{"role": "oracle", "parts": []}, {"role": 7, "parts": []}, {"role": "user", "parts": {}}, {}]
)
def test_an_odd_content_is_opaque(value: object) -> None:
    assert [one.kind for one in message(value)[1]] == [Kind.OPAQUE]


@pytest.mark.parametrize(
    ("part", "kind", "bound"),
    [
        ({"text": "x"}, Kind.TEXT, False),
        ({"text": "x", "thoughtSignature": "s"}, Kind.TEXT, True),
        ({"text": "x", "thought": True}, Kind.REASONING, False),
        ({"text": "x", "thought": True, "thoughtSignature": "s"}, Kind.REASONING, True),
        ({"functionCall": {"name": "f", "args": {}}}, Kind.CALL, False),
        ({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s"}, Kind.CALL, True),
        ({"function_call": {"name": "f", "args": {}}, "thought_signature": "s"}, Kind.CALL, True),
        ({"inlineData": {"mimeType": "image/png", "data": ""}}, Kind.MEDIA, False),
        ({"file_data": {"file_uri": "u"}}, Kind.MEDIA, False),
        ({"executableCode": {"code": "x"}}, Kind.OPAQUE, False),
        ({"toolCall": {}, "thoughtSignature": "s"}, Kind.OPAQUE, True),
        ({"functionCall": "odd"}, Kind.OPAQUE, False),
        ("odd", Kind.OPAQUE, False),
    ],
)
def test_parts(part: object, kind: Kind, bound: bool) -> None:
    made = only(part, "model")
    assert (made.kind, made.bound, made.markable, made.editable) == (kind, bound, False, False)


@pytest.mark.parametrize("key", ["functionResponse", "function_response"])
def test_an_answer_belongs_to_the_call_of_its_id_or_name(key: str) -> None:
    made = only({key: {"name": "f", "response": {"output": "one\ntwo"}}})
    assert (made.kind, made.call_id, made.tool, made.lines) == (Kind.OBSERVATION, "f", "f", 2)
    assert only({key: {"id": "c1", "name": "f", "response": {}}}).call_id == "c1"
    assert only({"functionCall": {"id": "c1", "name": "f"}}).call_id == "c1"
    assert only({"functionCall": {"name": "f"}}).call_id == "f"


@pytest.mark.parametrize(
    ("response", "new"),
    [
        ({"output": "x"}, {"output": "gone"}),
        ({"result": {"a": 1}}, {"result": "gone"}),
        ({"a": 1, "b": 2}, {"output": "gone"}),
        ({}, {"output": "gone"}),
    ],
)
def test_an_answer_stays_an_object(response: dict[str, object], new: dict[str, str]) -> None:
    content = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": response}}]}
    changed = json.loads(DIALECT.replace(json.dumps(content).encode(), ((0, "gone"),)))
    assert changed["parts"][0]["functionResponse"] == {"name": "f", "response": new}


@pytest.mark.parametrize(
    "inner", [{"name": "f"}, {"name": "f", "response": {"output": "x"}, "parts": [{"inlineData": {}}]}]
)
def test_an_answer_with_more_than_text_cannot_be_replaced(inner: dict[str, object]) -> None:
    assert not only({"functionResponse": inner}).editable


@pytest.mark.parametrize(
    ("response", "failed"),
    [({"error": "no"}, True), ({"error": ""}, False), ({"output": "Error: no"}, True), ({"output": "x"}, False)],
)
def test_an_answer_fails_by_its_key_or_its_words(response: dict[str, object], failed: bool) -> None:
    assert only({"functionResponse": {"name": "f", "response": response}}).failed is failed


def test_untyped_tool_output_is_seen_in_a_user_message() -> None:
    made = only({"text": "OBSERVATION:\nfile"})
    assert (made.kind, made.editable) == (Kind.OBSERVATION, True)
    raw = b'{"role":"user","parts":[{"text":"OBSERVATION:\\nfile" }]}'
    assert DIALECT.replace(raw, ((0, "gone"),)) == b'{"role":"user","parts":[{"text":"gone" }]}'


def test_nothing_carries_a_marker() -> None:
    with pytest.raises(DialectError, match="not_markable"):
        DIALECT.mark(b'{"role":"user","parts":[{"text":"x"}]}', 0, False)


def test_the_head() -> None:
    declared = [
        {"functionDeclarations": [{"name": "f"}, {"name": "g"}]},
        {"googleSearch": {}},
        {"function_declarations": [{}]},
    ]
    found = head({"tools": [*declared, "odd"], "generationConfig": {"maxOutputTokens": 7}})
    assert (found.model, found.tools, found.max_output, found.stream) == ("gemini-3-flash", 4, 7, False)
    assert head({}, PATH.replace("generate", "streamGenerate") + "?alt=sse").stream
    assert head({}).stand_down == ""


def test_system_instruction_is_the_system() -> None:
    one, other = ({"systemInstruction": {"parts": [{"text": text}]}} for text in "xy")
    assert head(one).system_hash != head(other).system_hash


@pytest.mark.parametrize(
    ("field", "counts"),
    [
        ({"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}, True),
        ({"cachedContent": "c"}, True),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}}, True),
        ({"generationConfig": {"temperature": 0}}, False),
        ({"safetySettings": []}, False),
    ],
)
def test_parameters_of_the_cache_identity_count(field: dict[str, object], counts: bool) -> None:
    assert (head(field).parameters_hash != head({}).parameters_hash) is counts


CHUNKS = [
    {"candidates": [], "usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100}},
    {
        "candidates": [],
        "usageMetadata": {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 60,
            "candidatesTokenCount": 9,
            "thoughtsTokenCount": 4,
        },
    },
]


def test_usage_of_a_stream_is_in_its_last_chunk() -> None:
    expected = Usage(input=100, cache_read=60, output=13, reasoning=4)
    events = DIALECT.usage_reader()
    events.feed(b"".join(b"data: %b\r\n\r\n" % json.dumps(chunk).encode() for chunk in CHUNKS))
    listed = DIALECT.usage_reader()
    for byte in json.dumps(CHUNKS, indent=1).encode():
        listed.feed(bytes([byte]))
    assert events.usage() == listed.usage() == DIALECT.usage(json.dumps(CHUNKS[1]).encode()) == expected


@pytest.mark.parametrize(
    ("counts", "output"), [({"thoughtsTokenCount": 4}, 4), ({"candidatesTokenCount": 9}, 9), ({}, None)]
)
def test_thoughts_are_output(counts: dict[str, int], output: int | None) -> None:
    usage = DIALECT.usage(json.dumps({"usageMetadata": {"promptTokenCount": 1, **counts}}).encode())
    assert usage is not None and usage.output == output


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "INVALID_ARGUMENT"), (413, "INVALID_ARGUMENT"), (500, "INTERNAL"), (504, "DEADLINE_EXCEEDED")],
)
def test_an_error_is_in_the_providers_own_shape(status: int, name: str) -> None:
    assert json.loads(DIALECT.error(status, "no")) == {"error": {"code": status, "message": "no", "status": name}}


WAIVER = b"skip_thought_signature_validator"
CALLED = {"functionCall": {"id": "1", "name": "read", "args": {"a": 1}}}
ANSWERED = {"functionResponse": {"id": "1", "name": "read", "response": {"output": "x"}}}
SECOND = {"functionResponse": {"id": "2", "name": "read", "response": {"output": "y"}}}


def _restates(before: object, now: object) -> bool:
    return DIALECT.restates(json.dumps(before).encode(), json.dumps(now).encode())


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([{**CALLED, "thoughtSignature": "abc"}], [CALLED]),
        ([{**CALLED, "thoughtSignature": "abc"}], [{**CALLED, "thoughtSignature": ""}]),
        ([{**CALLED, "thought_signature": "abc"}], [{**CALLED, "thoughtSignature": WAIVER.decode()}]),
        ([{**CALLED, "thoughtSignature": "abc"}], [{**CALLED, "thoughtSignature": b64encode(WAIVER).decode()}]),
        ([{"text": "Yes.", "thoughtSignature": "abc"}, CALLED], [{"text": "Yes."}, CALLED]),
        ([ANSWERED, SECOND], [ANSWERED, ANSWERED, SECOND, SECOND]),
        ([ANSWERED, SECOND], [ANSWERED, SECOND, ANSWERED, SECOND]),
    ],
)
def test_lost_signatures_and_answers_given_twice_restate_what_was_sent(before: object, now: object) -> None:
    assert _restates({"role": "user", "parts": before}, {"parts": now, "role": "user"})


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"parts": [{**CALLED, "thoughtSignature": "abc"}]}, {"parts": [{**CALLED, "thoughtSignature": "other"}]}),
        ({"parts": [CALLED]}, {"parts": [{**CALLED, "thoughtSignature": "abc"}]}),
        ({"parts": [CALLED]}, {"parts": [{"functionCall": {"id": "1", "name": "read", "args": {"a": True}}}]}),
        ({"parts": [ANSWERED]}, {"parts": [ANSWERED, SECOND]}),
        ({"parts": [ANSWERED]}, {"parts": [SECOND]}),
        ({"parts": [{"text": "a"}]}, {"parts": [{"text": "a"}, {"text": "a"}]}),
        ({"role": "user", "parts": [ANSWERED]}, {"role": "model", "parts": [ANSWERED]}),
        ({"parts": [1]}, {"parts": [True]}),
        ({"parts": []}, {"parts": []}),
        ({"parts": "odd"}, {"parts": "odd"}),
        ([], []),
    ],
)
def test_whatever_else_differs_is_not_restated(before: object, now: object) -> None:
    assert not _restates(before, now)


def test_a_part_that_is_no_object_restates_itself() -> None:
    assert _restates({"parts": [1, ANSWERED]}, {"parts": [1, ANSWERED, ANSWERED]})


def test_what_cannot_be_read_restates_nothing() -> None:
    assert not DIALECT.restates(b'{"parts":[1],"parts":[1]}', b'{"parts":[1]}')

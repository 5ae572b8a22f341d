"""Whatever is sent, the answer is the API's own, and never a 500."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proxy.simulator.provider import ANTHROPIC, OPENAI, Provider

GEMINI_PATH = "/v1beta/models/gemini-3-pro:generateContent"
PATHS = ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/responses", GEMINI_PATH)

HOSTILE = {
    "nothing": b"",
    "no object": b"[]",
    "null": b"null",
    "half an object": b'{"model": ',
    "not UTF-8": b'{"model": "\xff"}',
    "NaN": b'{"model": NaN}',
    "deep": b'{"a":' * 50_000,
    "deep and closed": b'{"messages":' + b"[" * 900 + b"]" * 900 + b',"model":"claude","max_tokens":1}',
    "a huge number": b'{"max_tokens":' + b"9" * 5_000 + b"}",
    "a number of 1e400": b'{"model":"claude","max_tokens":5,"temperature":1e400,'
    b'"messages":[{"role":"user","content":"x"}]}',
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_refused(path: str, raw: bytes) -> None:
    response = Provider().post(path, raw)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
def test_a_lone_surrogate_and_a_double_key_are_read(path: str) -> None:
    body = {
        "/v1/responses": b'{"model":"a","model":"gpt-4","input":"\\ud800"}',
        GEMINI_PATH: b'{"contents":[{"parts":[{"text":"\\ud800"}]}]}',
    }
    plain = b'{"model":"a","model":"b","max_tokens":5,"messages":[{"role":"user","content":"\\ud800"}]}'
    counted = b'{"model":"a","model":"b","messages":[{"role":"user","content":"\\ud800"}]}'
    raw = counted if path.endswith("count_tokens") else body.get(path, plain)
    assert Provider().post(path, raw).status_code == 200


def test_a_gzip_body_is_read_and_another_encoding_refused() -> None:
    raw = json.dumps({"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}).encode()
    provider = Provider()
    headers = {**OPENAI, "content-encoding": "gzip"}
    assert provider.post("/v1/chat/completions", gzip.compress(raw), headers).status_code == 200
    assert provider.post("/v1/chat/completions", raw, headers).status_code == 400
    assert provider.post("/v1/chat/completions", raw, {**OPENAI, "content-encoding": "br"}).status_code == 415


def test_a_body_that_unpacks_beyond_the_limit_is_refused() -> None:
    bomb = zlib.compressobj(wbits=31)
    raw = bomb.compress(b" " * (40 << 20)) + bomb.flush()
    response = Provider().post("/v1/messages", raw, {**ANTHROPIC, "content-encoding": "gzip"})
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "request_too_large"


WORDS = (
    "role content type text user assistant tool_use tool_result tool id name input tool_use_id messages model system "
    "tools thinking signature cache_control ephemeral ttl claude-bound function_call function_call_output reasoning "
    "summary call_id output arguments encrypted_content parts functionCall functionResponse contents args message "
    "input_text output_text prompt_cache_breakpoint mode explicit developer tool_calls function tool_call_id "
    "response thoughtSignature stream max_tokens enabled budget_tokens include store previous_response_id"
).split()
NAMES = st.sampled_from(WORDS)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.just("x") | NAMES
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner), max_leaves=12)
BODIES = st.dictionaries(NAMES, VALUES)

SEEDS: dict[str, dict[str, Any]] = {
    "/v1/messages": {"model": "claude-bound", "max_tokens": 5},
    "/v1/messages/count_tokens": {"model": "claude"},
    "/v1/chat/completions": {"model": "gpt-5.6"},
    "/v1/responses": {"model": "gpt-6.2"},
    GEMINI_PATH: {},
}
LISTS = {"/v1/responses": "input", GEMINI_PATH: "contents"}
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("path", PATHS)
@QUIET
@given(data=st.data())
def test_no_body_makes_a_server_error(path: str, data: st.DataObject) -> None:
    items = data.draw(st.lists(st.dictionaries(NAMES, VALUES), max_size=4))
    body = {**data.draw(BODIES), **SEEDS[path], LISTS.get(path, "messages"): items}
    assert Provider().post(path, body).status_code in (200, 400, 403, 404)


TEXTS = st.text(max_size=30)


@QUIET
@given(turns=st.lists(TEXTS, min_size=1, max_size=6), system=TEXTS)
def test_the_parts_of_the_input_always_add_up(turns: list[str], system: str) -> None:
    provider = Provider()
    mark = {"cache_control": {"type": "ephemeral"}}
    for count in range(1, len(turns) + 1):
        blocks = [{"type": "text", "text": text or "x"} for text in turns[:count]]
        messages = [{"role": "user", "content": [*blocks[:-1], {**blocks[-1], **mark}]}]
        request = {"model": "claude", "max_tokens": 5, "messages": messages, "system": system}
        read, write, uncached = provider.cached("/v1/messages", request)
        bill = provider.log[-1].usage
        assert bill
        assert min(read, write, uncached) >= 0
        assert read + write + uncached == bill.input.total

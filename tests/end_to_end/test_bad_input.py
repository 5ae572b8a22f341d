"""Whatever a client sends, the upstream gets the very same bytes or the client a 4xx; nothing is ours to break."""

import gzip
import http.client
import itertools
import json
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import brotlicffi  # type: ignore[import-untyped]
import openai
import pytest
from backports import zstd

from tests.end_to_end.running import ANSWER, PATIENCE, Holdfast, RawUpstream, command, holdfast, raw_upstream

LIMIT = 8 << 20
ENVIRON = {"HOLDFAST_LIMITS__BODY_BYTES": str(LIMIT), "HOLDFAST_LIMITS__BODY_IDLE": "1s"}
DEEP = 10_000
BLANKS = b" " * 1_000_000
GEMINI = "/v1beta/models/gemini-2.5-pro:generateContent"

ENDPOINTS = {
    "anthropic": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "gemini": GEMINI,
    "gemini stream": "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
}
LISTS = {
    "anthropic": "messages",
    "chat": "messages",
    "responses": "input",
    "gemini": "contents",
    "gemini stream": "contents",
}


def around(value: bytes, key: bytes) -> bytes:
    return b'{"model":"some-model","max_tokens":5,"%b":%b}' % (key, value)


def bodies(key: bytes) -> dict[str, bytes]:
    """Of the endpoint whose list is called `key`."""
    text = b'{"role":"user","content":"x","parts":[{"text":"x"}]}'
    deep = b"[" * DEEP + b"]" * DEEP
    objects = b'{"a":' * DEEP + b"1" + b"}" * DEEP
    return {
        "nothing": b"",
        "one blank": b" ",
        "no JSON": b"hello",
        "half an object": around(b"[" + text + b"]", key)[:-12],
        "two objects": around(b"[" + text + b"]", key) * 2,
        "a list": b"[" + text + b"]",
        "null": b"null",
        "a string": b'"' + key + b'"',
        "no list": b'{"model":"m"}',
        "the list is a string": around(b'"x"', key),
        "the list is an object": around(text, key),
        "the list is a number": around(b"7", key),
        "the list is null": around(b"null", key),
        "the list is empty": around(b"[]", key),
        "elements of wrong types": around(b'[1,"a",null,true,[],{},[[]],{"role":7,"content":8,"parts":9}]', key),
        "roles of wrong types": around(b'[{"role":["user"],"content":{"a":1},"parts":{"text":"x"}}]', key),
        "a list nested deep": around(b'[{"role":"user","content":' + deep + b"}]", key),
        "objects nested deep": around(b'[{"role":"user","content":' + objects + b"}]", key),
        "deep in another key": around(b"[" + text + b"]", key)[:-1] + b',"other":' + deep + b"}",
        "deep and never closed": around(b"[" + text + b"]", key)[:-1] + b',"other":' + b"[" * 100_000,
        "a deep list of messages": around(deep, key),
        "results without calls": around(UNPAIRED, key),
        "calls without results": around(UNANSWERED, key),
        "a million blanks around": BLANKS[:500_000] + around(b"[" + text + b"]", key) + BLANKS[:500_000],
        "a million blanks within": around(b"[" + text + BLANKS + b"]", key),
        "a text of a million blanks": around(b'[{"role":"user","content":"' + BLANKS + b'"}]', key),
        "a long word": around(b'[{"role":"user","content":"' + b"a" * 1_000_000 + b'"}]', key),
        "a lone surrogate": around(b'[{"role":"user","content":"\\ud800","parts":[{"text":"\\udfff"}]}]', key),
        "no UTF-8": around(b'[{"role":"user","content":"\xff\xfe"}]', key),
        "a zero byte": around(b'[{"role":"user","content":"\x00"}]', key),
        "a byte order mark": b"\xef\xbb\xbf" + around(b"[" + text + b"]", key),
        "UTF-16": around(b"[" + text + b"]", key).decode().encode("utf-16"),
        "a list twice": around(b"[" + text + b"]", key)[:-1] + b',"%b":[]}' % key,
        "a role twice": around(b'[{"role":"user","role":"assistant","content":"x","content":[]}]', key),
        "not a number": around(b'[{"role":"user","content":NaN}]', key),
        "infinity": around(b"[" + text + b"]", key)[:-1] + b',"temperature":-Infinity}',
        "big integers": around(b"[" + text + b"]", key)[:-1]
        + b',"n":12345678901234567890123456789012345678901234567890}',
        "a number of 1e400": around(b"[" + text + b"]", key)[:-1] + b',"n":1e400}',
        "ten thousand digits": around(b"[" + text + b"]", key)[:-1] + b',"n":' + b"9" * 10_000 + b"}",
        "escapes and blanks": b'{ "model" : "m\\/n" ,\n"%b"\t: [ %b ] , "\\u0078":1.0e0 }' % (key, text),
        "an escaped key": around(b"[" + text + b"]", key).replace(b'"' + key, b'"\\u%04x%b' % (key[0], key[1:])),
        **{f"a body of {name}": body for name, body in OTHERS.items()},
    }


UNPAIRED = json.dumps(
    [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "unknown", "content": "x" * 4000}]},
        {"role": "tool", "tool_call_id": "unknown", "content": "x" * 4000},
        {"type": "function_call_output", "call_id": "unknown", "output": "x" * 4000},
        {"role": "user", "parts": [{"functionResponse": {"name": "unknown", "response": {"output": "x" * 4000}}}]},
    ]
).encode()
UNANSWERED = json.dumps(
    [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "ls", "input": {}}]},
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "ls"}}]},
        {"type": "function_call", "call_id": "a", "name": "ls", "arguments": "{"},
        {"role": "model", "parts": [{"functionCall": {"name": "ls"}}, {"functionCall": None}]},
    ]
).encode()
OTHERS = {
    "Bedrock": b'{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":5}}',
    "completions": b'{"model":"m","prompt":["once","upon"],"max_tokens":5}',
    "embeddings": b'{"model":"m","input":["a","b"]}',
    "embeddings of tokens": b'{"model":"m","input":[[1,2,3],[4]]}',
    "images": b'{"model":"m","prompt":"a cat","n":1}',
    "JSON-RPC": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}',
    "chat": b'{"model":"m","messages":[{"role":"user","content":"x"}]}',
    "Gemini": b'{"contents":[{"parts":[{"text":"x"}]}]}',
}
TENANTS = itertools.count()
"""A tenant for each request: none continues the conversation of another."""
KINDS = tuple(bodies(b"messages"))


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    with raw_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def guarded(upstream: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """The default policy, in front of an upstream that takes everything. It must end well after all this."""
    urls = dict.fromkeys(("anthropic", "openai", "gemini"), upstream.url)
    with holdfast(tmp_path_factory.mktemp("guarded"), urls, environ=ENVIRON) as running:
        yield running


def post(proxy: Holdfast, target: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        mine = {"content-type": "application/json", "authorization": f"Bearer tenant-{next(TENANTS)}"}
        connection.request("POST", target, body, {**mine, **named})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def assert_passed_or_refused(
    endpoint: str, upstream: RawUpstream, sent: bytes, outcome: tuple[int, dict[str, str], bytes]
) -> None:
    status, headers, body = outcome
    if upstream.arrived:
        (arrived,) = upstream.arrived
        assert arrived.body == sent
        assert (status, body) == (200, ANSWER)
        assert ("x-holdfast-plan" in headers) != ("x-holdfast-passthrough" in headers)
    else:
        assert 400 <= status < 500, (status, body)
        assert_shape(endpoint, body)


def assert_shape(endpoint: str, body: bytes) -> None:
    """An error as the clients of this API read it."""
    found: Any = json.loads(body)
    error = found["error"]
    assert isinstance(error["message"], str)
    if endpoint == "anthropic":
        assert found["type"] == "error"
        assert isinstance(error["type"], str)
    elif endpoint.startswith("gemini"):
        assert isinstance(error["code"], int)
        assert isinstance(error["status"], str)
    else:
        assert {"type", "param", "code"} <= set(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_strange_body_passes_unchanged_or_is_refused(
    upstream: RawUpstream, guarded: Holdfast, endpoint: str, kind: str
) -> None:
    body = bodies(LISTS[endpoint].encode())[kind]
    upstream.arrived.clear()
    began = time.monotonic()
    outcome = post(guarded, ENDPOINTS[endpoint], body)
    assert time.monotonic() - began < PATIENCE
    assert_passed_or_refused(endpoint, upstream, body, outcome)


CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotlicffi.compress,
    "zstd": zstd.compress,
}
"""How a client packs a body."""


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_packed_body_is_looked_into_and_passes_packed(
    upstream: RawUpstream, guarded: Holdfast, endpoint: str, coding: str
) -> None:
    element = {"role": "user", "content": "x", "parts": [{"text": "x"}]}
    plain = json.dumps({"model": "m", LISTS[endpoint]: [element]}).encode()
    packed = CODINGS[coding](plain)
    upstream.arrived.clear()
    status, headers, body = post(guarded, ENDPOINTS[endpoint], packed, content_encoding=coding)
    assert (status, body) == (200, ANSWER)
    assert upstream.arrived[0].body == packed
    assert upstream.arrived[0].values("content-encoding") == [coding]
    assert "x-holdfast-plan" in headers


BOMBS = {name: pack(b" " * (LIMIT + 1)) for name, pack in CODINGS.items()}
BROKEN = {name: pack(b'{"model":"m"}' * 20)[:-9] for name, pack in CODINGS.items()}


@pytest.mark.parametrize("coding", [*CODINGS, "gzip, br", "compress", "nonsense", "identity"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_body_that_cannot_be_unpacked_passes_or_is_refused(
    upstream: RawUpstream, guarded: Holdfast, endpoint: str, coding: str
) -> None:
    for packed in (BOMBS.get(coding, b"bomb"), BROKEN.get(coding, b"broken"), b"", b'{"model":"m"}'):
        upstream.arrived.clear()
        outcome = post(guarded, ENDPOINTS[endpoint], packed, content_encoding=coding)
        assert_passed_or_refused(endpoint, upstream, packed, outcome)
        if upstream.arrived:
            assert upstream.arrived[0].values("content-encoding") == [coding]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_oversize_body_is_refused_before_it_is_sent(upstream: RawUpstream, guarded: Holdfast, endpoint: str) -> None:
    upstream.arrived.clear()
    with stated(guarded, endpoint, b'{"model":', LIMIT + 1) as connection:
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert_shape(endpoint, answer.partition(b"\r\n\r\n")[2])
    assert upstream.arrived == []


def test_an_sdk_that_sends_too_much_raises_its_own_error(upstream: RawUpstream, guarded: Holdfast) -> None:
    upstream.arrived.clear()
    message: Any = {"role": "user", "content": "x" * 2 * LIMIT}
    with (
        anthropic.Anthropic(api_key="k", base_url=guarded.url, max_retries=0) as claude,
        pytest.raises(anthropic.APIStatusError, match="more than") as refused,
    ):
        claude.messages.create(model="m", max_tokens=5, messages=[message])
    with (
        openai.OpenAI(api_key="k", base_url=f"{guarded.url}/v1", max_retries=0) as client,
        pytest.raises(openai.APIStatusError, match="more than") as caught,
    ):
        client.chat.completions.create(model="m", messages=[message])
    assert (refused.value.status_code, caught.value.status_code) == (413, 413)
    assert upstream.arrived == []


def stated(guarded: Holdfast, endpoint: str, sent: bytes, length: int) -> socket.socket:
    """A request that promises `length` bytes and sends these."""
    address = urlsplit(guarded.url)
    connection = socket.create_connection((str(address.hostname), address.port or 0), timeout=PATIENCE)
    head = f"POST {ENDPOINTS[endpoint]} HTTP/1.1\r\nhost: proxy\r\ncontent-length: {length}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def received(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_body_that_stops_is_refused_and_never_sent_on(
    upstream: RawUpstream, guarded: Holdfast, endpoint: str
) -> None:
    upstream.arrived.clear()
    with stated(guarded, endpoint, b'{"model":', 100) as connection:
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert_shape(endpoint, answer.partition(b"\r\n\r\n")[2])
    assert upstream.arrived == []


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_client_that_leaves_within_its_body_is_not_sent_on(
    upstream: RawUpstream, guarded: Holdfast, endpoint: str
) -> None:
    upstream.arrived.clear()
    with stated(guarded, endpoint, b'{"model":', 100) as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = received(connection)
    assert not answer.startswith((b"HTTP/1.1 5", b"HTTP/1.1 2"))
    assert upstream.arrived == []


def test_afterwards_it_serves_and_counts_as_before(upstream: RawUpstream, guarded: Holdfast) -> None:
    upstream.arrived.clear()
    before = guarded.numbers().total("holdfast_passthrough_total")
    post(guarded, "/v1/messages", b'{"model":')
    status, headers, _ = post(guarded, "/v1/messages", OTHERS["chat"])
    assert (status, headers["x-holdfast-turn"]) == (200, "1")
    numbers = guarded.numbers()
    assert numbers.total("holdfast_requests_total", status_class="5xx") == 0
    assert numbers.total("holdfast_passthrough_total") == before + 1
    reasons = {labels["reason"] for labels, value in numbers.series("holdfast_passthrough_total") if value}
    assert not any(reason.startswith("fault") for reason in reasons)


POLICY = """\
name: mine
mode: enforce
mask:
  keep_newest: 3
  keep_errrors: false
"""


def test_an_unknown_policy_key_names_file_line_and_the_nearest_key(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(POLICY)
    for arguments in (
        ("policy", "check", str(file)),
        ("serve", "--port", "0", "--admin-port", "0", "--policy", str(file)),
    ):
        outcome = command(tmp_path, *arguments)
        assert outcome.returncode == 2, outcome.stderr
        said = outcome.stdout + outcome.stderr
        assert f"{file}:5" in said
        assert "`keep_errrors`" in said
        assert "`keep_errors`" in said
        assert len(outcome.stderr.splitlines()) <= 2

"""Paths, log, delays, faults and callers who leave, over a real socket."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from proxy.simulator.app import create
from proxy.simulator.brains import Answer, SeenRequest, script
from proxy.simulator.faults import Delays, Fault, fault_on
from proxy.simulator.records import Record
from proxy.simulator.serve import under
from tests.proxy.simulator.provider import OPENAI, PROFILES, Provider

PATH = "/v1/chat/completions"
USER = {"role": "user", "content": "hello"}
BODY: dict[str, Any] = {"model": "gpt-4", "messages": [USER]}
Serve = Callable[[Any], str]


def settled(app: Starlette) -> Record:
    """The newest record, once nothing more happens to it."""
    for _ in range(500):
        records: list[Record] = app.state.log.records
        if records and records[-1].done:
            return records[-1]
        time.sleep(0.01)
    raise AssertionError("the request did not settle")


def leave(url: str, body: dict[str, Any], after: bytes) -> bytes:
    """Sends a request, reads until `after` was seen, and closes the connection."""
    host, port = url.removeprefix("http://").split(":")
    raw = json.dumps(body).encode()
    head = f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer k\r\ncontent-length: {len(raw)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode() + raw)
        seen = b""
        while after not in seen:
            seen += connection.recv(4096)
    return seen


def test_the_log_holds_the_very_bytes_and_the_usage() -> None:
    provider = Provider()
    raw = json.dumps(BODY, indent=3).encode()
    provider.post(PATH, raw, {**OPENAI, "X-Thing": "1"})
    record = provider.log[0]
    assert record.body == raw
    assert ("x-thing", "1") in record.headers
    assert (record.path, record.api, record.model, record.status) == (PATH, "openai_chat", "gpt-4", 200)
    assert record.usage
    assert record.usage.input.total == 2
    assert record.done


def test_the_log_is_readable_over_http_without_credentials(serve: Serve) -> None:
    url = serve(create())
    httpx.post(url + PATH, json=BODY, headers={"authorization": "Bearer secret-key"}).raise_for_status()
    listing = httpx.get(f"{url}/_simulator/log")
    assert "secret-key" not in listing.text
    assert listing.json()[0]["usage"]["input"] == 2
    assert json.loads(listing.json()[0]["body"]) == BODY


@pytest.mark.parametrize("path", ["/", "/messages", "/v1/v1/messages", "/v1/messages/", "/v1beta/models/g:embed"])
def test_a_path_that_no_api_has_is_not_found(path: str) -> None:
    assert Provider().post(path, {}).status_code == 404


def test_another_method_is_not_allowed(serve: Serve) -> None:
    assert httpx.get(serve(create()) + PATH).status_code == 405


def test_a_script_plays_the_turn_that_is_due() -> None:
    provider = Provider(script((Answer(text="one"), Answer(text="two"))))
    messages = [USER]
    said = []
    for _ in range(3):
        message = provider.answer(PATH, {**BODY, "messages": messages})["choices"][0]["message"]
        said.append(message["content"])
        messages += [{"role": "assistant", "content": message["content"]}, USER]
    assert said == ["one", "two", "The script ends here."]


def test_the_brain_sees_the_request_and_nothing_is_asked_of_it_when_it_is_refused() -> None:
    seen: list[SeenRequest] = []

    def brain(request: SeenRequest) -> Answer:
        seen.append(request)
        return Answer(text="a")

    provider = Provider(brain)
    provider.refusal(PATH, {**BODY, "messages": []})
    provider.answer(PATH, BODY)
    assert [(s.api, s.last_text, s.assistant_messages) for s in seen] == [("openai_chat", "hello", 0)]


def test_one_model_can_stand_for_every_name() -> None:
    (only,) = under("vllm", PROFILES)
    assert only.match == ("*",)
    assert under("", PROFILES) == PROFILES
    with pytest.raises(ValueError, match="no profile for model `nonesuch`"):
        under("nonesuch", PROFILES)


def test_a_fault_answers_in_the_apis_own_shape(serve: Serve) -> None:
    app = create(faults=fault_on(0, Fault(status=429, headers=(("retry-after", "1"),))))
    url = serve(app)
    refused = httpx.post(url + PATH, json=BODY, headers=OPENAI)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert httpx.post(url + PATH, json=BODY, headers=OPENAI).status_code == 200
    assert [record.status for record in app.state.log.records] == [429, 200]


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_can_break_off(serve: Serve, stream: bool) -> None:
    url = serve(create(faults=fault_on(0, Fault(abort_after=50))))
    received = b""
    with pytest.raises(httpx.RemoteProtocolError):
        with httpx.stream("POST", url + PATH, json={**BODY, "stream": stream}, headers=OPENAI) as response:
            for chunk in response.iter_raw():
                received += chunk
    assert len(received) == 50


def test_a_caller_who_leaves_before_the_answer_is_noticed(serve: Serve) -> None:
    app = create(faults=lambda _: Fault(hang=True))
    url = serve(app)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url + PATH, json=BODY, headers=OPENAI, timeout=0.2)
    record = settled(app)
    assert (record.left, record.status) == ("before", None)


def test_a_caller_who_leaves_during_the_answer_is_noticed(serve: Serve) -> None:
    app = create(delays=Delays(chunk=0.2))
    leave(serve(app), {**BODY, "stream": True}, after=b"data: ")
    record = settled(app)
    assert (record.left, record.status) == ("during", 200)


def test_a_caller_who_stays_is_not_taken_for_one_who_left(serve: Serve) -> None:
    app = create(delays=Delays(first_byte=0.02, chunk=0.001))
    httpx.post(serve(app) + PATH, json={**BODY, "stream": True}, headers=OPENAI).raise_for_status()
    assert settled(app).left == ""


def test_what_was_never_answered_is_not_in_the_cache(serve: Serve) -> None:
    app = create(profiles=PROFILES, faults=fault_on(0, Fault(hang=True)))
    url = serve(app)
    body = {"model": "llama", "messages": [{"role": "user", "content": "word " * 100}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url + PATH, json=body, headers=OPENAI, timeout=0.2)
    settled(app)
    reads = []
    for _ in range(2):
        usage = httpx.post(url + PATH, json=body, headers=OPENAI).json()["usage"]
        reads.append(usage["prompt_tokens_details"]["cached_tokens"])
    assert reads == [0, 124]


def test_delays_hold_back_the_first_byte_and_each_chunk(serve: Serve) -> None:
    url = serve(create(delays=Delays(first_byte=0.1, chunk=0.05)))
    begun = time.monotonic()
    with httpx.stream("POST", url + PATH, json={**BODY, "stream": True}, headers=OPENAI) as response:
        first = time.monotonic() - begun
        chunks = list(response.iter_raw())
    assert first >= 0.1
    assert time.monotonic() - begun >= 0.1 + 0.05 * (len(chunks) - 1)


def test_a_brain_that_fails_is_not_hidden() -> None:
    def fails(_: SeenRequest) -> Answer:
        raise RuntimeError("the test's own fault")

    with pytest.raises(RuntimeError, match="own fault"):
        Provider(fails).answer(PATH, BODY)

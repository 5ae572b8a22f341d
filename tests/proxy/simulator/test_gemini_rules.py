"""What Gemini refuses, in its own words."""

import json
from typing import Any

import pytest

from proxy.simulator.brains import Answer, ToolCall, script
from tests.proxy.simulator.provider import Provider

PATH = "/v1beta/models/gemini-3-pro:generateContent"
OLD = "/v1beta/models/gemini-2.5-pro:generateContent"
STREAM = "/v1beta/models/gemini-3-pro:streamGenerateContent"
USER = {"role": "user", "parts": [{"text": "hello"}]}
CALL = {"functionCall": {"name": "ls", "args": {}}}
RESPONSE = {"functionResponse": {"name": "ls", "response": {}}}


def body(*contents: Any, **fields: Any) -> dict[str, Any]:
    return {"contents": list(contents), **fields}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


REFUSED = {
    "no contents": ({}, "contents is not specified"),
    "no parts": (body({"role": "user", "parts": []}), "contents[0].parts: contents.parts must not be empty"),
    "empty part": (body(user({})), "contents[0].parts[0].data: required oneof field 'data'"),
    "unknown field": (body(USER, messages=[]), 'Unknown name "messages": Cannot find field.'),
    "unknown field of a part": (body(user({"text": "a", "type": "text"})), "at 'contents[0].parts[0]': Cannot find"),
    "role of another API": (body({"role": "assistant", "parts": [{"text": "x"}]}), "Please use a valid role"),
    "wrong type": (body(user({"text": 5})), "Invalid value at 'contents[0].parts[0].text'"),
    "fewer responses than calls": (
        body(USER, model(CALL, CALL), user(RESPONSE)),
        "number of function response parts is equal to the number of function call parts",
    ),
    "no response": (body(USER, model(CALL), USER), "number of function response parts is equal to"),
    "response to no call": (body(USER, model({"text": "a"}), user(RESPONSE)), "immediately after a function call turn"),
    "call first": (body(model(CALL), user(RESPONSE)), "immediately after a user turn"),
    "response without a name": (
        body(USER, model(CALL), user({"functionResponse": {"response": {}}})),
        "function_response.name: Name cannot be empty",
    ),
    "corrupted signature": (body(USER, model({"text": "a", "thoughtSignature": "AAAA"}), USER), "Corrupted thought"),
}


@pytest.mark.parametrize("request_body, words", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(request_body: Any, words: str) -> None:
    response = Provider().post(OLD, request_body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert words in error["message"]


def test_a_request_without_a_key_is_refused_with_403() -> None:
    assert "unregistered callers" in Provider().refusal(PATH, body(USER), {}, status=403)


def test_the_key_may_stand_in_the_query() -> None:
    Provider().answer(f"{PATH}?key=k", body(USER), {})


def test_a_prompt_beyond_the_limit_is_refused() -> None:
    assert "exceeds the maximum number of tokens" in Provider().refusal(PATH, body(user({"text": "word " * 200_000})))


def looped(path: str = PATH) -> tuple[Provider, dict[str, Any]]:
    turn = Answer(calls=(ToolCall("ls"), ToolCall("ls", '{"a": 1}')))
    provider = Provider(script((turn,) * 9))
    content = provider.answer(path, body(USER))["candidates"][0]["content"]
    return provider, body(USER, content, user(RESPONSE, RESPONSE))


def test_the_first_of_parallel_calls_carries_the_signature() -> None:
    _, request = looped()
    assert ["thoughtSignature" in part for part in request["contents"][1]["parts"]] == [True, False]


def test_a_call_of_the_current_turn_needs_its_signature() -> None:
    provider, request = looped()
    provider.answer(PATH, request)
    del request["contents"][1]["parts"][0]["thoughtSignature"]
    assert "missing a thought_signature in functionCall parts" in provider.refusal(PATH, request)


def test_a_call_of_an_earlier_turn_does_not() -> None:
    provider, request = looped()
    del request["contents"][1]["parts"][0]["thoughtSignature"]
    request["contents"] += [model({"text": "done"}), USER]
    provider.answer(PATH, request)


def test_older_models_do_not_ask_for_signatures() -> None:
    Provider().answer(OLD, body(USER, model(CALL), user(RESPONSE)))


def test_a_signature_of_another_model_is_refused() -> None:
    provider, request = looped()
    other = "/v1beta/models/gemini-3.1-pro:generateContent"
    assert provider.refusal(other, request) == "Invalid thought signature."


def test_the_documented_waiver_stands_for_a_signature() -> None:
    call = {**CALL, "thoughtSignature": "skip_thought_signature_validator"}
    Provider().answer(PATH, body(USER, model(call), user(RESPONSE)))


def test_snake_case_is_the_same_request() -> None:
    provider = Provider()
    count = "/v1beta/models/gemini-3-pro:countTokens"
    snake = body(USER, {"role": "model", "parts": [{"function_call": {"name": "ls", "args": {"a_b": 1}}}]})
    camel = body(USER, model({"functionCall": {"name": "ls", "args": {"a_b": 1}}}))
    waiver = {"thought_signature": "skip_thought_signature_validator"}
    snake["contents"][1]["parts"][0] |= waiver
    camel["contents"][1]["parts"][0] |= {"thoughtSignature": waiver["thought_signature"]}
    assert provider.answer(count, snake) == provider.answer(count, camel)


def test_a_stream_is_one_json_array_or_server_sent_events() -> None:
    provider = Provider()
    array = provider.post(STREAM, body(user({"text": "a long text to repeat, in several chunks"})))
    chunks = json.loads(array.text)
    events = provider.post(f"{STREAM}?alt=sse", body(user({"text": "a long text to repeat, in several chunks"})))
    lines = [json.loads(line.removeprefix("data: ")) for line in events.text.split("\r\n") if line]
    assert [_text(chunk) for chunk in chunks] == [_text(line) for line in lines]
    assert len(chunks) > 1
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] > 0


def _text(chunk: Any) -> str:
    words: str = chunk["candidates"][0]["content"]["parts"][0]["text"]
    return words


def test_thoughts_are_shown_only_where_they_were_asked_for() -> None:
    provider = Provider(script((Answer(text="a", reasoning="because"),)))
    plain = provider.answer(PATH, body(USER))
    assert plain["candidates"][0]["content"]["parts"][0]["text"] == "a"
    assert plain["usageMetadata"]["thoughtsTokenCount"] == 2
    config = {"thinkingConfig": {"includeThoughts": True}}
    shown = provider.answer(PATH, body(USER, generationConfig=config))["candidates"][0]["content"]["parts"]
    assert shown[0] == {"text": "because", "thought": True}

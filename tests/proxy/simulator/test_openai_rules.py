"""What OpenAI refuses or drops, in Chat and in Responses."""

from collections.abc import Callable
from typing import Any

import pytest

from proxy.simulator.brains import Answer, ToolCall, script
from tests.proxy.simulator.provider import Provider

CHAT = "/v1/chat/completions"
PATH = "/v1/responses"
USER = {"role": "user", "content": "hello"}
CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}],
}
TOOL = {"role": "tool", "tool_call_id": "c1", "content": "x"}
POINT = {"mode": "explicit"}


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-5.6", "messages": list(messages), **fields}


def marked(role: str, **mark: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": {**POINT, **mark}}]}


REFUSED_CHAT = {
    "no messages": ({"model": "gpt-4"}, "Missing required parameter: 'messages'.", "messages"),
    "empty messages": (chat(), "Invalid 'messages': empty array.", "messages"),
    "no model": ({"messages": [USER]}, "Missing required parameter: 'model'.", "model"),
    "unknown field": (chat(USER, system="x"), "Unknown parameter: 'system'.", "system"),
    "wrong type": (chat(USER, max_tokens="5"), "Invalid type for 'max_tokens': expected an integer, but got a string"
                   " instead.", "max_tokens"),
    "unknown role": (chat({"role": "model", "content": "x"}), "Invalid value: 'model'.", "messages[0].role"),
    "no content": (chat({"role": "user", "content": None}), "Invalid value for 'content'", "messages[0].content"),
    "unknown part": (chat({"role": "user", "content": [{"type": "input_text", "text": "x"}]}), "Invalid value:"
                     " 'input_text'.", "messages[0].content[0].type"),
    "unanswered call": (chat(USER, CALLS, USER), "must be followed by tool messages responding to each",
                        "messages[2].role"),
    "call at the end": (chat(USER, CALLS), "did not have response messages: c1", "messages[1].role"),
    "answer to no call": (chat(USER, TOOL), "messages with role 'tool' must be a response", "messages[1].role"),
    "answer after another message": (chat(USER, CALLS, TOOL, USER, TOOL), "messages with role 'tool' must be",
                                     "messages[4].role"),
    "stream options without a stream": (chat(USER, stream_options={}), "only allowed when 'stream'", "stream_options"),
    "tool choice without tools": (chat(USER, tool_choice="auto"), "only allowed when 'tools'", "tool_choice"),
    "breakpoint on assistant output": (chat(USER, marked("assistant")), "Unknown parameter:",
                                       "messages[1].content[0].prompt_cache_breakpoint"),
    "breakpoint for 12 hours": (chat(marked("user", ttl="12h")), "Invalid value: '12h'.",
                                "messages[0].content[0].prompt_cache_breakpoint.ttl"),
    "cache options on an older model": (chat(USER, model="gpt-4", prompt_cache_options={}), "not supported with this",
                                        "prompt_cache_options"),
    "breakpoint on an older model": (chat(marked("user"), model="gpt-4"), "not supported with this model",
                                     "messages[0].content[0].prompt_cache_breakpoint"),
}  # fmt: skip


@pytest.mark.parametrize("body, words, param", REFUSED_CHAT.values(), ids=REFUSED_CHAT)
def test_chat_refuses(body: Any, words: str, param: str) -> None:
    response = Provider().post(CHAT, body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert words in error["message"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_a_chat_beyond_the_limit_is_refused_by_its_code() -> None:
    response = Provider().post(CHAT, chat({"role": "user", "content": "word " * 200_000}))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("path", [CHAT, PATH])
def test_a_request_without_a_key_is_refused_with_401(path: str) -> None:
    assert "You didn't provide an API key" in Provider().refusal(path, chat(USER), {}, status=401)


def test_compatible_servers_take_fields_of_their_own() -> None:
    Provider().answer(CHAT, chat(USER, model="vllm", cache_salt="x", top_k=5))


def test_compatible_servers_show_their_reasoning() -> None:
    provider = Provider(script((Answer(text="a", reasoning="because"),)))
    assert provider.answer(CHAT, chat(USER, model="vllm"))["choices"][0]["message"]["reasoning_content"] == "because"
    assert "reasoning_content" not in provider.answer(CHAT, chat(USER))["choices"][0]["message"]


CALL = {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "x"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


def ask(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-6.2", "input": list(items), **fields}


REFUSED = {
    "no input": ({"model": "gpt-6.2"}, 'One of "input" or "previous_response_id"'),
    "empty input": (ask(), "Invalid 'input': empty array."),
    "unknown field": (ask(USER, messages=[]), "Unknown parameter: 'messages'."),
    "unknown item": (ask({"type": "tool_result"}), "Invalid value: 'tool_result'."),
    "part of another API": (ask({"role": "user", "content": [{"type": "text", "text": "x"}]}), "Invalid value: 'text'"),
    "unanswered call": (ask(USER, CALL), "No tool output found for function call c1."),
    "output of no call": (ask(USER, OUTPUT), "No tool call found for function call output with call_id c1."),
    "output before its call": (ask(USER, OUTPUT, CALL), "No tool call found for function call output"),
    "reasoning at the end": (ask(USER, THOUGHT), "was provided without its required following item."),
    "reasoning before a user": (ask(THOUGHT, USER), "was provided without its required following item."),
    "unknown chain": (ask(USER, previous_response_id="resp_9"), "Previous response with id 'resp_9' not found."),
    "breakpoint on assistant output": (
        ask({"role": "assistant", "content": [{"type": "output_text", "text": "x", "prompt_cache_breakpoint": POINT}]}),
        "Unknown parameter: 'input[0].content[0].prompt_cache_breakpoint'.",
    ),
    "unreadable reasoning": (
        ask({**THOUGHT, "encrypted_content": "gAAAAAB!"}, {"role": "assistant", "content": "x"}),
        "could not be verified",
    ),
}


@pytest.mark.parametrize("body, words", REFUSED.values(), ids=REFUSED)
def test_responses_refuses(body: Any, words: str) -> None:
    assert words in Provider().refusal(PATH, body)


def test_reasoning_that_was_not_stored_is_not_found() -> None:
    items = (THOUGHT, {"role": "assistant", "content": "x"})
    assert "Item with id 'rs_1' not found" in Provider().refusal(PATH, ask(*items), status=404)


STATELESS = {"store": False, "include": ["reasoning.encrypted_content"], "instructions": "be kind"}


def looped(model: str = "gpt-6.2", turns: int = 2) -> tuple[Provider, dict[str, Any]]:
    """A provider, and a stateless request that carries so many turns."""
    provider = Provider(script((Answer(reasoning="hm", calls=(ToolCall("ls"),)),) * 9))
    request = ask({"role": "developer", "content": "rules"}, USER, model=model, **STATELESS)
    for _ in range(turns):
        output = provider.answer(PATH, request)["output"]
        answer = {"type": "function_call_output", "call_id": output[-1]["call_id"], "output": "long result"}
        request["input"] += [*output, answer]
    return provider, request


def test_reasoning_is_encrypted_only_where_it_was_asked_for() -> None:
    provider = Provider(script((Answer(reasoning="hm", text="a"),)))
    assert "encrypted_content" not in provider.answer(PATH, ask(USER))["output"][0]
    assert "encrypted_content" in provider.answer(PATH, ask(USER, **STATELESS))["output"][0]


def test_altered_reasoning_is_refused_by_its_code() -> None:
    provider, request = looped()
    request["input"][2]["encrypted_content"] = request["input"][2]["encrypted_content"][:-8] + "AAAAAAA="
    response = provider.post(PATH, request)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_encrypted_content")


def edit_result(request: dict[str, Any]) -> None:
    request["input"][4]["output"] = "[cut]"


def edit_rules(request: dict[str, Any]) -> None:
    request["input"][0]["content"] = "other rules"


def edit_schema(request: dict[str, Any]) -> None:
    request["text"] = {"format": {"type": "json_object"}}


@pytest.mark.parametrize("edit, lost", [(edit_result, 1), (edit_rules, 2), (edit_schema, 2)])
def test_reasoning_after_an_edit_is_dropped_silently_and_reported(
    edit: Callable[[dict[str, Any]], None], lost: int
) -> None:
    provider, request = looped()
    assert provider.answer(PATH, request)["input_transformations"] == []
    edit(request)
    found = provider.answer(PATH, request)["input_transformations"]
    assert [(row["action"], row["reason"]) for row in found] == [("removed", "prefix_mismatch")] * lost
    assert provider.log[-1].reports == tuple(found)


def test_instructions_may_change_where_they_follow_the_input() -> None:
    provider, request = looped()
    request["instructions"] = "be unkind"
    assert provider.answer(PATH, request)["input_transformations"] == []


def test_older_models_do_not_bind_reasoning() -> None:
    provider, request = looped("gpt-5.6")
    edit_result(request)
    assert "input_transformations" not in provider.answer(PATH, request)


def test_a_call_is_not_accepted_without_the_reasoning_that_led_to_it() -> None:
    provider, request = looped()
    thought = request["input"].pop(2)
    assert f"without its required 'reasoning' item: '{thought['id']}'" in provider.refusal(PATH, request)


def test_an_item_reference_stands_for_the_stored_item() -> None:
    provider = Provider(script((Answer(text="a" * 40),)))
    said = provider.answer(PATH, ask(USER))["output"][0]
    whole = provider.answer("/v1/responses/input_tokens", ask(USER, said, USER))
    reference = {"type": "item_reference", "id": said["id"]}
    assert provider.answer("/v1/responses/input_tokens", ask(USER, reference, USER)) == whole


def test_a_stored_response_is_not_found_with_another_key() -> None:
    provider = Provider()
    first = provider.answer(PATH, ask(USER))
    follow = ask(USER, previous_response_id=first["id"])
    provider.answer(PATH, follow)
    assert "not found" in provider.refusal(PATH, follow, {"authorization": "Bearer key-b"})


def test_reasoning_of_earlier_turns_is_not_shown_to_older_models() -> None:
    provider, request = looped("gpt-4")
    with_thoughts = provider.answer(PATH, request)["usage"]["input_tokens"]
    request["input"] += [{"role": "assistant", "content": ""}, {"role": "user", "content": ""}]
    assert provider.answer(PATH, request)["usage"]["input_tokens"] == with_thoughts - 2


def test_prewarming_writes_and_says_nothing() -> None:
    provider = Provider()
    items = {"role": "user", "content": "word " * 100}
    answer = provider.answer(PATH, ask(items, prompt_cache_options={"prewarm": True}))
    assert (answer["output"], answer["usage"]["output_tokens"]) == ([], 0)
    assert provider.cached(PATH, ask(items))[0] == 125


def test_a_breakpoint_is_explicit_or_refused() -> None:
    body = chat({"role": "user", "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "a"}}]})
    assert "Invalid value: 'a'." in Provider().refusal(CHAT, body)


def test_a_chain_goes_on_without_new_input() -> None:
    provider = Provider()
    first = provider.answer(PATH, ask(USER))
    provider.answer(PATH, {"model": "gpt-6.2", "previous_response_id": first["id"]})


def test_reasoning_of_another_server_is_refused() -> None:
    _, request = looped()
    stranger = Provider(key=b"another")
    response = stranger.post(PATH, request)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_encrypted_content")

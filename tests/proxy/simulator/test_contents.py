"""Every kind of content is read, measured and told apart, in every API."""

import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from proxy.simulator.brains import Answer, script
from proxy.simulator.prompt import MEDIA_TOKENS
from tests.proxy.simulator.provider import GEMINI, Provider
from tests.proxy.simulator.test_anthropic_rules import CALLS, TOOL, USER, body, user

COUNT = "/v1/messages/count_tokens"
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


def counted(*messages: Any, **fields: Any) -> int:
    request = {key: value for key, value in body(*messages, **fields).items() if key != "max_tokens"}
    tokens: int = Provider().answer(COUNT, request)["input_tokens"]
    return tokens


def result(content: Any) -> dict[str, Any]:
    return user({"type": "tool_result", "tool_use_id": "toolu_1", "content": content})


def test_an_image_costs_a_round_figure_wherever_it_stands() -> None:
    assert counted(user(IMAGE)) == MEDIA_TOKENS
    plain = counted(USER, CALLS, result("abcd"))
    assert counted(USER, CALLS, result([{"type": "text", "text": "abcd"}, IMAGE])) == plain + MEDIA_TOKENS


def test_a_result_may_be_empty_but_not_of_an_unknown_kind() -> None:
    plain = counted(USER, CALLS, result(None))
    assert counted(USER, CALLS, result([])) == plain
    words = Provider().refusal("/v1/messages", body(USER, CALLS, result([{"type": "tool_use"}])))
    assert "is not allowed in a tool_result" in words


def test_a_tool_reference_in_a_result_is_read() -> None:
    assert counted(USER, CALLS, result([{"type": "tool_reference", "tool_name": "ls"}])) > 0


def test_a_server_tool_and_its_result_are_read() -> None:
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    tool = {"type": "web_search_20250305", "name": "web_search"}
    assert counted(USER, {"role": "assistant", "content": [use, found]}, USER, tools=[tool]) > 0


def test_redacted_thinking_that_nobody_sealed_is_refused() -> None:
    block = {"type": "redacted_thinking", "data": "abcd"}
    assert "Invalid `signature`" in Provider().refusal(
        "/v1/messages", body(USER, {"role": "assistant", "content": [block]}, USER)
    )


def test_a_system_prompt_holds_text_only() -> None:
    assert "Input should be 'text'" in Provider().refusal("/v1/messages", body(USER, system=[IMAGE]))


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"cache_control": {"type": "permanent"}}, "Input should be 'ephemeral'"),
        ({"thinking": {"type": "deep"}}, "thinking.type: Input should be one of"),
        ({"tool_choice": {"type": "auto"}}, "only be specified while providing tools"),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"max_tokens": -1}, "greater than or equal to 0"),
    ],
)
def test_a_setting_out_of_range_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in Provider().refusal("/v1/messages", body(USER, **fields))


def test_manual_thinking_may_not_force_a_tool() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    request = body(USER, max_tokens=2000, thinking=thinking, tools=[TOOL], tool_choice={"type": "any"})
    assert "Thinking may not be enabled" in Provider().refusal("/v1/messages", request)


def test_omitted_thinking_is_signed_all_the_same() -> None:
    provider = Provider(script((Answer(reasoning="hm", text="a"),)))
    request = body(USER, thinking={"type": "adaptive", "display": "omitted"})
    block = provider.answer("/v1/messages", request)["content"][0]
    assert block["thinking"] == ""
    provider.answer("/v1/messages", body(USER, {"role": "assistant", "content": [block]}, USER))


def test_an_automatic_marker_passes_over_thinking_and_finds_a_place_or_none() -> None:
    provider = Provider(script((Answer(reasoning="hm", text="x" * 60),) * 3))
    request = body(USER, thinking={"type": "adaptive"}, cache_control={"type": "ephemeral"})
    content = provider.answer("/v1/messages", request)["content"]
    request["messages"] += [{"role": "assistant", "content": list(reversed(content))}]
    assert provider.cached("/v1/messages", request)[1] == 17


CHAT = "/v1/chat/completions"


def chat(*messages: Any) -> dict[str, Any]:
    return {"model": "llama", "messages": list(messages)}


def test_chat_reads_parts_calls_and_old_functions() -> None:
    parts = [{"type": "text", "text": "abcd"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    custom = {"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    rows = (
        {"role": "user", "content": parts},
        {"role": "assistant", "reasoning_content": "hm", "tool_calls": [custom]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "x"}]},
        {"role": "assistant", "function_call": {"name": "ls", "arguments": "{}"}},
        {"role": "function", "name": "ls", "content": "x"},
    )
    _, _, uncached = (provider := Provider()).cached(CHAT, chat(*rows))
    assert uncached == MEDIA_TOKENS + 1 + 1 + 1 + 1 + 1 + 1
    message = provider.refusal(CHAT, chat({"role": "user", "content": 5}))
    assert "expected a string or an array" in message


def test_reasoning_is_streamed_by_compatible_servers() -> None:
    provider = Provider(script((Answer(reasoning="because", text="a"),)))
    assert '"reasoning_content": "because"' in provider.post(CHAT, {**chat(USER), "stream": True}).text


RESPONSES = "/v1/responses"


def test_responses_reads_parts_and_items_of_other_kinds() -> None:
    parts = [{"type": "input_text", "text": "abcd"}, {"type": "input_image", "image_url": "data:"}]
    rows = (
        {"role": "user", "content": parts},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
        {"type": "computer_call", "id": "cc_1", "call_id": "c1", "action": {}, "status": "completed"},
        {"type": "computer_call_output", "call_id": "c1", "output": {"type": "computer_screenshot"}},
    )
    counted = Provider().answer("/v1/responses/input_tokens", {"model": "gpt-6.2", "input": list(rows)})
    assert counted["input_tokens"] > MEDIA_TOKENS + 1


@pytest.mark.parametrize(
    "item, words",
    [
        ({"role": "model", "content": "x"}, "Invalid value: 'model'."),
        ({"role": "user", "content": 5}, "Invalid type for 'input[0].content'"),
        ({"type": "item_reference", "id": "msg_9"}, "Item with id 'msg_9' not found."),
    ],
)
def test_an_odd_item_is_refused(item: Any, words: str) -> None:
    response = Provider().post(RESPONSES, {"model": "gpt-6.2", "input": [item]})
    assert response.status_code in (400, 404)
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"tool_choice": "required"}, "only allowed when 'tools' are specified"),
        ({"temperature": 3}, "decimal above maximum value"),
        ({"prompt_cache_options": {"mode": "auto"}}, "Invalid value: 'auto'."),
        ({"prompt_cache_options": {"ttl": "5m"}}, "Invalid value: '5m'."),
    ],
)
def test_a_setting_that_responses_does_not_know_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in Provider().refusal(RESPONSES, {"model": "gpt-6.2", "input": "x", **fields})


def test_a_prompt_too_long_for_responses_is_refused_by_its_code() -> None:
    response = Provider().post(RESPONSES, {"model": "gpt-6.2", "input": "word " * 200_000})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_reasoning_of_another_model_is_dropped_where_reasoning_is_bound() -> None:
    provider = Provider(script((Answer(reasoning="hm", text="a"),) * 3))
    request = {"model": "gpt-6.2", "input": [USER], "include": ["reasoning.encrypted_content"]}
    output = provider.answer(RESPONSES, request)["output"]
    follow = {**request, "model": "gpt-6.2-b", "input": [USER, *output, USER]}
    found = provider.answer(RESPONSES, follow)["input_transformations"]
    assert [row["reason"] for row in found] == ["model_mismatch"]


GENERATE = "/v1beta/models/gemini-3-pro:generateContent"


def test_gemini_reads_system_tools_and_media() -> None:
    request = {
        "contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}],
        "systemInstruction": {"parts": [{"text": "abcd"}]},
        "tools": [{"functionDeclarations": [{"name": "ls"}]}, {"googleSearch": {}}],
    }
    inner = {"generateContentRequest": {"model": "models/gemini-3-pro", **request}}
    found = Provider().answer("/v1beta/models/gemini-3-pro:countTokens", inner)
    assert found["totalTokens"] == MEDIA_TOKENS + 1 + 4 + 5


def test_an_explicit_gemini_cache_is_not_found() -> None:
    request = {"contents": [{"parts": [{"text": "x"}]}], "cachedContent": "cachedContents/1"}
    assert "CachedContent not found" in Provider().refusal(GENERATE, request, GEMINI, status=403)


@pytest.mark.parametrize("part", [{}, {"executableCode": {"code": "x"}}])
def test_a_gemini_part_holds_one_kind_of_data(part: dict[str, Any]) -> None:
    status = Provider().post(GENERATE, {"contents": [{"parts": [{"text": "x", **part}]}]}).status_code
    assert status == (400 if part else 200)


@pytest.mark.slow
def test_the_server_prints_the_port_it_took_and_stops_on_interrupt() -> None:
    program = "from proxy.simulator.serve import run; run()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert re.fullmatch(r"simulated provider on http://127\.0\.0\.1:[1-9]\d*\n", line)

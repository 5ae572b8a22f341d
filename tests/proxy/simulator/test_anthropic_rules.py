"""What Anthropic refuses, in its own words."""

from typing import Any

import pytest

from proxy.simulator.brains import Answer, ToolCall, script
from tests.proxy.simulator.provider import ANTHROPIC, Provider

PATH = "/v1/messages"
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
USER = {"role": "user", "content": "hello"}
TOOL = {"name": "ls", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}}
CALLS = {"role": "assistant", "content": [CALL]}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "claude", "max_tokens": 100, "messages": list(messages), **fields}


def text(words: str, mark: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"cache_control": mark} if mark else {})}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def result(answers: str, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": answers, "content": "x", **fields}


REFUSED = {
    "no message": (body(), "at least one message is required"),
    "no max_tokens": ({"model": "claude", "messages": [USER]}, "max_tokens: Field required"),
    "no model": ({"max_tokens": 1, "messages": [USER]}, "model: Field required"),
    "unknown field": (body(USER, prompt_cache_key="x"), "prompt_cache_key: Extra inputs are not permitted"),
    "beta field without its header": (body(USER, context_management={}), "context_management: Extra inputs"),
    "wrong type": (body(USER, max_tokens="5"), "max_tokens: Input should be a valid integer"),
    "too many output tokens": (body(USER, max_tokens=64_001), "64001 > 64000, which is the maximum allowed"),
    "first message of the assistant": (body({"role": "assistant", "content": "hi"}), 'must use the "user" role'),
    "unknown role": (body({"role": "tool", "content": "hi"}), "messages.0.role: Input should be"),
    "empty content": (body({"role": "user", "content": ""}), "must have non-empty content"),
    "empty text": (body(user(text(""))), "text content blocks must be non-empty"),
    "marker on empty system text": (body(USER, system=[text("", MARK)]), "cannot be set for empty text blocks"),
    "unknown block": (body(user({"type": "input_text", "text": "x"})), "messages.0.content.0: Input tag 'input_text'"),
    "unknown key of a block": (body(user({**text("x"), "id": "1"})), "messages.0.content.0.text.id: Extra inputs"),
    "unanswered call": (body(USER, CALLS, USER), "`tool_use` ids were found without `tool_result` blocks"),
    "call at the end": (body(USER, CALLS), "`tool_use` ids were found without `tool_result` blocks"),
    "result of no call": (body(user(result("toolu_9"))), "unexpected `tool_use_id` found in `tool_result` blocks"),
    "result given twice": (body(USER, CALLS, user(result("toolu_1"), result("toolu_1"))), "must have a single result"),
    "text before the result": (body(USER, CALLS, user(text("so"), result("toolu_1"))), "must come first"),
    "call id used twice": (
        body(USER, {"role": "assistant", "content": [CALL, CALL]}, user(result("toolu_1"))),
        "`tool_use` ids must be unique",
    ),
    "tool name used twice": (body(USER, tools=[TOOL, TOOL]), "Tool names must be unique"),
    "short life before long": (
        body(user(text("a", MARK), text("b", HOUR))),
        "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after",
    ),
    "unknown life": (body(user(text("a", {"type": "ephemeral", "ttl": "30m"}))), "Input should be '5m' or '1h'"),
    "five markers": (body(user(*(text("a", MARK) for _ in range(5)))), "A maximum of 4 blocks with cache_control"),
    "automatic marker as the fifth": (
        body(user(*(text("a", MARK) for _ in range(4))), cache_control=MARK),
        "may be provided. Found 5.",
    ),
    "automatic marker of another life": (body(user(text("a", MARK)), cache_control=HOUR), "asks for a ttl of 1h"),
    "marker on thinking": (
        body(USER, {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s", "cache_control": MARK}]}),
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    "forged signature": (
        body(USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "Eq=="}]}),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "small thinking budget": (
        body(USER, max_tokens=5000, thinking={"type": "enabled", "budget_tokens": 1023}),
        "greater than or equal to 1024",
    ),
    "budget above max_tokens": (
        body(USER, thinking={"type": "enabled", "budget_tokens": 2000}),
        "`max_tokens` must be greater",
    ),
    "block binding without its header": (
        body(USER, thinking={"type": "adaptive", "block_binding": {}}),
        "thinking.block_binding: Extra inputs are not permitted",
    ),
    "unknown tool choice": (body(USER, tools=[TOOL], tool_choice={"type": "required"}), "tool_choice: Input tag"),
    "choice of an absent tool": (
        body(USER, tools=[TOOL], tool_choice={"type": "tool", "name": "rm"}),
        "Tool 'rm' not found in provided tools",
    ),
    "prewarming a stream": (body(USER, max_tokens=0, stream=True), "max_tokens: 0 cannot be combined"),
    "an OpenAI body": ({"model": "claude", "max_completion_tokens": 5, "messages": [USER]}, "Extra inputs"),
}  # fmt: skip


@pytest.mark.parametrize("request_body, words", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(request_body: Any, words: str) -> None:
    provider = Provider()
    response = provider.post(PATH, request_body)
    assert response.status_code == 400
    assert response.json()["type"] == "error"
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert words in response.json()["error"]["message"]
    assert provider.log[-1].error == response.json()["error"]["message"]


ACCEPTED = {
    "consecutive messages of one role": body(USER, USER),
    "result and text": body(USER, CALLS, user(result("toolu_1"), text("and?"))),
    "result and text in two messages": body(USER, CALLS, user(result("toolu_1")), USER),
    "a system message between turns": body(USER, {"role": "system", "content": "be brief"}, tools=[TOOL]),
    "four markers, long before short": body(
        user(text("a", MARK), text("b", MARK)), system=[text("s", HOUR)], tools=[{**TOOL, "cache_control": HOUR}]
    ),
    "three markers and the automatic one": body(user(*(text("a", MARK) for _ in range(3))), cache_control=MARK),
    "a marker on a result": body(USER, CALLS, user(result("toolu_1", cache_control=MARK))),
    "prefill": body(USER, {"role": "assistant", "content": "I"}),
}


@pytest.mark.parametrize("request_body", ACCEPTED.values(), ids=ACCEPTED)
def test_it_is_accepted(request_body: Any) -> None:
    Provider().answer(PATH, request_body)


def test_a_request_without_a_key_is_refused_with_401() -> None:
    response = Provider().post(PATH, body(USER), {"anthropic-version": "2023-06-01"})
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"


def test_a_request_without_a_version_is_refused() -> None:
    assert "anthropic-version" in Provider().refusal(PATH, body(USER), {"x-api-key": "k"})


def test_a_prompt_beyond_the_limit_is_refused_with_both_numbers() -> None:
    words = Provider().refusal(PATH, body({"role": "user", "content": "word " * 200_000}))
    assert words == "prompt is too long: 250000 tokens > 200000 maximum"


THINKS = Answer(reasoning="hm", text="Looking.", calls=(ToolCall("ls", '{"a": 1}'),))


def looped(model: str, turns: int = 2) -> tuple[Provider, dict[str, Any]]:
    """A provider, and a request that carries its thinking for so many turns."""
    provider = Provider(script((THINKS,) * 9))
    request = body(USER, model=model, max_tokens=2000, tools=[TOOL], thinking={"type": "adaptive"}, system="be kind")
    for _ in range(turns):
        content = provider.answer(PATH, request)["content"]
        request["messages"] += [{"role": "assistant", "content": content}, user(result(content[-1]["id"]))]
    return provider, request


def test_thinking_sent_back_as_it_was_is_accepted() -> None:
    provider, request = looped("claude-bound")
    provider.answer(PATH, request)


@pytest.mark.parametrize("model", ["claude", "claude-bound"])
def test_altered_thinking_is_refused(model: str) -> None:
    provider, request = looped(model)
    request["messages"][1]["content"][0]["thinking"] = "ha"
    assert "Invalid `signature` in `thinking` block" in provider.refusal(PATH, request)


def edit_result(request: dict[str, Any]) -> None:
    request["messages"][2]["content"][0]["content"] = "[cut]"


def edit_input(request: dict[str, Any]) -> None:
    request["messages"][1]["content"][-1]["input"] = {}


def edit_system(request: dict[str, Any]) -> None:
    request["system"] = "be unkind"


def edit_tools(request: dict[str, Any]) -> None:
    request["tools"] = [TOOL, {**TOOL, "name": "cat"}]


EDITS = [edit_result, edit_input, edit_system, edit_tools]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_before_bound_thinking_is_refused(edit: Any) -> None:
    provider, request = looped("claude-bound")
    edit(request)
    words = provider.refusal(PATH, request)
    assert "Invalid signature in thinking block. The block is bound to a different conversation" in words
    assert words == provider.refusal("/v1/messages/count_tokens", {k: request[k] for k in COUNTED})


COUNTED = ("model", "messages", "tools", "system", "thinking")


@pytest.mark.parametrize("edit", EDITS)
def test_the_same_edit_is_free_where_thinking_is_not_bound(edit: Any) -> None:
    provider, request = looped("claude")
    edit(request)
    provider.answer(PATH, request)


def drop(request: dict[str, Any], *places: int) -> None:
    for place in places:
        request["messages"][place]["content"].pop(0)


@pytest.mark.parametrize("places", [(1,), (5,), (1, 3, 5)])
def test_bound_thinking_may_go_from_the_start_the_end_or_altogether(places: tuple[int, ...]) -> None:
    provider, request = looped("claude-bound", 3)
    drop(request, *places)
    provider.answer(PATH, request)


def test_bound_thinking_may_not_go_from_the_middle() -> None:
    provider, request = looped("claude-bound", 3)
    drop(request, 3)
    assert "bound to a different conversation" in provider.refusal(PATH, request)


def test_cache_markers_may_move_before_bound_thinking() -> None:
    provider, request = looped("claude-bound")
    request["messages"][2]["content"][0]["cache_control"] = MARK
    request["system"] = [text("be kind", MARK)]
    provider.answer(PATH, request)


BINDING = {**ANTHROPIC, "anthropic-beta": "thinking-binding-controls-2026-08-01"}


def test_a_request_may_ask_to_drop_what_was_bound_and_is_told_what_went() -> None:
    provider, request = looped("claude-bound")
    edit_result(request)
    request["thinking"]["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
    found = provider.answer(PATH, request, BINDING)["input_transformations"]
    reason = {"type": "thinking_dropped", "reason": "prefix_binding_mismatch"}
    assert found == [{**reason, "path": "messages.3.content.0"}]


def test_thinking_of_another_model_is_dropped_silently() -> None:
    provider, request = looped("claude-bound")
    total = provider.answer("/v1/messages/count_tokens", {k: request[k] for k in COUNTED})["input_tokens"]
    request["model"] = "claude-bound-2"
    answer = provider.answer(PATH, request, BINDING)
    assert [row["reason"] for row in answer["input_transformations"]] == ["model_binding_mismatch"] * 2
    assert answer["usage"]["input_tokens"] == total - 2


def test_with_manual_thinking_an_open_tool_loop_begins_with_thinking() -> None:
    provider, request = looped("claude")
    request["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    drop(request, 3)
    assert "Expected `thinking` or `redacted_thinking`, but found `text`" in provider.refusal(PATH, request)


def test_prewarming_writes_the_cache_and_says_nothing() -> None:
    provider = Provider()
    request = body(user(text("word " * 100, MARK)))
    answer = provider.answer(PATH, {**request, "max_tokens": 0})
    assert (answer["content"], answer["stop_reason"]) == ([], "max_tokens")
    assert answer["usage"]["cache_creation_input_tokens"] == 125
    assert provider.answer(PATH, request)["usage"]["cache_read_input_tokens"] == 125

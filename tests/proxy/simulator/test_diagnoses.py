"""A provider that is asked why its cache was missed says in what part two of its prompts differ first."""

from typing import Any

import pytest

from tests.proxy.simulator.provider import Provider

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
LONG = "x" * 400


def _claude(about: Any, **changes: Any) -> dict[str, Any]:
    body = {
        "model": "claude-x",
        "max_tokens": 100,
        "system": LONG,
        "tools": [{"name": "read", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": LONG}],
        "diagnostics": {"previous_message_id": about},
    }
    return {**body, **changes}


def _gpt(about: str | None, **changes: Any) -> dict[str, Any]:
    asks = {"prompt_cache_options": {"comparison_response_id": about}} if about else {}
    tools = [{"type": "function", "name": "read", "parameters": {}}]
    return {"model": "gpt-5.6-sol", "instructions": LONG, "input": LONG, "tools": tools, **asks, **changes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"messages": [{"role": "user", "content": LONG}, {"role": "assistant", "content": "a"}]}, None),
        ({"model": "claude-y"}, "model_changed"),
        ({"tools": [{"name": "write", "input_schema": {"type": "object"}}]}, "tools_changed"),
        ({"system": "other"}, "system_changed"),
        ({"messages": [{"role": "user", "content": "other"}]}, "messages_changed"),
        ({"tool_choice": {"type": "any"}}, "unavailable"),
    ],
)
def test_anthropic_names_the_part_that_differs_first(changes: dict[str, Any], reason: str | None) -> None:
    provider = Provider()
    first = provider.answer(MESSAGES, _claude(None))
    assert first["diagnostics"] is None
    found = provider.answer(MESSAGES, _claude(first["id"], **changes))["diagnostics"]
    assert (found and found["cache_miss_reason"]["type"]) == reason
    if reason in ("tools_changed", "system_changed"):
        assert found["cache_miss_reason"]["cache_missed_input_tokens"] >= 200


def test_anthropic_compares_with_those_who_asked_alone() -> None:
    provider = Provider()
    plain = {key: value for key, value in _claude(None).items() if key != "diagnostics"}
    answer = provider.answer(MESSAGES, plain)
    assert "diagnostics" not in answer
    found = provider.answer(MESSAGES, _claude(answer["id"]))["diagnostics"]
    assert found == {"cache_miss_reason": {"type": "previous_message_not_found"}}


@pytest.mark.parametrize("odd", [{"previous_message_id": 7}, {"previous_id": "msg_1"}])
def test_anthropic_refuses_what_is_no_question(odd: dict[str, Any]) -> None:
    assert Provider().post(MESSAGES, {**_claude(None), "diagnostics": odd}).status_code == 400


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {"type": "cache_hit"}),
        ({"tools": []}, "tools_changed"),
        ({"instructions": "other"}, "input_changed"),
        ({"input": "other"}, "input_changed"),
        ({"model": "gpt-5.6-terra"}, "model_changed"),
        ({"parallel_tool_calls": False}, {"type": "unavailable"}),
    ],
)
def test_openai_says_hit_or_miss_and_why(changes: dict[str, Any], found: Any) -> None:
    provider = Provider()
    first = provider.answer(RESPONSES, _gpt(None))
    assert "prompt_cache_diagnostics" not in first
    said = provider.answer(RESPONSES, _gpt(first["id"], **changes))["prompt_cache_diagnostics"]
    assert said == found or (said["type"], said["reason"]) == ("cache_miss", found)


def test_openai_knows_no_answer_of_another() -> None:
    said = Provider().answer(RESPONSES, _gpt("resp_other"))["prompt_cache_diagnostics"]
    assert said == {"type": "comparison_response_not_found"}


def test_openai_refuses_the_question_before_gpt_5_6() -> None:
    assert Provider().post(RESPONSES, _gpt("resp_other", model="gpt-4.1")).status_code == 400

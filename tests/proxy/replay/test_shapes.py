"""A trace's messages in the shapes of two providers."""

from typing import Any

import pytest

from proxy.replay.shapes import EMPTY, anthropic_messages, anthropic_tools, chat_messages
from proxy.replay.trace import Trace

from .sessions import call, untyped


def chat(*messages: dict[str, Any]) -> Trace:
    return Trace("t", list(messages))


def result(number: int, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content}


def test_what_a_trace_notes_for_itself_is_not_sent() -> None:
    messages = chat_messages(untyped([4]))
    assert {key for message in messages for key in message} == {"role", "content"}
    assert "secret" not in str(messages) + str(anthropic_messages(untyped([4])))


def test_leading_system_messages_become_system_blocks_and_later_ones_user_messages() -> None:
    system, messages = anthropic_messages(
        chat(
            {"role": "system", "content": "one"},
            {"role": "developer", "content": "two"},
            {"role": "user", "content": "hello"},
            {"role": "system", "content": "three"},
        )
    )
    assert [block["text"] for block in system] == ["one", "two"]
    assert [message["role"] for message in messages] == ["user", "user"]


def test_the_results_of_parallel_calls_go_in_one_message_with_what_the_user_adds() -> None:
    _, messages = anthropic_messages(
        chat(
            {"role": "user", "content": "go"},
            call(1, "a"),
            result(1, "x"),
            result(2, "y"),
            {"role": "user", "content": "z"},
        )
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [block["type"] for block in messages[2]["content"]] == ["tool_result", "tool_result", "text"]


def test_user_messages_are_not_put_together() -> None:
    _, messages = anthropic_messages(chat({"role": "user", "content": "a"}, {"role": "user", "content": "b"}))
    assert len(messages) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [('{"a": 1}', {"a": 1}), ("not json", {"arguments": "not json"}), ("[1]", {"arguments": "[1]"})],
)
def test_arguments_become_an_object(arguments: str, expected: dict[str, Any]) -> None:
    message = call(1, "a")
    message["tool_calls"][0]["function"]["arguments"] = arguments
    _, messages = anthropic_messages(chat({"role": "user", "content": "go"}, message))
    assert messages[1]["content"][-1] == {"type": "tool_use", "id": "call_1", "name": "read_file", "input": expected}


@pytest.mark.parametrize("content", [None, "", "  ", [], [{"type": "text", "text": " "}]])
def test_no_blank_text_is_sent_to_a_provider_that_refuses_it(content: Any) -> None:
    _, messages = anthropic_messages(chat({"role": "user", "content": content}))
    assert messages[0]["content"] == [{"type": "text", "text": EMPTY}]


def test_blocks_of_the_provider_stay_as_they_are() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "tool_use", "id": "1", "name": "n"}]
    _, messages = anthropic_messages(Trace("t", [{"role": "assistant", "content": blocks}], format="anthropic"))
    assert messages[0]["content"] == blocks


def test_anthropic_blocks_become_chat_messages() -> None:
    session = Trace(
        "t",
        [
            {"role": "user", "content": "go"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "1", "name": "read", "input": {"path": "a.py"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "x = 1"}]},
                    {"type": "text", "text": "and?"},
                ],
            },
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "only"}]},
        ],
        format="anthropic",
    )
    messages = chat_messages(session)
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "read", "arguments": '{"path":"a.py"}'}
    assert messages[2] == {"role": "tool", "tool_call_id": "1", "content": "x = 1"}


def test_tools_of_either_format_are_definitions() -> None:
    schema = {"type": "object", "properties": {}}
    tools = anthropic_tools(
        [
            {"type": "function", "function": {"name": "a"}},
            {"type": "function", "function": {"name": "b", "description": "d", "parameters": schema}},
            {"name": "c", "input_schema": schema},
        ]
    )
    assert [tool["name"] for tool in tools] == ["a", "b", "c"]
    assert tools[0]["input_schema"] == {"type": "object"} and tools[1]["description"] == "d"

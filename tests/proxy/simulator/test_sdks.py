"""The vendors' own SDKs talk to the simulator over a socket and parse what it says."""

import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from proxy.simulator.app import create
from proxy.simulator.brains import Answer, ToolCall, script
from tests.proxy.simulator.provider import PROFILES

TURNS = (
    Answer(reasoning="I should look first.", text="Looking.", calls=(ToolCall("ls", '{"path": "/a b"}'),)),
    Answer(text="Two files: ä and ☃."),
)
PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}}
Serve = Callable[[Any], str]
Keep = Callable[[Any], Any]


@pytest.fixture
def url(serve: Serve) -> str:
    return serve(create(brain=script(TURNS), profiles=PROFILES))


def test_the_anthropic_sdk_runs_a_tool_loop(url: str, until_closed: Keep) -> None:
    client: anthropic.Anthropic = until_closed(anthropic.Anthropic(api_key="k", base_url=url, max_retries=0))
    history: list[Any] = [{"role": "user", "content": "what is there?"}]
    ask: dict[str, Any] = {
        "model": "claude-bound",
        "max_tokens": 2000,
        "thinking": {"type": "adaptive"},
        "tools": [{"name": "ls", "input_schema": PARAMETERS}],
    }
    first = client.messages.create(messages=history, **ask)
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    assert first.stop_reason == "tool_use"
    call = first.content[-1]
    assert isinstance(call, anthropic.types.ToolUseBlock)
    assert call.input == {"path": "/a b"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "x\ny"}
    history += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    counted = client.messages.count_tokens(messages=history, model="claude-bound", tools=ask["tools"])
    assert counted.input_tokens > 0
    with client.messages.stream(messages=history, **ask) as stream:
        last = stream.get_final_message()
    assert isinstance(last.content[0], anthropic.types.TextBlock)
    assert last.content[0].text == TURNS[1].text
    assert last.usage.output_tokens > 0


def test_the_anthropic_sdk_assembles_streamed_thinking_and_calls(url: str, until_closed: Keep) -> None:
    client: anthropic.Anthropic = until_closed(anthropic.Anthropic(api_key="k", base_url=url, max_retries=0))
    ask: dict[str, Any] = {"model": "claude-bound", "max_tokens": 2000, "thinking": {"type": "adaptive"}}
    history: list[Any] = [{"role": "user", "content": "what is there?"}]
    tools: list[Any] = [{"name": "ls", "input_schema": PARAMETERS}]
    with client.messages.stream(messages=history, tools=tools, **ask) as stream:
        streamed = stream.get_final_message()
    plain = client.messages.create(messages=history, tools=tools, **ask)
    assert [b.model_dump(exclude={"id"}) for b in streamed.content] == [
        b.model_dump(exclude={"id"}) for b in plain.content
    ]


def test_the_anthropic_sdk_raises_its_own_errors(url: str, until_closed: Keep) -> None:
    client: anthropic.Anthropic = until_closed(anthropic.Anthropic(api_key="k", base_url=url, max_retries=0))
    with pytest.raises(anthropic.BadRequestError, match="at least one message is required"):
        client.messages.create(messages=[], model="claude", max_tokens=5)


CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": "ls", "parameters": PARAMETERS}}]


def test_the_openai_sdk_runs_a_chat_tool_loop(url: str, until_closed: Keep) -> None:
    client: openai.OpenAI = until_closed(openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0))
    history: list[Any] = [{"role": "user", "content": "what is there?"}]
    first = client.chat.completions.create(model="gpt-4", messages=history, tools=CHAT_TOOLS)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls
    call = message.tool_calls[0]
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"path": "/a b"}
    assert first.usage
    assert first.usage.prompt_tokens_details
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    history += [message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "x"}]
    last = client.chat.completions.create(model="gpt-4", messages=history, tools=CHAT_TOOLS)
    assert last.choices[0].message.content == TURNS[1].text


@pytest.mark.parametrize("usage", [True, False])
def test_the_openai_sdk_assembles_a_chat_stream(url: str, until_closed: Keep, usage: bool) -> None:
    client: openai.OpenAI = until_closed(openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0))
    options: Any = {"stream_options": {"include_usage": True}} if usage else {}
    history: list[Any] = [{"role": "user", "content": "what is there?"}]
    chunks = list(
        client.chat.completions.create(model="gpt-4", messages=history, tools=CHAT_TOOLS, stream=True, **options)
    )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Looking."
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert calls[0].id
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"path": "/a b"}'
    assert [chunk.usage is not None for chunk in chunks[-2:]] == [False, usage]


def test_the_openai_sdk_raises_its_own_errors(url: str, until_closed: Keep) -> None:
    client: openai.OpenAI = until_closed(openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0))
    with pytest.raises(openai.BadRequestError, match="empty array") as caught:
        client.chat.completions.create(model="gpt-4", messages=[])
    assert caught.value.code == "empty_array"


RESPONSES_TOOLS: list[Any] = [{"type": "function", "name": "ls", "parameters": PARAMETERS, "strict": False}]


def test_the_openai_sdk_runs_a_stateless_responses_loop(url: str, until_closed: Keep) -> None:
    client: openai.OpenAI = until_closed(openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0))
    history: list[Any] = [{"role": "user", "content": "what is there?"}]
    ask: Any = {"store": False, "include": ["reasoning.encrypted_content"], "tools": RESPONSES_TOOLS}
    first = client.responses.create(model="gpt-6.2", input=history, **ask)
    assert [item.type for item in first.output] == ["reasoning", "message", "function_call"]
    call = first.output[-1]
    assert isinstance(call, openai.types.responses.ResponseFunctionToolCall)
    history += [item.model_dump(exclude_none=True) for item in first.output]
    history += [{"type": "function_call_output", "call_id": call.call_id, "output": "x"}]
    last = client.responses.create(model="gpt-6.2", input=history, **ask)
    assert last.output_text == TURNS[1].text
    assert last.input_transformations == []
    assert last.usage
    counted = client.responses.input_tokens.count(model="gpt-6.2", input=history, tools=RESPONSES_TOOLS)
    assert counted.input_tokens == last.usage.input_tokens


def test_the_openai_sdk_continues_a_stored_response_by_id(url: str, until_closed: Keep) -> None:
    client: openai.OpenAI = until_closed(openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0))
    first = client.responses.create(model="gpt-6.2", input="what is there?", tools=RESPONSES_TOOLS)
    call = first.output[-1]
    assert isinstance(call, openai.types.responses.ResponseFunctionToolCall)
    output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "x"}]
    last = client.responses.create(model="gpt-6.2", previous_response_id=first.id, input=output)
    assert last.output_text == TURNS[1].text


def test_the_openai_sdk_assembles_a_responses_stream(url: str, until_closed: Keep) -> None:
    client: openai.OpenAI = until_closed(openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0))
    ask: Any = {"model": "gpt-6.2", "input": "what is there?", "tools": RESPONSES_TOOLS}
    ask |= {"reasoning": {"summary": "auto"}}
    with client.responses.stream(**ask) as stream:
        events = list(stream)
        last = stream.get_final_response()
    assert [item.type for item in last.output] == ["reasoning", "message", "function_call"]
    assert last.output_text == "Looking."
    numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
    assert numbers == sorted(numbers)
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"


def test_the_google_sdk_runs_a_tool_loop_plain_and_streamed(url: str, until_closed: Keep) -> None:
    client: genai.Client = until_closed(genai.Client(api_key="k", http_options=types.HttpOptions(base_url=url)))
    declared = types.FunctionDeclaration(name="ls", parameters_json_schema=PARAMETERS)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    history: list[Any] = [types.Content(role="user", parts=[types.Part(text="what is there?")])]
    first = client.models.generate_content(model="gemini-3-pro", contents=history, config=config)
    assert first.function_calls
    assert first.function_calls[0].args == {"path": "/a b"}
    assert first.candidates
    content = first.candidates[0].content
    assert content
    assert content.parts
    assert content.parts[-1].thought_signature
    answer = types.Part.from_function_response(name="ls", response={"files": ["x"]})
    history += [content, types.Content(role="user", parts=[answer])]
    chunks = list(client.models.generate_content_stream(model="gemini-3-pro", contents=history, config=config))
    assert "".join(chunk.text or "" for chunk in chunks) == TURNS[1].text
    assert chunks[-1].usage_metadata
    assert chunks[-1].usage_metadata.prompt_token_count
    counted = client.models.count_tokens(model="gemini-3-pro", contents=history)
    assert counted.total_tokens

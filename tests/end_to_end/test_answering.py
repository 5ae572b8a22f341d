"""An agent without any client for recall reads back what was elided: the vendors' SDKs against a served proxy.

The simulated model calls `recall` with the id that a placeholder names. The agent sees one ordinary answer, and the
strict provider accepts whatever the agent makes of it on the next turn.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import anthropic
import httpx
import openai
import pytest

from proxy.answering.rounds import NOTE
from proxy.dialects.canonical import unmarked
from proxy.profiles import load_profiles
from proxy.simulator.brains import Answer, SeenRequest, ToolCall
from proxy.simulator.faults import Delays, Fault
from proxy.simulator.records import Record
from tests.end_to_end.running import Holdfast, Stage, done, holdfast, wait_until
from tests.end_to_end.test_sdks import KEY, anthropic_client, openai_client

PROFILES = load_profiles()
FACT = "the code is 4711"
PLACEHOLDER = re.compile(r"hf-[a-z2-7]{16}")
LISTING = "\n".join([*(f"file {number} of many, with some words" for number in range(200)), FACT, "the end"])
OTHER = "\n".join(f"another file {number}, with other words" for number in range(200))
QUESTION = "what was the code?"
SAID = (LISTING, OTHER, QUESTION, "thanks")
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}}
TURNS = 5
"""Of the agent; one of them takes the provider two."""


class Seen(NamedTuple):
    """What the agent saw: of the answer to its question the text, and its usage; the calls of all answers."""

    text: str
    calls: list[str]
    input: int
    read: int
    output: int


Act = Callable[[str, bool], Seen]
"""Given a base URL, and whether to stream."""


def brain(seen: SeenRequest) -> Answer:
    """Looks two folders up, then waits; asked for what it no longer sees, it reads it back."""
    prompt = json.dumps(seen.body)
    if QUESTION in prompt and seen.last_text not in (QUESTION, "thanks"):
        return Answer(reasoning="There it is.", text=f"I looked it up: {seen.last_text}.")
    if seen.last_text == QUESTION:
        found = PLACEHOLDER.search(prompt)
        arguments = json.dumps({"id": found[0], "grep": "code"} if found else {"id": "hf-unknown"})
        return Answer(reasoning="That is gone.", text="Let me look.", calls=(ToolCall("recall", arguments),))
    if seen.last_text == "both":
        arguments = json.dumps({"id": found[0]} if (found := PLACEHOLDER.search(prompt)) else {})
        return Answer(calls=(ToolCall("recall", arguments), ToolCall("ls", '{"path": "/b"}')))
    if seen.last_text in (LISTING, "go"):
        return Answer(reasoning="Look first.", calls=(ToolCall("ls", '{"path": "/a"}'),))
    return Answer(reasoning="So.", text="Seen.")


# Anthropic Messages


def with_anthropic(model: str) -> Act:
    ask: dict[str, Any] = {
        "model": model,
        "max_tokens": 4000,
        "thinking": {"type": "adaptive"} if "5-5" in model else {"type": "enabled", "budget_tokens": 2000},
        "tools": [{"name": "ls", "description": "lists a folder", "input_schema": PARAMETERS}],
        "system": [{"type": "text", "text": "You list. " * 900, "cache_control": {"type": "ephemeral"}}],
    }

    def turn(client: anthropic.Anthropic, history: Sequence[Any], streamed: bool) -> Any:
        if not streamed:
            return client.messages.create(messages=list(history), **ask)
        with client.messages.stream(messages=list(history), **ask) as stream:
            return stream.get_final_message()

    def act(url: str, streamed: bool) -> Seen:
        history: list[Any] = [{"role": "user", "content": "go"}]
        calls: list[str] = []
        with anthropic_client(url) as client:
            for said in SAID:
                message = turn(client, history, streamed)
                called = [block for block in message.content if block.type == "tool_use"]
                calls += [block.name for block in called]
                results = [{"type": "tool_result", "tool_use_id": block.id, "content": said} for block in called]
                history += [
                    {"role": "assistant", "content": message.content},
                    {"role": "user", "content": results or said},
                ]
            turn(client, history, streamed)
        assert message.stop_reason == "end_turn"
        text = "\n\n".join(block.text for block in message.content if block.type == "text")
        usage = message.usage
        whole = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        return Seen(text, calls, whole, usage.cache_read_input_tokens, usage.output_tokens)

    return act


# Chat Completions

CHAT: dict[str, Any] = {
    "model": "gpt-5.1",
    "tools": [{"type": "function", "function": {"name": "ls", "parameters": PARAMETERS}}],
}


def chat_turn(client: openai.OpenAI, history: Sequence[Any], streamed: bool) -> Any:
    if not streamed:
        return client.chat.completions.create(messages=list(history), **CHAT)
    options: Any = {"stream_options": {"include_usage": True}}
    with client.chat.completions.stream(messages=list(history), **options, **CHAT) as stream:
        return stream.get_final_completion()


def with_chat(url: str, streamed: bool) -> Seen:
    history: list[Any] = [{"role": "system", "content": "You list. " * 900}, {"role": "user", "content": "go"}]
    calls: list[str] = []
    with openai_client(url) as client:
        for said in SAID:
            completion = chat_turn(client, history, streamed)
            message = completion.choices[0].message
            history.append(message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
            called = message.tool_calls or ()
            calls += [call.function.name for call in called]
            history += [{"role": "tool", "tool_call_id": call.id, "content": said} for call in called]
            history += [] if called else [{"role": "user", "content": said}]
        chat_turn(client, history, streamed)
    assert (message.role, completion.choices[0].finish_reason) == ("assistant", "stop")
    usage = completion.usage
    read = usage.prompt_tokens_details.cached_tokens
    return Seen(message.content, calls, usage.prompt_tokens, read, usage.completion_tokens)


# Responses

RESPONSES: dict[str, Any] = {
    "instructions": "You list. " * 900,
    "tools": [{"type": "function", "name": "ls", "parameters": PARAMETERS, "strict": False}],
    "store": False,
    "include": ["reasoning.encrypted_content"],
}


def response_turn(client: openai.OpenAI, model: str, history: Sequence[Any], streamed: bool) -> Any:
    if not streamed:
        return client.responses.create(model=model, input=list(history), **RESPONSES)
    with client.responses.stream(model=model, input=list(history), **RESPONSES) as stream:
        return stream.get_final_response()


def with_responses(model: str, url: str, streamed: bool) -> Seen:
    history: list[Any] = [{"role": "user", "content": "go"}]
    calls: list[str] = []
    with openai_client(url) as client:
        for said in SAID:
            response = response_turn(client, model, history, streamed)
            history += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
            called = [item for item in response.output if item.type == "function_call"]
            calls += [item.name for item in called]
            history += [{"type": "function_call_output", "call_id": one.call_id, "output": said} for one in called]
            history += [] if called else [{"role": "user", "content": said}]
            for item in history:
                for part in item["content"] if isinstance(item.get("content"), list) else ():
                    part.pop("parsed", None)
        response_turn(client, model, history, streamed)
    texts = [part.text for item in response.output if item.type == "message" for part in item.content]
    usage = response.usage
    read = usage.input_tokens_details.cached_tokens
    return Seen("\n\n".join(texts), calls, usage.input_tokens, read, usage.output_tokens)


ACTS: dict[str, Act] = {
    "messages": with_anthropic("claude-sonnet-4-6"),
    "chat": with_chat,
    "responses": partial(with_responses, "gpt-5.1"),
}
BOUND: dict[str, Act] = {
    "messages": with_anthropic("claude-opus-5-5"),
    "responses": partial(with_responses, "gpt-6.2-sol"),
}
"""Models that refuse, or drop, reasoning that stands behind another history than it was made from."""


@pytest.fixture(scope="module")
def proxy(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """With a policy that masks whenever it may."""
    folder = tmp_path_factory.mktemp("holdfast")
    policy = folder / "recalling.yaml"
    policy.write_text("name: recalling\nmask: {when: always, keep_newest: 1}\nrecall: {inject: true}\n")
    with holdfast(folder, staged.urls, "--policy", str(policy)) as running:
        yield running


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_an_agent_gets_one_answer_that_holds_what_was_elided(
    staged: Stage, proxy: Holdfast, act: Act, streamed: bool
) -> None:
    log = staged.simulate(brain, PROFILES)
    before = proxy.numbers()
    seen = act(proxy.url, streamed)
    assert re.fullmatch(rf"Let me look\.\n\nI looked it up: \d+: {FACT}\.", seen.text)
    assert seen.calls == ["ls", "ls"]
    records = done(log, TURNS + 1)
    assert [record.error for record in records] == [None] * (TURNS + 1)
    assert_usage_adds_up(seen, records[3:5])
    assert_only_appended([record.body for record in records])
    after = proxy.numbers()
    assert after.total("holdfast_recalls_total", via="tool") - before.total("holdfast_recalls_total", via="tool") == 1
    outcome = {"outcome": "recalled"}
    assert after.total("holdfast_own_calls_total", **outcome) - before.total("holdfast_own_calls_total", **outcome) == 1


def assert_usage_adds_up(seen: Seen, records: Sequence[Record]) -> None:
    bills = [record.usage for record in records]
    asked, told = bills
    assert asked and told
    assert seen.input == asked.input.total + told.input.total
    assert seen.read == asked.input.read + told.input.read
    assert seen.output == asked.output + told.output
    assert told.input.read >= asked.input.read > 0  # it goes on from what is cached


def assert_only_appended(bodies: Sequence[bytes]) -> None:
    """The tools are the same on every turn; the further request has all of its turn's, the next turn too."""
    requests = [json.loads(body) for body in bodies]
    assert all(request["tools"] == requests[0]["tools"] for request in requests)
    assert json.dumps(requests[0]["tools"][-1]).count('"recall"') == 1
    key = "input" if "input" in requests[0] else "messages"
    asked, further, after = ([unmarked(message) for message in request[key]] for request in requests[3:])
    assert further[: len(asked)] == asked == after[: len(asked)]
    assert FACT in json.dumps(further) and FACT in json.dumps(after[len(asked) :])


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("act", BOUND.values(), ids=BOUND)
def test_reasoning_bound_to_its_prefix_is_accepted_on_the_next_turn(
    staged: Stage, proxy: Holdfast, act: Act, streamed: bool
) -> None:
    log = staged.simulate(brain, PROFILES)
    seen = act(proxy.url, streamed)
    assert seen.text.startswith("Let me look.\n\nI looked it up: ") and seen.calls == ["ls", "ls"]
    assert [(record.error, len(record.reports)) for record in done(log, TURNS + 1)] == [(None, 0)] * (TURNS + 1)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
def test_what_was_asked_for_beside_the_agents_own_call_comes_with_its_result(
    staged: Stage, proxy: Holdfast, streamed: bool
) -> None:
    log = staged.simulate(brain, PROFILES)
    history: list[Any] = [{"role": "system", "content": "You list. " * 900}, {"role": "user", "content": "go"}]
    calls: list[str] = []
    with openai_client(proxy.url) as client:
        for said in (LISTING, OTHER, "both", "a third", "more"):
            message = chat_turn(client, history, streamed).choices[0].message
            called = message.tool_calls or ()
            calls += [call.function.name for call in called]
            history.append(message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
            history += [{"role": "tool", "tool_call_id": call.id, "content": said} for call in called]
            history += [] if called else [{"role": "user", "content": said}]
    records = done(log, 5)
    assert calls == ["ls", "ls", "ls"] and [record.error for record in records] == [None] * 5
    told = json.loads(records[4].body)["messages"][-1]
    assert told["role"] == "tool" and told["content"].startswith("a third\n\n") and FACT in told["content"]


# What may go wrong

ASK: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "stream": True,
    "tools": [{"name": "ls", "input_schema": PARAMETERS}],
}
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}


def looking(seen: SeenRequest) -> Answer:
    if "tool_result" in json.dumps(seen.body):
        return Answer(text="It is gone. " * 40)
    return Answer(text="Let me look. " * 5, calls=(ToolCall("recall", '{"id": "hf-gone"}'),))


def body(name: str) -> dict[str, Any]:
    return {**ASK, "messages": [{"role": "user", "content": name}]}


def test_what_comes_before_a_call_arrives_while_the_provider_is_still_at_it(staged: Stage, proxy: Holdfast) -> None:
    log = staged.simulate(looking, PROFILES, delays=Delays(chunk=0.02))
    with httpx.stream("POST", f"{proxy.url}/v1/messages", json=body("early"), headers=HEADERS) as answer:
        early = [record.done for text in answer.iter_text() if "Let me" in text for record in log]
    assert early[0] is False and len(done(log, 2)) == 2


def test_an_agent_that_leaves_ends_the_further_request(staged: Stage, proxy: Holdfast) -> None:
    log = staged.simulate(looking, PROFILES, delays=Delays(chunk=0.02))
    with httpx.stream("POST", f"{proxy.url}/v1/messages", json=body("leaving"), headers=HEADERS) as answer:
        for text in answer.iter_text():
            if "gone" in text:
                break
    wait_until(lambda: len(log) == 2 and log[1].done)
    assert log[1].left == "during"


def test_a_refused_further_request_leaves_a_regular_end(staged: Stage, proxy: Holdfast) -> None:
    log = staged.simulate(looking, PROFILES, faults=lambda number: Fault(status=529) if number else None)
    refused = {"outcome": "refused"}
    before = proxy.numbers().total("holdfast_own_calls_total", **refused)
    answer = httpx.post(f"{proxy.url}/v1/messages", json={**body("refused"), "stream": False}, headers=HEADERS).json()
    assert [block["text"] for block in answer["content"]] == ["Let me look. " * 5, NOTE]
    assert answer["stop_reason"] == "end_turn" and len(done(log, 2)) == 2
    assert proxy.numbers().total("holdfast_own_calls_total", **refused) == before + 1

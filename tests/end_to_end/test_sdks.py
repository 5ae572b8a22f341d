"""The vendors' own SDKs parse the same objects through Holdfast as direct, and the provider gets the same bytes.

Each act runs twice against a provider that knows nothing yet and whose clock stands still: ids and
times are then equal too, so nothing has to be normalised.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxy.profiles import load_profiles
from proxy.simulator.brains import Answer, ToolCall, script
from proxy.simulator.records import Record
from tests.end_to_end.running import UNSHAPED, Holdfast, Stage, done, holdfast

PROFILES = load_profiles()
KEY = "a-key-of-the-test"
QUESTION = "what is there?"
TURNS = (
    Answer(
        reasoning="I should look into both folders first.",
        text="Looking, with ä and ☃.",
        calls=(ToolCall("ls", '{"path": "/a b"}'), ToolCall("ls", '{"path": "\\u2603"}')),
    ),
    Answer(reasoning="That is all.", text="Two files: ä and ☃. " * 20),
)
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}}
RESULTS = ("x\ny\n" * 40, "\u001b[31mno such folder\u001b[0m")

Act = Callable[[str], list[Any]]
"""Given a base URL: what the SDK made of the answers, as plain data."""


@contextmanager
def anthropic_client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, timeout=20) as client:
        yield client


@contextmanager
def openai_client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, timeout=20) as client:
        yield client


@contextmanager
def google_client(url: str) -> Iterator[genai.Client]:
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, timeout=20_000))
    try:
        yield client
    finally:
        client.close()


def plain(value: BaseModel) -> dict[str, Any]:
    """As sent by the provider; what the SDK adds of its own (raw headers) is none of it."""
    return value.model_dump(mode="json", exclude={"sdk_http_response"}, warnings=False)


# Anthropic Messages

ANTHROPIC_TOOLS: list[Any] = [{"name": "ls", "description": "lists a folder", "input_schema": PARAMETERS}]
THINKING: dict[str, Mapping[str, Any]] = {
    "claude-sonnet-4-6": {"type": "enabled", "budget_tokens": 2000},
    "claude-opus-5-5": {"type": "adaptive"},
}


def anthropic_loop(model: str, streamed: bool, url: str) -> list[Any]:
    ask: dict[str, Any] = {
        "model": model,
        "max_tokens": 4000,
        "thinking": THINKING[model],
        "tools": ANTHROPIC_TOOLS,
        "system": [{"type": "text", "text": "You list. " * 900, "cache_control": {"type": "ephemeral"}}],
    }
    seen: list[Any] = []
    with anthropic_client(url) as client:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        for _ in TURNS:
            message = _anthropic_turn(client, history, ask, streamed, seen)
            calls = [block for block in message.content if block.type == "tool_use"]
            history.append({"role": "assistant", "content": message.content})
            results = [_anthropic_result(call.id, text) for call, text in zip(calls, RESULTS, strict=False)]
            history.append({"role": "user", "content": results})
    return seen


def _anthropic_result(call: str, text: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": text, "cache_control": {"type": "ephemeral"}}


def _anthropic_turn(
    client: anthropic.Anthropic, history: list[Any], ask: dict[str, Any], streamed: bool, seen: list[Any]
) -> anthropic.types.Message:
    message: anthropic.types.Message
    if not streamed:
        message = client.messages.create(messages=history, **ask)
    else:
        with client.messages.stream(messages=history, **ask) as stream:
            seen += [plain(event) for event in stream]
            message = stream.get_final_message()
    seen.append(plain(message))
    return message


def anthropic_count(url: str) -> list[Any]:
    with anthropic_client(url) as client:
        counted = client.messages.count_tokens(
            model="claude-sonnet-4-6", messages=[{"role": "user", "content": QUESTION}], tools=ANTHROPIC_TOOLS
        )
    return [plain(counted)]


def anthropic_error(streamed: bool, url: str) -> list[Any]:
    unpaired: list[Any] = [{"role": "user", "content": [_anthropic_result("toolu_unknown", "x")]}]
    with anthropic_client(url) as client, pytest.raises(anthropic.BadRequestError) as caught:
        made: Any = client.messages.create(model="claude-sonnet-4-6", max_tokens=5, messages=unpaired, stream=streamed)
        list(made)
    return [str(caught.value), caught.value.status_code, caught.value.body]


# OpenAI Chat

CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": "ls", "parameters": PARAMETERS}}]


def chat_loop(streamed: bool, url: str) -> list[Any]:
    seen: list[Any] = []
    with openai_client(url) as client:
        history: list[Any] = [{"role": "system", "content": "You list."}, {"role": "user", "content": QUESTION}]
        for _ in TURNS:
            message = _chat_turn(client, history, streamed, seen)
            history.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
            for call, result in zip(message.tool_calls or (), RESULTS, strict=False):
                history.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return seen


def _chat_turn(
    client: openai.OpenAI, history: list[Any], streamed: bool, seen: list[Any]
) -> openai.types.chat.ChatCompletionMessage:
    ask: dict[str, Any] = {"model": "gpt-5.1", "messages": history, "tools": CHAT_TOOLS}
    if not streamed:
        answer = client.chat.completions.create(**ask)
    else:
        with client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as stream:
            seen += [plain(event) for event in stream]
            answer = stream.get_final_completion()
    seen.append(plain(answer))
    message: openai.types.chat.ChatCompletionMessage = answer.choices[0].message
    return message


def chat_error(streamed: bool, url: str) -> list[Any]:
    unpaired: list[Any] = [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    with openai_client(url) as client, pytest.raises(openai.BadRequestError) as caught:
        made: Any = client.chat.completions.create(model="gpt-5.1", messages=unpaired, stream=streamed)
        list(made)
    return [str(caught.value), caught.value.code, caught.value.param, caught.value.type, caught.value.body]


# OpenAI Responses

RESPONSES_TOOLS: list[Any] = [{"type": "function", "name": "ls", "parameters": PARAMETERS, "strict": False}]


def responses_loop(model: str, streamed: bool, url: str) -> list[Any]:
    ask: dict[str, Any] = {
        "model": model,
        "instructions": "You list.",
        "tools": RESPONSES_TOOLS,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"summary": "auto"},
    }
    seen: list[Any] = []
    with openai_client(url) as client:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        for _ in TURNS:
            answer = _responses_turn(client, history, ask, streamed, seen)
            history += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
            calls = [item for item in answer.output if item.type == "function_call"]
            for call, result in zip(calls, RESULTS, strict=False):
                history.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
    return seen


def _responses_turn(
    client: openai.OpenAI, history: list[Any], ask: dict[str, Any], streamed: bool, seen: list[Any]
) -> openai.types.responses.Response:
    if not streamed:
        answer: openai.types.responses.Response = client.responses.create(input=history, **ask)
    else:
        with client.responses.stream(input=history, **ask) as stream:
            seen += [plain(event) for event in stream]
            answer = stream.get_final_response()
    seen.append(plain(answer))
    return answer


def responses_stored(url: str) -> list[Any]:
    with openai_client(url) as client:
        first = client.responses.create(model="gpt-5.1", input=QUESTION, tools=RESPONSES_TOOLS)
        calls = [item for item in first.output if item.type == "function_call"]
        outputs: list[Any] = [
            {"type": "function_call_output", "call_id": call.call_id, "output": result}
            for call, result in zip(calls, RESULTS, strict=True)
        ]
        last = client.responses.create(model="gpt-5.1", previous_response_id=first.id, input=outputs)
        counted = client.responses.input_tokens.count(model="gpt-5.1", input=QUESTION)
    return [plain(first), plain(last), plain(counted)]


def responses_error(streamed: bool, url: str) -> list[Any]:
    unpaired: list[Any] = [{"type": "function_call_output", "call_id": "call_unknown", "output": "x"}]
    with openai_client(url) as client, pytest.raises(openai.BadRequestError) as caught:
        made: Any = client.responses.create(model="gpt-5.1", input=unpaired, stream=streamed)
        list(made)
    return [str(caught.value), caught.value.code, caught.value.param, caught.value.type, caught.value.body]


# Gemini


def gemini_loop(model: str, streamed: bool, url: str) -> list[Any]:
    declared = types.FunctionDeclaration(name="ls", parameters_json_schema=PARAMETERS)
    config = types.GenerateContentConfig(
        system_instruction="You list.",
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        thinking_config=types.ThinkingConfig(include_thoughts=True),
    )
    seen: list[Any] = []
    with google_client(url) as client:
        history: list[Any] = [types.Content(role="user", parts=[types.Part(text=QUESTION)])]
        for _ in TURNS:
            parts = _gemini_turn(client, model, history, config, streamed, seen)
            history.append(types.Content(role="model", parts=parts))
            calls = [part.function_call for part in parts if part.function_call]
            answers = [
                types.Part.from_function_response(name=str(call.name), response={"output": result})
                for call, result in zip(calls, RESULTS, strict=False)
            ]
            history.append(types.Content(role="user", parts=answers))
    return seen


def _gemini_turn(
    client: genai.Client,
    model: str,
    history: list[Any],
    config: types.GenerateContentConfig,
    streamed: bool,
    seen: list[Any],
) -> list[types.Part]:
    if streamed:
        answers = list(client.models.generate_content_stream(model=model, contents=history, config=config))
    else:
        answers = [client.models.generate_content(model=model, contents=history, config=config)]
    seen += [plain(answer) for answer in answers]
    return [
        part
        for answer in answers
        for candidate in answer.candidates or ()
        for part in (candidate.content.parts if candidate.content else None) or ()
    ]


def gemini_count(url: str) -> list[Any]:
    with google_client(url) as client:
        return [plain(client.models.count_tokens(model="gemini-2.5-pro", contents=QUESTION))]


def gemini_error(streamed: bool, url: str) -> list[Any]:
    answer = types.Part.from_function_response(name="ls", response={"output": "x"})
    unpaired: list[Any] = [types.Content(role="user", parts=[answer])]
    with google_client(url) as client, pytest.raises(genai_errors.ClientError) as caught:
        if streamed:
            list(client.models.generate_content_stream(model="gemini-2.5-pro", contents=unpaired))
        else:
            client.models.generate_content(model="gemini-2.5-pro", contents=unpaired)
    return [str(caught.value), caught.value.code, caught.value.status, caught.value.message]


ACTS: dict[str, tuple[str, Act]] = {
    "anthropic count": ("anthropic", anthropic_count),
    "responses stored": ("openai", responses_stored),
    "gemini count": ("gemini", gemini_count),
}
for how, streamed in (("plain", False), ("streamed", True)):
    ACTS |= {
        f"anthropic {how}": ("anthropic", partial(anthropic_loop, "claude-sonnet-4-6", streamed)),
        f"anthropic bound thinking {how}": ("anthropic", partial(anthropic_loop, "claude-opus-5-5", streamed)),
        f"anthropic error {how}": ("anthropic", partial(anthropic_error, streamed)),
        f"chat {how}": ("openai", partial(chat_loop, streamed)),
        f"chat error {how}": ("openai", partial(chat_error, streamed)),
        f"responses {how}": ("openai", partial(responses_loop, "gpt-5.1", streamed)),
        f"responses bound reasoning {how}": ("openai", partial(responses_loop, "gpt-6.2-sol", streamed)),
        f"responses error {how}": ("openai", partial(responses_error, streamed)),
        f"gemini {how}": ("gemini", partial(gemini_loop, "gemini-2.5-pro", streamed)),
        f"gemini signed thoughts {how}": ("gemini", partial(gemini_loop, "gemini-3-pro-preview", streamed)),
        f"gemini error {how}": ("gemini", partial(gemini_error, streamed)),
    }


@pytest.fixture(scope="module")
def proxy(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """With the default policy, less what it adds and shapes: both change what is sent, and the usage in the answer."""
    folder = tmp_path_factory.mktemp("holdfast")
    policy = folder / "as-sent.yaml"
    policy.write_text(f"name: as-sent\nbreakpoints: {{auto: false}}\n{UNSHAPED}", encoding="utf-8")
    with holdfast(folder, staged.urls, "--policy", str(policy)) as running:
        yield running


@pytest.mark.parametrize("upstream, act", ACTS.values(), ids=ACTS)
def test_an_sdk_gets_the_same_objects_as_direct(staged: Stage, proxy: Holdfast, upstream: str, act: Act) -> None:
    direct_log = staged.simulate(script(TURNS), PROFILES)
    direct = act(staged.urls[upstream])
    assert direct
    log = staged.simulate(script(TURNS), PROFILES)
    staged.ports.clear()
    assert act(proxy.url) == direct
    assert [wire(record) for record in done(log, len(direct_log))] == [wire(record) for record in direct_log]
    assert set(staged.names()) == {upstream}


@pytest.mark.parametrize("name", ["anthropic streamed", "chat streamed", "responses plain", "gemini plain"])
def test_the_act_holds_what_it_is_meant_to_compare(staged: Stage, name: str) -> None:
    log = staged.simulate(script(TURNS), PROFILES)
    upstream, act = ACTS[name]
    seen = str(act(staged.urls[upstream]))
    assert [record.status for record in done(log, 2)] == [200, 200]
    assert "/a b" in seen
    assert TURNS[1].text[:10] in seen
    assert "look into both folders" in seen or "chat" in name


def wire(record: Record) -> tuple[object, ...]:
    """A request as the provider received it, less what belongs to the connection."""
    headers = [(name, value) for name, value in record.headers if name.lower() not in ("host", "connection")]
    return record.method, record.path, record.query, headers, record.body, record.status, record.usage


def test_a_turn_says_where_it_stands(staged: Stage, proxy: Holdfast) -> None:
    staged.simulate(script(TURNS), PROFILES)
    with openai_client(proxy.url) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-5.1",
            messages=[{"role": "user", "content": "where do I stand?"}],
            extra_headers={"x-holdfast-session": "mine"},
        )
    assert raw.headers["x-holdfast-session"] == "mine"
    assert raw.headers["x-holdfast-turn"] == "1"
    assert raw.headers["x-holdfast-plan"] == "applied=none; removed=0; prefix=first"
    assert "x-holdfast-passthrough" not in raw.headers


MODELS = {
    "openai": {"object": "list", "data": [{"id": "gpt-5.1", "object": "model", "created": 1, "owned_by": "x"}]},
    "anthropic": {
        "data": [{"id": "claude-sonnet-4-6", "type": "model", "display_name": "S", "created_at": "2026-01-01T00:00Z"}],
        "has_more": False, "first_id": "claude-sonnet-4-6", "last_id": "claude-sonnet-4-6",
    },
    "gemini": {"models": [{"name": "models/gemini-2.5-pro", "displayName": "P", "inputTokenLimit": 5}]},
}  # fmt: skip


def lists_models(name: str, url: str) -> list[Any]:
    match name:
        case "openai":
            with openai_client(url) as client:
                return [plain(model) for model in client.models.list()]
        case "anthropic":
            with anthropic_client(url) as claude:
                return [plain(model) for model in claude.models.list(limit=7)]
        case _:
            with google_client(url) as google:
                return [plain(model) for model in google.models.list(config={"query_base": True})]


@pytest.mark.parametrize("name", MODELS)
def test_models_are_listed_by_the_provider_that_the_sdk_means(staged: Stage, proxy: Holdfast, name: str) -> None:
    asked: list[str] = []

    async def listing(request: Request) -> Response:
        asked.append(f"{request.url.path}?{request.url.query}")
        return JSONResponse(MODELS[name])

    staged.app = Starlette(routes=[Route("/{rest:path}", listing)])
    direct = lists_models(name, staged.urls[name])
    assert len(direct) == 1
    staged.ports.clear()
    assert lists_models(name, proxy.url) == direct
    assert staged.names() == [name]
    assert asked[1:] == asked[:1]


def test_an_unknown_path_gets_the_providers_own_refusal(staged: Stage, proxy: Holdfast) -> None:
    outcomes = []
    for url in (staged.urls["openai"], proxy.url):
        staged.simulate(script(TURNS), PROFILES)
        with openai_client(url) as client, pytest.raises(openai.NotFoundError) as caught:
            client.post("/vector_stores/new_things", body={"x": 1}, cast_to=object)
        outcomes.append((str(caught.value), caught.value.body))
    assert outcomes[0] == outcomes[1]

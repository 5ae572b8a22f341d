"""What `tool_choice` allows is all that is called, and it may name only what is listed."""

from typing import Any

import pytest

from proxy.simulator.brains import Answer, ToolCall, script
from tests.proxy.simulator.provider import Provider

EAGER = script((Answer(calls=(ToolCall("read"), ToolCall("write"))),))
"""A model that wants to call both of its tools."""

NONE: list[str] = []
BOTH = ["read", "write"]

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
GEMINI = "/v1beta/models/gemini-x:generateContent"


def _chat(choice: Any) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in BOTH]
    return {
        "model": "gpt-5.6",
        "messages": [{"role": "user", "content": "go"}],
        "tools": tools,
        **({"tool_choice": choice} if choice else {}),
    }


def _responses(choice: Any) -> dict[str, Any]:
    tools = [{"type": "function", "name": name, "parameters": {}} for name in BOTH]
    return {"model": "gpt-5.6", "input": "go", "tools": tools, **({"tool_choice": choice} if choice else {})}


def _messages(choice: Any) -> dict[str, Any]:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in BOTH]
    messages = [{"role": "user", "content": "go"}]
    body = {"model": "claude-x", "max_tokens": 100, "messages": messages, "tools": tools}
    return {**body, **({"tool_choice": choice} if choice else {})}


def _gemini(choice: Any) -> dict[str, Any]:
    tools = [{"functionDeclarations": [{"name": name} for name in BOTH]}]
    body = {"contents": [{"role": "user", "parts": [{"text": "go"}]}], "tools": tools}
    return {**body, **({"toolConfig": {"functionCallingConfig": choice}} if choice else {})}


def _called(path: str, answer: dict[str, Any]) -> list[str]:
    match path:
        case "/v1/chat/completions":
            return [call["function"]["name"] for call in answer["choices"][0]["message"].get("tool_calls") or []]
        case "/v1/responses":
            return [item["name"] for item in answer["output"] if item["type"] == "function_call"]
        case "/v1/messages":
            return [block["name"] for block in answer["content"] if block["type"] == "tool_use"]
        case _:
            parts = answer["candidates"][0]["content"]["parts"]
            return [part["functionCall"]["name"] for part in parts if "functionCall" in part]


READ = {"type": "function", "function": {"name": "read"}}
WRITE = {"type": "function", "name": "write"}
CASES: list[tuple[str, Any, list[str]]] = [
    (CHAT, None, BOTH),
    (CHAT, "auto", BOTH),
    (CHAT, "none", NONE),
    (CHAT, READ, ["read"]),
    (CHAT, {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [READ]}}, ["read"]),
    (RESPONSES, "required", BOTH),
    (RESPONSES, "none", NONE),
    (RESPONSES, {"type": "allowed_tools", "mode": "required", "tools": [WRITE]}, ["write"]),
    (MESSAGES, None, BOTH),
    (MESSAGES, {"type": "any"}, BOTH),
    (MESSAGES, {"type": "none"}, NONE),
    (MESSAGES, {"type": "tool", "name": "write"}, ["write"]),
    (GEMINI, None, BOTH),
    (GEMINI, {"mode": "AUTO"}, BOTH),
    (GEMINI, {"mode": "NONE"}, NONE),
    (GEMINI, {"mode": "ANY", "allowedFunctionNames": ["read"]}, ["read"]),
]  # fmt: skip

MAKE = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages, GEMINI: _gemini}


@pytest.mark.parametrize(("path", "choice", "called"), CASES)
def test_no_answer_calls_what_is_not_allowed(path: str, choice: Any, called: list[str]) -> None:
    assert _called(path, Provider(EAGER).answer(path, MAKE[path](choice))) == called


@pytest.mark.parametrize(
    ("path", "choice"),
    [
        (CHAT, "sometimes"),
        (CHAT, {"type": "function", "function": {"name": "erase"}}),
        (CHAT, {"type": "allowed_tools", "mode": "auto", "tools": [READ]}),
        (RESPONSES, {"type": "function", "name": "erase"}),
        (RESPONSES, {"type": "allowed_tools", "mode": "none", "tools": []}),
        (RESPONSES, {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "erase"}]}),
        (MESSAGES, {"type": "tool", "name": "erase"}),
        (GEMINI, {"mode": "AUTO", "allowedFunctionNames": ["read"]}),
    ],
)
def test_a_choice_of_what_is_not_there_is_refused(path: str, choice: Any) -> None:
    assert Provider(EAGER).post(path, MAKE[path](choice)).status_code == 400

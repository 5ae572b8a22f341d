"""Agents built with Python libraries; the programs are in `agents/`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from proxy.simulator.brains import Answer, SeenRequest
from tests.clients.client import KEY, Client, Place, called
from tests.clients.pip import binary, version_of
from tests.clients.task import FINAL, TASK, Edit, Read, Shell, Step
from tests.end_to_end.running import ROOT

ENVIRONMENT = "libraries"
PYTHON = binary(ENVIRONMENT)
GPT, SOL, CLAUDE = "gpt-5.1", "gpt-5.6-sol", "claude-sonnet-4-5"


def _words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return called("read", path=name)
        case Shell(command):
            return called("shell", command=command)
        case Edit(name, old, new):
            return called("edit", path=name, old=old, new=new)


def _environ(place: Place) -> Mapping[str, str]:
    """Each library takes its base URL and its key from here."""
    return {
        "PYTHONPATH": str(ROOT),
        "OPENAI_BASE_URL": f"{place.url}/v1",
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_API_KEY": KEY,
        "GOOGLE_GEMINI_BASE_URL": place.url,
        "GOOGLE_API_KEY": KEY,
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }


def _client(name: str, package: str, program: str, *arguments: str) -> Client:
    """The last of the arguments is the model, maybe behind a prefix of the library's own."""
    # -P: a file of the workspace must not stand in for a module of the same name
    run = (str(PYTHON), "-P", "-m", f"tests.clients.agents.{program}", *arguments, TASK)
    return Client(
        name=name,
        needs=PYTHON,
        version=version_of(ENVIRONMENT, package),
        model=arguments[-1].rpartition(":")[2],
        words=_words,
        command=lambda place: run,
        environ=_environ,
    )


def _with_the_provider(client: Client) -> Client:
    """The history is the provider's: a request holds what is new, and after the first maybe no tools."""
    return replace(client, main=lambda body: True, observations=False)


# CodeAgent has no tools on the wire: it writes Python, and what that prints comes back as text.

PLAN = "## 1. Facts survey\nThere is a file settings.py.\n## 2. Plan\n1. Read on.\n2. Change it.\n<end_plan>"


def _code(call: str) -> Answer:
    return Answer(text=f"Thought: the next step.\n<code>\n{call}\n</code>")


def _code_words(step: Step, place: Place) -> Answer:
    match step:
        case Read(name):
            return _code(f"print(read({name!r}))")
        case Shell(command):
            return _code(f"print(shell({command!r}))")
        case Edit(name, old, new):
            return _code(f"print(edit({name!r}, {old!r}, {new!r}))")


def _writes_code(body: Mapping[str, Any]) -> bool:
    """Plans are asked for with another system prompt, or none."""
    return "<code>" in str(body["messages"][0])


def _code_steps(seen: SeenRequest) -> int:
    return sum(each["role"] == "assistant" and "<code>" in str(each) for each in seen.body["messages"])


CLIENTS = (
    _client("OpenAI Agents SDK", "openai-agents", "openai_sdk_agent", "http", GPT),
    _with_the_provider(
        _client("OpenAI Agents SDK, previous_response_id", "openai-agents", "openai_sdk_agent", "previous", GPT)
    ),
    _client("OpenAI Agents SDK, WebSocket", "openai-agents", "openai_sdk_agent", "websocket", GPT),
    _client("langgraph, OpenAI", "langchain-openai", "langgraph_agent", "openai", GPT),
    _client("langgraph, Anthropic", "langchain-anthropic", "langgraph_agent", "anthropic", CLAUDE),
    _client("langgraph, Anthropic cached", "langchain-anthropic", "langgraph_agent", "anthropic-cached", CLAUDE),
    _client("Pydantic AI, Chat", "pydantic-ai-slim", "pydantic_agent", "plain", f"openai-chat:{GPT}"),
    _client("Pydantic AI, Responses", "pydantic-ai-slim", "pydantic_agent", "plain", f"openai-responses:{GPT}"),
    _client("Pydantic AI, Responses cached", "pydantic-ai-slim", "pydantic_agent", "cached", f"openai-responses:{SOL}"),
    _with_the_provider(
        _client("Pydantic AI, WebSocket", "pydantic-ai-slim", "pydantic_agent", "websocket", f"openai-responses:{GPT}")
    ),
    _client("Pydantic AI, Anthropic", "pydantic-ai-slim", "pydantic_agent", "plain", f"anthropic:{CLAUDE}"),
    _client("Pydantic AI, Anthropic cached", "pydantic-ai-slim", "pydantic_agent", "cached", f"anthropic:{CLAUDE}"),
    _client("Pydantic AI, Google", "pydantic-ai-slim", "pydantic_agent", "plain", "google:gemini-2.5-pro"),
    replace(
        _client("smolagents, ToolCallingAgent", "smolagents", "smol_agent", "tools", GPT),
        final=called("final_answer", answer=FINAL),
    ),
    replace(
        _client("smolagents, CodeAgent", "smolagents", "smol_agent", "code", GPT),
        words=_code_words,
        main=_writes_code,
        turn=_code_steps,
        aside=lambda seen: Answer(text=PLAN),
        final=_code(f"final_answer({FINAL!r})"),
    ),
    _with_the_provider(_client("Anthropic SDK, tool_runner", "anthropic", "anthropic_runner", CLAUDE)),
)

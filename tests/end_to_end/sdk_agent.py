"""An agent made of the vendors' SDKs, as a program: what it saw is printed as JSON.

`python sdk_agent.py ANTHROPIC_URL OPENAI_URL`. Of a proxy and of whom to trust it knows by its environment alone.
It imports nothing of ours, so that any Python with the SDKs runs it.
"""

import json
import sys
from typing import Any

import anthropic
import openai

KEY, QUESTION, TURNS = "a-key-of-the-test", "what is there?", 2
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}}


def messages(url: str) -> list[Any]:
    """Anthropic's, streamed."""
    seen, history = [], [{"role": "user", "content": QUESTION}]
    ask: dict[str, Any] = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 4000,
        "tools": [{"name": "ls", "description": "lists a folder", "input_schema": PARAMETERS}],
    }
    with anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, timeout=60) as client:
        for _ in range(TURNS):
            said: list[Any] = history
            with client.messages.stream(messages=said, **ask) as stream:
                seen += [event.model_dump(mode="json") for event in stream]
                message = stream.get_final_message()
            content: Any = message.model_dump(mode="json", include={"content": True})["content"]
            calls = [block.id for block in message.content if block.type == "tool_use"]
            results: Any = [{"type": "tool_result", "tool_use_id": call, "content": "x\ny"} for call in calls]
            history += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    return seen


def chat(url: str, *, streamed: bool) -> list[Any]:
    """OpenAI's Chat."""
    seen: list[Any] = []
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    tools: list[Any] = [{"type": "function", "function": {"name": "ls", "parameters": PARAMETERS}}]
    with openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, timeout=60) as client:
        for _ in range(TURNS):
            made: openai.types.chat.ChatCompletion
            if streamed:
                with client.chat.completions.stream(model="gpt-4.1", messages=history, tools=tools) as stream:
                    seen += [event.model_dump(mode="json") for event in stream]
                    made = stream.get_final_completion()
            else:
                made = client.chat.completions.create(model="gpt-4.1", messages=history, tools=tools)
                seen.append(made.model_dump(mode="json"))
            message = made.choices[0].message
            history.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
            for call in message.tool_calls or ():
                history.append({"role": "tool", "tool_call_id": call.id, "content": "x\ny"})
    return seen


if __name__ == "__main__":
    print(json.dumps([messages(sys.argv[1]), chat(sys.argv[2], streamed=True), chat(sys.argv[2], streamed=False)]))

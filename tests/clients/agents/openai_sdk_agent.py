"""OpenAI's Agents SDK: over HTTP, over a WebSocket, or with the history left to the provider (`previous`).

openai_sdk_agent http|websocket|previous MODEL TASK
"""

import sys

from agents import Agent, Runner, function_tool, set_default_openai_responses_transport

from tests.clients.agents.workspace import SYSTEM, edit, read, shell


def main(mode: str, model: str, task: str) -> None:
    if mode == "websocket":
        set_default_openai_responses_transport("websocket")
    agent = Agent(
        "engineer", instructions=SYSTEM, model=model, tools=[function_tool(tool) for tool in (read, shell, edit)]
    )
    result = Runner.run_sync(agent, task, max_turns=60, auto_previous_response_id=mode == "previous")
    print(result.final_output)


main(*sys.argv[1:])

"""OpenAI's Agents SDK. MODE `full` sends the history each time, `previous` leaves it to the provider.

openai_sdk_agent MODE MODEL TASK
"""

import sys

from agents import Agent, Runner, function_tool

from tests.clients.agents.workspace import SYSTEM, edit, read, shell


def main(mode: str, model: str, task: str) -> None:
    tools = [function_tool(tool) for tool in (read, shell, edit)]
    agent = Agent(name="engineer", instructions=SYSTEM, model=model, tools=tools)
    result = Runner.run_sync(agent, task, max_turns=60, auto_previous_response_id=mode == "previous")
    print(result.final_output)


main(*sys.argv[1:])

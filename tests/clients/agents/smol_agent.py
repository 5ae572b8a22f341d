"""smolagents. KIND `tools` calls tools, `code` writes Python and plans anew after every third step.

smol_agent KIND MODEL TASK
"""

import sys

from smolagents import CodeAgent, OpenAIModel, ToolCallingAgent, tool

from tests.clients.agents.workspace import SYSTEM, edit, read, shell


def main(kind: str, model: str, task: str) -> None:
    chat, tools = OpenAIModel(model), [tool(read), tool(shell), tool(edit)]
    if kind == "tools":
        agent = ToolCallingAgent(tools, chat, instructions=SYSTEM)
    else:
        agent = CodeAgent(tools, chat, instructions=SYSTEM, planning_interval=3)
    print(agent.run(task, max_steps=60))


main(*sys.argv[1:])

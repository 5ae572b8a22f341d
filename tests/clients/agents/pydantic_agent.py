"""Pydantic AI; the prefix of MODEL (`openai-chat:` and so on) picks the API.

pydantic_agent MODEL TASK
"""

import sys

from pydantic_ai import Agent

from tests.clients.agents.workspace import SYSTEM, edit, read, shell


def main(model: str, task: str) -> None:
    print(Agent(model, instructions=SYSTEM, tools=[read, shell, edit]).run_sync(task).output)


main(*sys.argv[1:])

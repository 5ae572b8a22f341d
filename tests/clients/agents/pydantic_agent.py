"""Pydantic AI; the prefix of MODEL (`openai-chat:` and so on) picks the API. `cached` asks it to use the prompt cache.

pydantic_agent plain|cached|websocket MODEL TASK
"""

import sys

from pydantic_ai import Agent

from tests.clients.agents.workspace import SYSTEM, edit, read, shell

SETTINGS = {"plain": {}, "cached": {"cache": True}, "websocket": {"openai_transport": "websocket"}}


def main(mode: str, model: str, task: str) -> None:
    agent = Agent(model, instructions=SYSTEM, tools=[read, shell, edit], model_settings=SETTINGS[mode])
    print(agent.run_sync(task).output)


main(*sys.argv[1:])

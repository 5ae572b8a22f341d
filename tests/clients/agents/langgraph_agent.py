"""LangChain's agent, a graph of langgraph. `anthropic-cached` is with its caching middleware.

langgraph_agent PROVIDER MODEL TASK
"""

import sys

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_openai import ChatOpenAI

from tests.clients.agents.workspace import SYSTEM, edit, read, shell


def main(provider: str, model: str, task: str) -> None:
    chat = ChatOpenAI(model=model) if provider == "openai" else ChatAnthropic(model=model)
    middleware = [AnthropicPromptCachingMiddleware()] if provider == "anthropic-cached" else []
    agent = create_agent(chat, [read, shell, edit], system_prompt=SYSTEM, middleware=middleware)
    said = agent.invoke({"messages": [{"role": "user", "content": task}]}, {"recursion_limit": 200})
    print(said["messages"][-1].text)


main(*sys.argv[1:])

"""The tool runner of Anthropic's SDK, which leaves the history to the provider (message threads).

anthropic_runner MODEL TASK
"""

import sys

from anthropic import Anthropic, beta_tool

from tests.clients.agents.workspace import SYSTEM, edit, read, shell


def main(model: str, task: str) -> None:
    with Anthropic() as client:
        runner = client.beta.messages.tool_runner(
            model=model,
            max_tokens=8000,
            system=SYSTEM,
            tools=[beta_tool(read), beta_tool(shell), beta_tool(edit)],
            messages=[{"role": "user", "content": task}],
        )
        print(*(block.text for block in runner.until_done().content if block.type == "text"))


main(*sys.argv[1:])

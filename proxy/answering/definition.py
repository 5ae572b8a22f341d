"""The tool `recall` as each dialect spells it.

Rules of this room: its arguments are those of the tool that agents with an MCP client have. The words are part of
every prompt that has them: a change of them makes every lineage that has the tool pay for its prompt once.
"""

import msgspec

from proxy.recall.tools import TOOLS

NAME = "recall"

_DESCRIPTION = (
    "Read back what was elided from this conversation to save space. Such a place reads `[previous N lines elided: "
    "...]` and names an id. Call it alone, not beside other tools. Its result is shown to you once: say what you "
    "need to remember of it."
)
_SCHEMA = next(tool.schema for tool in TOOLS if tool.name == NAME)
_FUNCTION = {"name": NAME, "description": _DESCRIPTION, "parameters": _SCHEMA}

DEFINITIONS: dict[str, bytes] = {
    dialect: msgspec.json.encode(definition)
    for dialect, definition in {
        "anthropic_messages": {"name": NAME, "description": _DESCRIPTION, "input_schema": _SCHEMA},
        "openai_chat": {"type": "function", "function": _FUNCTION},
        "openai_responses": {"type": "function", **_FUNCTION, "strict": False},
    }.items()
}
"""By dialect. In any other one the tool is not offered."""

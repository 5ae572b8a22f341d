"""The tool `recall` as each dialect spells it, and what a call of it asks for.

Rules of this room: the words are part of every prompt that has them, so they never change within a lineage; a
change of them here splits caches once. Wording follows the placeholders of `policies/mask.py`.
"""

import msgspec
from msgspec import Struct

NAME = "recall"

_DESCRIPTION = (
    "Read back what was elided from this conversation to save space. Such a place reads `[previous N lines elided: "
    "...]` and names an id that begins with `hf-`. Call it alone, not beside other tools; what it returns is "
    "shown once, so say what you need to remember of it."
)
_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The id that the place names."},
        "lines": {"type": "string", "description": "Only these lines, such as 120:180. The first line is 1."},
        "grep": {"type": "string", "description": "Only lines that hold this text, with their numbers."},
    },
    "required": ["id"],
}

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


class Arguments(Struct, frozen=True):
    """What a call asks for. Whatever else a model says is left unread."""

    id: str
    lines: str = ""
    grep: str = ""


def arguments(text: str) -> Arguments | None:
    """None where the model did not name an id."""
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"), type=Arguments)
    except (msgspec.DecodeError, RecursionError):
        return None

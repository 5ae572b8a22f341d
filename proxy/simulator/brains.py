"""What the simulated model says: a function from the request as seen to an answer, both plain data.

Rules of this room: no wire format, no state; the same request gives the same answer.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

ApiName = Literal["anthropic_messages", "openai_chat", "openai_responses", "gemini"]
Stop = Literal["end", "length", "refusal"]


class SeenRequest(Struct, frozen=True):
    """A legal request, as far as a brain needs it."""

    api: ApiName
    model: str
    assistant_messages: int
    """Turns of the model that the request carries; consecutive output items are one turn."""
    last_text: str
    """The last text of a user or an observation."""
    tools: tuple[str, ...]
    body: Mapping[str, Any]
    allowed: frozenset[str] | None = None
    """Names that may be called; None: no limit."""


class ToolCall(Struct, frozen=True):
    """`arguments` is a JSON object as text. An empty id is filled in."""

    name: str
    arguments: str = "{}"
    id: str = ""


class Answer(Struct, frozen=True):
    """One turn of the model."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    stop: Stop = "end"


Brain = Callable[[SeenRequest], Answer]

ECHO_LENGTH = 400


def echo(seen: SeenRequest) -> Answer:
    """Repeats the beginning of the last text."""
    return Answer(text=f"You said: {seen.last_text[:ECHO_LENGTH]}")


def script(turns: tuple[Answer, ...], after: Answer | None = None) -> Brain:
    """Plays the given turns in order; which one is due follows from the turns already in the request."""
    end = after or Answer(text="The script ends here.")

    def play(seen: SeenRequest) -> Answer:
        return turns[seen.assistant_messages] if seen.assistant_messages < len(turns) else end

    return play

"""The recorded session, and the requests that its agent sends: one for each answer of the model.

Rules of this room: what a coding agent such as Claude Code puts on the wire, and nothing else: tools, the
system prompt with a cache marker on its last block, the conversation so far with a marker on the last block
of its last message. The marker moves with each request; a message of one text is a string without it.
"""

import gzip
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

Block = dict[str, Any]
Message = dict[str, Any]

FILE = "session.jsonl.gz"
MARK = {"cache_control": {"type": "ephemeral"}}
MAX_OUTPUT = 32_000


class Session(Struct, frozen=True):
    """One recorded run of an agent."""

    id: str
    model: str
    system: tuple[Block, ...]
    tools: tuple[Block, ...]
    messages: tuple[Message, ...]

    @property
    def answers(self) -> tuple[tuple[Block, ...], ...]:
        """What the model said, answer by answer."""
        return tuple(tuple(message["content"]) for message in self.messages if message["role"] == "assistant")


class _Line(Struct, frozen=True):
    id: str
    model: str
    tools: tuple[Block, ...]
    messages: tuple[Message, ...]


def load() -> Session:
    """The session that ships with Holdfast."""
    packed = files("proxy.demo").joinpath(FILE).read_bytes()
    line = msgspec.json.decode(gzip.decompress(packed), type=_Line)
    first, *rest = line.messages
    return Session(line.id, line.model, tuple(first["content"]), line.tools, tuple(rest))


def bodies(session: Session) -> tuple[bytes, ...]:
    """The body of each request, in order."""
    ends = [place for place, message in enumerate(session.messages) if message["role"] == "assistant"]
    return tuple(_body(session, session.messages[:end]) for end in ends)


def _body(session: Session, messages: Sequence[Message]) -> bytes:
    body = {
        "model": session.model,
        "max_tokens": MAX_OUTPUT,
        "stream": True,
        "system": [*session.system[:-1], {**session.system[-1], **MARK}],
        "messages": [*messages[:-1], _marked(messages[-1])],
        "tools": session.tools,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _marked(message: Message) -> Message:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {**message, "content": [*blocks[:-1], {**blocks[-1], **MARK}]}

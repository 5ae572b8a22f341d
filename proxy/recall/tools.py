"""The tools of the MCP server: their definitions, and their answers as text.

Rules of this room: definitions are short, since they are part of every prompt of an agent that has them. An answer is
bounded, and says what was left out and how to get it. It must not know how a call arrives.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from proxy.archive import Hit
from proxy.errors import AskedError
from proxy.recall.choosing import Asked
from proxy.recall.library import Library, Reader, Recalled

MAX_CHARACTERS = 32_000
"""Of an answer: some 8,000 tokens. Claude Code warns of more than 10,000 (MAX_MCP_OUTPUT_TOKENS bounds them)."""
HITS = 10

T = TypeVar("T")


class Recall(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    lines: str = ""
    grep: str = ""
    context: int = 0


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    text: str


class WriteNote(Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    title: str = ""
    id: str = ""


class ReadNotes(Struct, frozen=True, forbid_unknown_fields=True):
    id: str = ""


class Tool(Struct, frozen=True):
    """`properties`: name to type and description."""

    name: str
    description: str
    arguments: type[Struct]
    properties: Mapping[str, tuple[str, str]]
    answer: Callable[[Library, Reader, Any], Awaitable[str]]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        fields = msgspec.structs.fields(self.arguments)
        properties = {name: {"type": kind, "description": text} for name, (kind, text) in self.properties.items()}
        required = [field.name for field in fields if field.required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


async def call(library: Library, reader: Reader, name: str, arguments: Mapping[str, Any]) -> str:
    """The answer to a call. Raises AskedError and StoreError."""
    tool = next((tool for tool in TOOLS if tool.name == name), None)
    if tool is None:
        raise AskedError(f"there is no tool `{name}`")
    return await tool.answer(library, reader, _given(arguments, tool.arguments))


def _given(arguments: Mapping[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert({name: value for name, value in arguments.items() if value is not None}, kind)
    except msgspec.ValidationError as error:
        raise AskedError(f"the arguments do not fit: {str(error).lower()}") from None


async def _recall(library: Library, reader: Reader, given: Recall) -> str:
    return recalled_text(await library.recall(reader, given.id, Asked(given.lines, given.grep, given.context)), given)


def recalled_text(recalled: Recalled, given: Recall) -> str:
    """All of it as it was, or lines with their numbers."""
    if not given.lines and not given.grep and len(recalled.text) <= MAX_CHARACTERS:
        return recalled.text
    if not recalled.lines:
        return f"no line of {recalled.total} matches"
    kept: list[str] = []
    left, before = MAX_CHARACTERS, recalled.lines[0].number
    for line in recalled.lines:
        text = f"{line.number}: {line.text}"
        if given.context and line.number > before + 1:
            kept.append("--")
        left -= len(text) + 1
        if left < 0:
            kept += _rest(text, left, line.number, recalled, alone=not kept)
            break
        kept.append(text)
        before = line.number
    return "\n".join(kept)


def _rest(text: str, left: int, number: int, recalled: Recalled, alone: bool) -> list[str]:
    """What is said of the lines that do not fit. A first line that is too long by itself is cut."""
    further = sum(line.number >= number for line in recalled.lines)
    cut = [f"{text[:left]}…"] if alone else []
    return [*cut, f"[{further - alone} of {recalled.total} lines left out: ask for lines `{number + alone}:`]"]


async def _search(library: Library, reader: Reader, given: Search) -> str:
    found = await library.search(reader, given.text, HITS)
    lines = [line for hit in found.hits for line in _hit(hit)]
    if not found.complete:
        lines.append("[older originals were not looked at]")
    return "\n".join(lines) or f"nothing that was elided holds `{given.text}`"


def _hit(hit: Hit) -> list[str]:
    about = hit.entry.about
    at = datetime.fromtimestamp(hit.entry.at, UTC).strftime("%Y-%m-%d %H:%M")
    known = [about.tool, *about.paths, f"{about.tokens} tokens" if about.tokens else "", f"{at} UTC"]
    head = ", ".join(filter(None, known))
    return [f"{hit.entry.id} ({head})", *(f"  {excerpt.number}: {excerpt.text}" for excerpt in hit.excerpts)]


async def _note(library: Library, reader: Reader, given: WriteNote) -> str:
    note = await library.write(reader, given.text, given.title, given.id)
    return f"{note.id} {'kept' if note.text else 'removed'}"


async def _notes(library: Library, reader: Reader, given: ReadNotes) -> str:
    if given.id:
        note = await library.note(reader, given.id)
        return f"{note.title}\n\n{note.text}" if note.title else note.text
    notes = await library.notes(reader)
    return "\n".join(f"{note.id}: {note.title or _begins(note.text)}" for note in notes) or "no notes yet"


def _begins(text: str) -> str:
    return text.strip().splitlines()[0][:80]


_ID = ("string", "hf-...")

TOOLS = (
    Tool(
        "recall",
        "Read back an elided tool result by the id in its placeholder.",
        Recall,
        {
            "id": _ID,
            "lines": ("string", "A:B"),
            "grep": ("string", "regular expression"),
            "context": ("integer", "lines around each match"),
        },
        _recall,
    ),
    Tool(
        "search",
        "Find elided tool results by words, names or paths in them.",
        Search,
        {"text": ("string", "all must occur")},
        _search,
    ),
    Tool(
        "note",
        "Write a note that outlives your context window.",
        WriteNote,
        {"text": ("string", "empty with an id: remove"), "title": ("string", ""), "id": ("string", "note to replace")},
        _note,
    ),
    Tool("notes", "List your notes, or read one.", ReadNotes, {"id": ("string", "note-...")}, _notes),
)

"""A Responses request as pieces, with the ends of the items where a breakpoint can be."""

from collections.abc import Iterator

from policies.core.profile import Profile
from proxy.simulator.nodes import Node, bracketed, dump
from proxy.simulator.openai import MARK, invalid_value, life_of
from proxy.simulator.prompt import MEDIA_TOKENS, Count, Piece, PieceKind
from proxy.simulator.responses.fields import ANSWERED, LIVES, OUTPUTS, PARTS
from proxy.simulator.responses.items import role_of, type_of

TRANSPORT = ("id", "status", "created_by", "phase")
"""Keys of an item that are no content."""


def tool_pieces(body: Node, count: Count) -> Iterator[Piece]:
    for tool in body.all("tools"):
        if tool.need("type").text() == "function":
            tool.need("name").text()
        text = dump(tool.value)
        yield Piece("tools", "", "tool", tool.word("name"), text, count(text), "", bracketed(tool.path))


def item_pieces(
    items: tuple[Node, ...], profile: Profile, life: str, count: Count
) -> tuple[tuple[Piece, ...], tuple[int, ...]]:
    """The pieces, and after how many of them an eligible item ends. Reasoning is one piece, its seal in the head."""
    speakers = tuple(_speaker(item) for item in items)
    pieces: list[Piece] = []
    ends: list[int] = []
    for place, item in enumerate(items):
        pieces += _pieces(item, speakers[place], profile, life, count)
        if _eligible(speakers, place):
            ends.append(len(pieces))
    return tuple(pieces), tuple(ends)


def _speaker(item: Node) -> str:
    kind = type_of(item)
    if kind == "message":
        return role_of(item)
    return "tool" if kind in OUTPUTS else "assistant" if kind in ANSWERED or kind == "reasoning" else kind


def _eligible(speakers: tuple[str, ...], place: int) -> bool:
    """A user message; the last tool output of a run; the last developer message of the initial run."""
    role = speakers[place]
    after = speakers[place + 1] if place + 1 < len(speakers) else ""
    if role == "tool":
        return after != "tool"
    if role in ("system", "developer"):
        initial = all(before in ("system", "developer") for before in speakers[:place])
        return initial and after not in ("system", "developer")
    return role == "user"


def _pieces(item: Node, speaker: str, profile: Profile, life: str, count: Count) -> Iterator[Piece]:
    kind, where = type_of(item), bracketed(item.path)
    if kind == "message":
        yield from _content(item.need("content"), speaker, speaker, "", profile, life, count)
    elif kind in OUTPUTS:
        head = f"{kind} {item.need('call_id').text()}"
        output = item.need("output")
        if isinstance(output.value, (str, list)):
            yield from _content(output, "tool", "output", head, profile, life, count)
        else:
            text = dump(output.value)
            yield Piece("messages", "tool", "result", head, text, count(text), "", where)
    elif kind == "function_call":
        text = item.need("name").text() + item.need("arguments").text()
        yield Piece("messages", speaker, "call", item.need("call_id").text(), text, count(text), "", where)
    elif kind == "reasoning":
        item.need("summary").items()
        yield Piece("messages", speaker, "reasoning", item.word("id"), "", 0, "", where)
    else:
        text = dump(item.value, without=TRANSPORT)
        found: PieceKind = "call" if kind in ANSWERED else "other"
        yield Piece("messages", speaker, found, item.word("call_id"), text, count(text), "", where)


def _content(
    content: Node, role: str, parts: str, head: str, profile: Profile, life: str, count: Count
) -> Iterator[Piece]:
    kind: PieceKind = "result" if role == "tool" else "text"
    if isinstance(content.value, str):
        yield Piece("messages", role, kind, head, content.value, count(content.value), "", bracketed(content.path))
        return
    if not isinstance(content.value, list):
        raise content.wrong("string or array")
    for part in content.items():
        name = part.need("type")
        if name.text() not in PARTS[parts]:
            raise invalid_value(name, PARTS[parts])
        ttl = life_of(part, profile, life, LIVES, allowed=role != "assistant")
        if name.text() in ("input_text", "output_text"):
            text = part.need("text").text()
            yield Piece("messages", role, kind, head, text, count(text), ttl, bracketed(part.path))
        else:
            text = dump(part.value, without=(MARK,))
            yield Piece("messages", role, "media", head, text, MEDIA_TOKENS, ttl, bracketed(part.path))

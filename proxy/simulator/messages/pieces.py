"""An Anthropic request as pieces: tools, then system, then messages, each block checked on the way.

A string is one text block, and a tool result is one piece for each of its parts. A tool with
`defer_loading` is not in the prompt at all, so adding one keeps the prefix (T1, provider list of safe changes).
"""

from collections.abc import Iterator

from proxy.simulator.messages.fields import BLOCKS, CUSTOM_TOOL, MESSAGE, NESTED, UNMARKABLE
from proxy.simulator.nodes import Node, dotted, dump
from proxy.simulator.prompt import MEDIA_TOKENS, Count, Piece, PieceKind, Segment
from proxy.simulator.refusals import Refusal

MARK = "cache_control"
KINDS: dict[str, PieceKind] = {"image": "media", "document": "media", "search_result": "other"}


def tool_pieces(body: Node, count: Count) -> Iterator[Piece]:
    names: set[str] = set()
    for tool in body.all("tools"):
        if tool.word("type", "custom") == "custom":
            tool.only(CUSTOM_TOOL)
            tool.need("input_schema").keys()
        name = tool.need("name").text() if tool.word("type", "custom") == "custom" else tool.word("name")
        if name and name in names:
            raise Refusal(400, "tools: Tool names must be unique.")
        names.add(name)
        ttl = ttl_of(tool)
        if not tool.flag("defer_loading"):
            text = dump(tool.value, without=(MARK,))
            yield Piece("tools", "", "tool", name, text, count(text), ttl, dotted(tool.path))


def system_pieces(body: Node, count: Count) -> Iterator[Piece]:
    system = body.get("system")
    if system is None:
        return
    if isinstance(system.value, str):
        if system.value:
            yield Piece("system", "system", "text", "", system.value, count(system.value), "", "system")
        return
    for block in system.items():
        if block.need("type").text() != "text":
            raise Refusal(400, f"{dotted(block.path)}.type: Input should be 'text'")
        yield from block_pieces(block, "system", count, "system")


def message_pieces(body: Node, count: Count) -> Iterator[Piece]:
    for message in body.need("messages").items():
        role = message.need("role").text()
        if role not in MESSAGE:
            raise Refusal(400, f"{dotted(message.path)}.role: Input should be 'user', 'assistant' or 'system'")
        message.only(MESSAGE[role])
        content = message.need("content")
        if isinstance(content.value, str):
            yield Piece("messages", role, "text", "", content.value, count(content.value), "", dotted(content.path))
            continue
        for block in content.items():
            yield from block_pieces(block, role, count)


def block_pieces(block: Node, role: str, count: Count, segment: Segment = "messages") -> Iterator[Piece]:
    """The pieces of one block; the last carries its marker."""
    kind = block.need("type").text()
    where = dotted(block.path)
    if kind not in BLOCKS:
        known = ", ".join(f"'{name}'" for name in BLOCKS)
        raise Refusal(400, f"{where}: Input tag '{kind}' found using 'type' does not match any of: {known}")
    marks = () if kind in UNMARKABLE else (MARK,)
    _only(block, kind, ("type", *BLOCKS[kind], *marks))
    ttl = ttl_of(block)
    if kind == "tool_result":
        yield from _result(block, role, count, ttl)
        return
    piece_kind, head, text, tokens = _content(block, kind, count)
    if ttl and kind == "text" and not text:
        raise Refusal(400, f"{where}: cache_control cannot be set for empty text blocks")
    yield Piece(segment, role, piece_kind, head, text, tokens, ttl, where)


def _content(block: Node, kind: str, count: Count) -> tuple[PieceKind, str, str, int]:
    """Kind, head, text and tokens of a block that is one piece."""
    if kind == "text":
        text = block.need("text").text()
        return "text", "", text, count(text)
    if kind == "thinking":
        text = block.need("thinking").text()
        return "reasoning", block.need("signature").text(), text, count(text)
    if kind == "redacted_thinking":
        return "reasoning", block.need("data").text(), "", count(block.need("data").text())
    if kind == "tool_use":
        block.need("input").keys()
        text = block.need("name").text() + dump(block.need("input").value)
        return "call", block.need("id").text(), text, count(text)
    text = dump(block.value, without=(MARK,))
    found = KINDS.get(kind, "other")
    return found, kind, text, MEDIA_TOKENS if found == "media" else count(text)


def _result(block: Node, role: str, count: Count, ttl: str) -> Iterator[Piece]:
    head = block.need("tool_use_id").text() + (" failed" if block.flag("is_error") else "")
    content = block.get("content")
    where = dotted(block.path)
    if content is None or isinstance(content.value, str):
        text = "" if content is None else content.text()
        yield Piece("messages", role, "result", head, text, count(text), ttl, where)
        return
    parts = content.items()
    for place, part in enumerate(parts):
        kind = part.need("type").text()
        if kind not in NESTED:
            raise Refusal(400, f"{dotted(part.path)}: Input tag '{kind}' is not allowed in a tool_result")
        if kind == "text":
            text = part.need("text").text()
            tokens = count(text)
        else:
            text = dump(part.value, without=(MARK,))
            tokens = MEDIA_TOKENS if kind in KINDS else count(text)
        own = ttl_of(part) or (ttl if place == len(parts) - 1 else "")
        yield Piece("messages", role, "result", head, text, tokens, own, dotted(part.path))
    if not parts:
        yield Piece("messages", role, "result", head, "", 0, ttl, where)


def _only(block: Node, kind: str, allowed: tuple[str, ...]) -> None:
    """Unknown keys are named with the block's type in the path, as the API does: `messages.0.content.0.thinking.x`."""
    Node(block.value, (*block.path, kind)).only(allowed)


def ttl_of(node: Node) -> str:
    """The life that a marker asks for; "" without one."""
    marker = node.get(MARK)
    if marker is None:
        return ""
    marker.only(("type", "ttl"))
    if marker.need("type").text() != "ephemeral":
        raise Refusal(400, f"{dotted(marker.path)}.type: Input should be 'ephemeral'")
    ttl = marker.word("ttl", "5m")
    if ttl not in ("5m", "1h"):
        raise Refusal(400, f"{dotted(marker.path)}.ttl: Input should be '5m' or '1h'")
    return ttl

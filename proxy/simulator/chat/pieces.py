"""A Chat Completions request as pieces, with the ends of the messages where a breakpoint can be."""

from collections.abc import Iterator

from policies.core.profile import Profile
from proxy.simulator.chat.fields import LIVES, PARTS, ROLES
from proxy.simulator.nodes import Node, bracketed, dump
from proxy.simulator.openai import invalid_value, life_of
from proxy.simulator.prompt import MEDIA_TOKENS, Count, Piece, PieceKind
from proxy.simulator.refusals import Refusal


def tool_pieces(body: Node, count: Count) -> Iterator[Piece]:
    for tool in (*body.all("tools"), *body.all("functions")):
        function = tool.get("function")
        if tool.path[0] == "tools":
            tool.need("type").text()
        if tool.word("type") == "function":
            tool.need("function").need("name").text()
        name = function.word("name") if function is not None else tool.word("name")
        text = dump(tool.value)
        yield Piece("tools", "", "tool", name, text, count(text), "", bracketed(tool.path))


def message_pieces(body: Node, profile: Profile, life: str, count: Count) -> tuple[tuple[Piece, ...], tuple[int, ...]]:
    """The pieces, and after how many of them an eligible message ends."""
    pieces: list[Piece] = []
    ends: list[int] = []
    messages = body.need("messages").items()
    roles = tuple(_role(message) for message in messages)
    for place, message in enumerate(messages):
        pieces += _content(message, roles[place], profile, life, count)
        pieces += _calls(message, count)
        if _eligible(roles, place):
            ends.append(len(pieces))
    return tuple(pieces), tuple(ends)


def _role(message: Node) -> str:
    role = message.need("role")
    if role.text() not in ROLES:
        raise invalid_value(role, ROLES)
    return role.text()


def _eligible(roles: tuple[str, ...], place: int) -> bool:
    """A user message; the last tool message of a run; the last developer message of the initial run."""
    role = roles[place]
    after = roles[place + 1] if place + 1 < len(roles) else ""
    if role in ("tool", "function"):
        return after not in ("tool", "function")
    if role in ("system", "developer"):
        initial = all(before in ("system", "developer") for before in roles[:place])
        return initial and after not in ("system", "developer")
    return role == "user"


def _content(message: Node, role: str, profile: Profile, life: str, count: Count) -> Iterator[Piece]:
    kind: PieceKind = "result" if role in ("tool", "function") else "text"
    head = message.word("tool_call_id") + message.word("name")
    thought = message.get("reasoning_content")
    if thought is not None:
        yield Piece("messages", role, "reasoning", "", thought.text(), count(thought.text()), "", "")
    content = message.get("content")
    if content is None:
        _check_absent(message, role)
        return
    if isinstance(content.value, str):
        text = content.value
        yield Piece("messages", role, kind, head, text, count(text), "", bracketed(content.path))
        return
    if not isinstance(content.value, list):
        raise content.wrong("string or array")
    for part in content.items():
        yield _part(part, role, head, profile, life, count)


def _part(part: Node, role: str, head: str, profile: Profile, life: str, count: Count) -> Piece:
    kind = part.need("type")
    if kind.text() not in PARTS[role]:
        raise invalid_value(kind, PARTS[role])
    ttl = life_of(part, profile, life, LIVES, allowed=role != "assistant")
    where = bracketed(part.path)
    if kind.text() == "text":
        text = part.need("text").text()
        piece_kind: PieceKind = "result" if role in ("tool", "function") else "text"
        return Piece("messages", role, piece_kind, head, text, count(text), ttl, where)
    text = dump(part.value, without=("prompt_cache_breakpoint",))
    return Piece("messages", role, "media", head, text, MEDIA_TOKENS, ttl, where)


def _check_absent(message: Node, role: str) -> None:
    """Only an assistant that calls something, or refuses, may say nothing."""
    if role == "assistant" and any(
        message.get(key) is not None for key in ("tool_calls", "function_call", "refusal", "audio")
    ):
        return
    path = bracketed((*message.path, "content"))
    raise Refusal(400, "Invalid value for 'content': expected a string, got null.", param=path)


def _calls(message: Node, count: Count) -> Iterator[Piece]:
    for call in message.all("tool_calls"):
        function = call.get("function") or call.get("custom")
        if function is None:
            function = call.need("function")
        arguments = function.need("input" if call.word("type") == "custom" else "arguments").text()
        text = function.need("name").text() + arguments
        yield Piece("messages", "assistant", "call", call.need("id").text(), text, count(text), "", "")
    old = message.get("function_call")
    if old is not None:
        text = old.need("name").text() + old.need("arguments").text()
        yield Piece("messages", "assistant", "call", "", text, count(text), "", "")

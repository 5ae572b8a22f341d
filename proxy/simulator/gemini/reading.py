"""A Gemini request, checked and turned into the prompt that the cache sees."""

from collections.abc import Iterator

from proxy.simulator.apis import Asked, Call, Desk
from proxy.simulator.brains import SeenRequest
from proxy.simulator.choice import of_gemini
from proxy.simulator.gemini.fields import CONTENT, COUNTED, DATA, PART, REQUEST, ROLES, camelled
from proxy.simulator.gemini.turns import check_signatures, check_turns, turns_of
from proxy.simulator.nodes import Node, bracketed, dump
from proxy.simulator.prompt import MEDIA_TOKENS, Count, Piece, PieceKind, Prompt, Segment
from proxy.simulator.refusals import Refusal

KINDS: dict[str, PieceKind] = {"inlineData": "media", "fileData": "media"}


def read(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    if not call.credential:
        raise Refusal(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API.",
        )
    model, _, method = call.path.rsplit("/", 1)[-1].partition(":")
    body = Node(camelled(body.value), ())
    if method == "countTokens":
        body = _counted_request(body)
    body.only(REQUEST)
    if body.get("cachedContent") is not None:
        raise Refusal(403, "CachedContent not found (or permission denied)")
    turns = turns_of(body.all("contents"))
    pieces = (*_tools(body, desk.count), *_system(body, desk.count), *_contents(body, desk.count))
    check_turns(turns)
    check_signatures(turns, model, desk.seals)
    config = body.get("generationConfig")
    thinking = config.get("thinkingConfig") if config is not None else None
    return Asked(
        model=model,
        profile=desk.profile_for(model),
        prompt=Prompt(pieces=pieces),
        seen=SeenRequest(
            api="gemini",
            model=model,
            assistant_messages=sum(turn.role == "model" for turn in turns),
            last_text=_last_text(pieces),
            tools=tuple(piece.head for piece in pieces if piece.kind == "tool"),
            body=body.keys(),
            allowed=of_gemini(body),
        ),
        name=name,
        credential=call.credential,
        stream=method == "streamGenerateContent",
        counting=method == "countTokens",
        options={
            "call_prefix": "call_",
            "sse": call.query.get("alt") == "sse",
            "thoughts": thinking is not None and thinking.flag("includeThoughts"),
        },
    )


def _counted_request(body: Node) -> Node:
    body.only(COUNTED)
    inner = body.get("generateContentRequest")
    return body if inner is None else Node(inner.keys(), ())


def _tools(body: Node, count: Count) -> Iterator[Piece]:
    for tool in body.all("tools"):
        declared = tool.all("functionDeclarations")
        for function in declared:
            text = dump(function.value)
            yield Piece("tools", "", "tool", function.need("name").text(), text, count(text))
        if not declared:
            text = dump(tool.value)
            yield Piece("tools", "", "tool", "", text, count(text))


def _system(body: Node, count: Count) -> Iterator[Piece]:
    system = body.get("systemInstruction")
    if system is not None:
        for part in system.need("parts").items():
            yield _part(part, "system", "system", count)


def _contents(body: Node, count: Count) -> Iterator[Piece]:
    contents = body.all("contents")
    if not contents:
        raise Refusal(400, "* GenerateContentRequest.contents: contents is not specified\n")
    for content in contents:
        content.only(CONTENT)
        role = content.word("role", "user")
        if role not in ROLES:
            raise Refusal(400, "Please use a valid role: user, model.")
        where = bracketed(content.path)
        if not content.all("parts"):
            raise Refusal(400, f"* GenerateContentRequest.{where}.parts: contents.parts must not be empty.\n")
        for part in content.all("parts"):
            yield _part(part, "model" if role == "model" else "user", "messages", count)


def _part(part: Node, role: str, segment: Segment, count: Count) -> Piece:
    part.only(PART)
    found = [key for key in DATA if part.get(key) is not None]
    if len(found) != 1:
        where = f"* GenerateContentRequest.{bracketed(part.path)}.data"
        raise Refusal(400, f"{where}: required oneof field 'data' must have one initialized field\n")
    kind, head, text = _read_part(part, found[0])
    tokens = MEDIA_TOKENS if kind == "media" else count(text)
    return Piece(segment, role, kind, head, text, tokens, "", bracketed(part.path))


def _read_part(part: Node, key: str) -> tuple[PieceKind, str, str]:
    value = part.need(key)
    if key == "text":
        return ("reasoning" if part.flag("thought") else "text"), "", value.text()
    if key in ("functionCall", "functionResponse"):
        name = value.word("name")
        if not name:
            snake = "function_call" if key == "functionCall" else "function_response"
            where = f"* GenerateContentRequest.{bracketed(part.path)}.{snake}.name"
            raise Refusal(400, f"{where}: Name cannot be empty.\n")
        inner = value.get("args" if key == "functionCall" else "response")
        text = dump(dict(inner.keys())) if inner is not None else "{}"
        return ("call" if key == "functionCall" else "result"), name + value.word("id"), text
    return KINDS.get(key, "other"), key, dump(value.value)


def _last_text(pieces: tuple[Piece, ...]) -> str:
    texts = [p.text for p in pieces if p.segment == "messages" and p.role == "user" and p.kind != "media" and p.text]
    return texts[-1] if texts else ""

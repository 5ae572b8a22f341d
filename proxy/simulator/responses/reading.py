"""A Responses request, checked and turned into the prompt that the cache sees."""

from typing import Any

from proxy.simulator.apis import Asked, Call, Desk
from proxy.simulator.brains import SeenRequest
from proxy.simulator.choice import of_openai
from proxy.simulator.nodes import Node, bracketed, dump
from proxy.simulator.openai import check_credential, check_temperature, is_automatic, last_text, options, salts
from proxy.simulator.prompt import Piece, Prompt, bindings
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses.fields import COUNTED, LIVES, REQUEST
from proxy.simulator.responses.items import check_items, from_model, items_of, type_of
from proxy.simulator.responses.pieces import item_pieces, tool_pieces
from proxy.simulator.responses.reasoning import Shown, opened, show


def read(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    check_credential(call)
    counting = call.path.endswith("/input_tokens")
    model = body.need("model").text()
    profile = desk.profile_for(model)
    _check_fields(body, counting, profile.provider)
    implicit, life = options(body, profile, LIVES)
    items = items_of(body, call, desk.memory)
    check_items(items, desk.memory)
    head, tail = _around(body, desk, late=profile.binds_reasoning == "drops")
    pieces, ends = item_pieces(items, profile, life, desk.count)
    salt = dump(_schema(body))
    shown = _shown(items, head, pieces, ends, salt, body, desk, model)
    seen = tuple(tool.word("name") for tool in body.all("tools"))
    return Asked(
        model=model,
        profile=profile,
        prompt=Prompt(
            pieces=(*head, *shown.pieces, *tail),
            salts=salts(body, profile, _settings(body), _schema(body)),
            ends=tuple(len(head) + end for end in shown.ends),
            implicit=implicit,
            life=life,
        ),
        seen=SeenRequest(
            api="openai_responses",
            model=model,
            assistant_messages=_turns(items),
            last_text=last_text(shown.pieces),
            tools=seen,
            body=body.keys(),
            allowed=of_openai(body, nested=False),
        ),
        name=name,
        credential=call.credential,
        stream=body.flag("stream"),
        counting=counting,
        reports=shown.reports,
        options=_options(body, items, bindings((*head, *pieces), salt)[-1], counting),
    )


def _check_fields(body: Node, counting: bool, provider: str) -> None:
    """Compatible servers take fields of their own."""
    if provider == "openai":
        body.only(COUNTED if counting else REQUEST)
    body.shaped(REQUEST)
    check_temperature(body)
    choice = body.get("tool_choice")
    if choice is not None and choice.value != "none" and not body.all("tools") and choice.value != "auto":
        raise Refusal(400, "Tool choice is only allowed when 'tools' are specified.", param="tool_choice")


def _around(body: Node, desk: Desk, *, late: bool) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Tools and instructions: before the input; from GPT-6.2 the latter after it (second hand)."""
    tools = tuple(tool_pieces(body, desk.count))
    text = body.word("instructions")
    if not text:
        return tools, ()
    tokens = desk.count(text)
    if late:
        return tools, (Piece("messages", "developer", "text", "", text, tokens, "", "instructions"),)
    return (*tools, Piece("system", "developer", "text", "", text, tokens, "", "instructions")), ()


def _shown(
    items: tuple[Node, ...],
    head: tuple[Piece, ...],
    pieces: tuple[Piece, ...],
    ends: tuple[int, ...],
    salt: str,
    body: Node,
    desk: Desk,
    model: str,
) -> Shown:
    profile = desk.profile_for(model)
    thoughts = {}
    for item in items:
        if type_of(item) == "reasoning":
            thoughts[bracketed(item.path)] = opened(item, desk.seals, desk.memory)
    reasoning = body.get("reasoning")
    context = reasoning.word("context", "auto") if reasoning is not None else "auto"
    return show(
        head,
        pieces,
        ends,
        thoughts,
        salt=salt,
        model=model,
        binds=profile.binds_reasoning != "no",
        all_turns=context == "all_turns" or (context == "auto" and is_automatic(profile)),
        count=desk.count,
    )


def _turns(items: tuple[Node, ...]) -> int:
    """Runs of items that the model produced."""
    speaks = (False, *(from_model(item) for item in items))
    return sum(now and not before for before, now in zip(speaks, speaks[1:], strict=False))


def _schema(body: Node) -> object:
    text = body.get("text")
    return text.keys().get("format") if text is not None else None


def _settings(body: Node) -> tuple[object, ...]:
    """Settings that are part of the cache's identity, but for the schema (T13)."""
    reasoning, text = body.get("reasoning"), body.get("text")
    return (
        body.keys().get("parallel_tool_calls"),
        reasoning.word("effort") if reasoning is not None else "",
        text.word("verbosity") if text is not None else "",
        body.keys().get("context_management"),
    )


def _options(body: Node, items: tuple[Node, ...], bound: str, counting: bool) -> dict[str, Any]:
    reasoning, cache = body.get("reasoning"), body.get("prompt_cache_options")
    included = [name.text() for name in body.all("include")]
    stored = not counting and body.keys().get("store") is not False
    return {
        "call_prefix": "call_",
        "thinks": reasoning is None or reasoning.word("effort") != "none",
        "summary": reasoning is not None and bool(reasoning.word("summary")),
        "encrypted": "reasoning.encrypted_content" in included,
        "store": stored,
        "items": tuple(item.value for item in items),
        "bound": bound,
        "prewarm": cache is not None and cache.flag("prewarm"),
    }

"""An Anthropic request, checked field by field and turned into the prompt that the cache sees."""

from typing import Any

from proxy.simulator.apis import Asked, Call, Desk
from proxy.simulator.brains import SeenRequest
from proxy.simulator.choice import of_anthropic
from proxy.simulator.diagnoses import asked_about
from proxy.simulator.messages.clearing import clear
from proxy.simulator.messages.fields import BETA, BINDING_BETA, COUNTED, REQUEST, TOOL_CHOICE
from proxy.simulator.messages.markers import marked
from proxy.simulator.messages.pairs import check_messages
from proxy.simulator.messages.pieces import message_pieces, system_pieces, tool_pieces
from proxy.simulator.messages.thinking import check_open_turn, check_setting, last_mark, read_thinking
from proxy.simulator.messages.threads import whole
from proxy.simulator.nodes import Node, dump
from proxy.simulator.prompt import Piece, Prompt, Segment, bindings
from proxy.simulator.refusals import Refusal


def read(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    counting = call.path.endswith("/count_tokens")
    _check_headers(call)
    _check_fields(body, call, counting)
    body = whole(body, call, desk.memory)
    model = body.need("model").text()
    profile = desk.profile_for(model)
    turns = check_messages(body)
    thinking = check_setting(body, call)
    _check_limits(body, profile.output_limit, model, counting, thinking)
    pieces = marked(body, _pieces(body, desk))
    binds = profile.binds_reasoning == "rejects"
    if thinking == "enabled" and not binds:
        check_open_turn(turns)
    shown, reports = read_thinking(pieces, model, binds, _drops(body), desk.seals)
    left = clear(body, shown, desk.count)
    options = _options(body, call, thinking, binds, pieces)
    if body.get("context_management") is not None:
        options["edits"] = list(left.applied)
        options["original"] = sum(piece.tokens for piece in shown)
    return Asked(
        model=model,
        profile=profile,
        prompt=Prompt(pieces=left.pieces, salts=_salts(body, shown)),
        seen=SeenRequest(
            api="anthropic_messages",
            model=model,
            assistant_messages=sum(turn.role == "assistant" for turn in turns),
            last_text=_last_text(shown),
            tools=tuple(tool.word("name") for tool in body.all("tools")),
            body=body.keys(),
            allowed=of_anthropic(body),
        ),
        name=name,
        credential=call.credential,
        stream=body.flag("stream"),
        counting=counting,
        reports=reports,
        options=options,
    )


def _pieces(body: Node, desk: Desk) -> tuple[Piece, ...]:
    return (
        *tool_pieces(body, desk.count),
        *system_pieces(body, desk.count),
        *message_pieces(body, desk.count),
    )


def _options(body: Node, call: Call, thinking: str, binds: bool, pieces: tuple[Piece, ...]) -> dict[str, Any]:
    setting = body.get("thinking")
    limit = body.get("max_tokens")
    return {
        # Newer models think by default; on older ones thinking has to be asked for (docs, extended thinking).
        "thinks": thinking not in ("", "disabled") or (binds and thinking == ""),
        "omitted": setting is not None and setting.word("display") == "omitted",
        "bound": bindings(pieces)[-1],
        "before": last_mark(pieces),
        "reports": BINDING_BETA in call.headers.get("anthropic-beta", ""),
        "prewarm": limit is not None and limit.value == 0,
        "asks": asked_about(body),
    }


def _check_headers(call: Call) -> None:
    if not call.headers.get("x-api-key") and not call.headers.get("authorization", "").startswith("Bearer "):
        raise Refusal(401, "x-api-key header is required", kind="authentication_error")
    if not call.headers.get("anthropic-version"):
        raise Refusal(400, "anthropic-version: header is required")


def _check_fields(body: Node, call: Call, counting: bool) -> None:
    betas = tuple(beta.strip() for beta in call.headers.get("anthropic-beta", "").split(",") if beta.strip())
    admitted = tuple(
        field
        for field, prefixes in BETA.items()
        if any(beta.startswith(prefix) for beta in betas for prefix in prefixes)
    )
    body.only((*(COUNTED if counting else REQUEST), *admitted))
    body.need("model")
    body.need("messages")
    if not counting:
        body.need("max_tokens")
    body.shaped(REQUEST)
    _check_choice(body)
    temperature = body.get("temperature")
    if temperature is not None and not 0 <= temperature.value <= 1:
        raise Refusal(400, "temperature: range: 0..1")


def _check_choice(body: Node) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.need("type").text()
    if kind not in TOOL_CHOICE:
        raise Refusal(400, f"tool_choice: Input tag '{kind}' does not match any of: {', '.join(TOOL_CHOICE)}")
    choice.only(TOOL_CHOICE[kind])
    names = [tool.word("name") for tool in body.all("tools")]
    if kind != "none" and not names:
        raise Refusal(400, "tool_choice may only be specified while providing tools.")
    if kind == "tool" and choice.need("name").text() not in names:
        raise Refusal(400, f"Tool '{choice.word('name')}' not found in provided tools")


def _check_limits(body: Node, most: int | None, model: str, counting: bool, thinking: str) -> None:
    limit = body.get("max_tokens")
    if counting or limit is None:
        return
    wanted = limit.whole()
    if wanted < 0:
        raise Refusal(400, "max_tokens: Input should be greater than or equal to 0")
    if most is not None and wanted > most:
        raise Refusal(
            400,
            f"max_tokens: {wanted} > {most}, which is the maximum allowed number of output tokens for {model}",
        )
    # Prewarming writes the cache and says nothing (text of `max_tokens` in the package; provider notes, fields).
    choice = body.get("tool_choice")
    forced = choice is not None and choice.word("type") in ("any", "tool")
    if wanted == 0 and (body.flag("stream") or thinking == "enabled" or forced):
        raise Refusal(400, "max_tokens: 0 cannot be combined with stream, enabled thinking or a forced tool")


def _drops(body: Node) -> bool:
    thinking = body.get("thinking")
    binding = thinking.get("block_binding") if thinking is not None else None
    if binding is None:
        return False
    behaviour = binding.word("prefix_mismatch_behavior", "error")
    if behaviour not in ("error", "drop_block"):
        raise Refusal(400, "thinking.block_binding.prefix_mismatch_behavior: Input should be 'error' or 'drop_block'")
    return behaviour == "drop_block"


def _salts(body: Node, pieces: tuple[Piece, ...]) -> tuple[tuple[Segment, str], ...]:
    """What invalidates beside content: the table of the prompt-caching page (tools, system, messages)."""
    thinking, output = body.get("thinking"), body.get("output_config")
    cited = any(piece.kind == "media" and '"citations":{"enabled":true' in piece.text for piece in pieces)
    searches = any(tool.word("type").startswith("web_search") for tool in body.all("tools"))
    messages = (
        body.keys().get("tool_choice"),
        [thinking.word("type"), thinking.keys().get("budget_tokens")] if thinking is not None else None,
        output.word("effort") if output is not None else "",
        # Adding the first image or removing the last loses the messages; more images beside one are plain content.
        any(piece.kind == "media" and piece.head == "image" for piece in pieces),
    )
    return ("system", dump([body.word("speed"), searches, cited])), ("messages", dump(messages))


def _last_text(pieces: tuple[Piece, ...]) -> str:
    texts = [p.text for p in pieces if p.role == "user" and p.kind in ("text", "result") and p.text]
    return texts[-1] if texts else ""

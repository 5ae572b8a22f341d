"""A Chat Completions request, checked and turned into the prompt that the cache sees."""

from proxy.simulator.apis import Asked, Call, Desk
from proxy.simulator.brains import SeenRequest
from proxy.simulator.chat.fields import LIVES, REQUEST
from proxy.simulator.chat.pieces import message_pieces, tool_pieces
from proxy.simulator.choice import of_openai
from proxy.simulator.nodes import Node, bracketed
from proxy.simulator.openai import check_credential, check_temperature, last_text, options, salts
from proxy.simulator.prompt import Prompt
from proxy.simulator.refusals import Refusal


def read(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    check_credential(call)
    model = body.need("model").text()
    profile = desk.profile_for(model)
    _check_fields(body, profile.provider)
    implicit, life = options(body, profile, LIVES)
    tools = tuple(tool_pieces(body, desk.count))
    messages, ends = message_pieces(body, profile, life, desk.count)
    check_pairs(body.need("messages").items())
    settings = tuple(body.keys().get(key) for key in ("parallel_tool_calls", "reasoning_effort", "verbosity"))
    stream_options = body.get("stream_options")
    return Asked(
        model=model,
        profile=profile,
        prompt=Prompt(
            pieces=(*tools, *messages),
            salts=salts(body, profile, settings, body.keys().get("response_format")),
            ends=tuple(len(tools) + end for end in ends),
            implicit=implicit,
            life=life,
        ),
        seen=SeenRequest(
            api="openai_chat",
            model=model,
            assistant_messages=sum(m.word("role") == "assistant" for m in body.need("messages").items()),
            last_text=last_text(messages),
            tools=tuple(tool.head for tool in tools),
            body=body.keys(),
            allowed=of_openai(body, nested=True),
        ),
        name=name,
        credential=call.credential,
        stream=body.flag("stream"),
        options={
            "call_prefix": "call_",
            "usage": stream_options is not None and stream_options.flag("include_usage"),
        },
    )


def _check_fields(body: Node, provider: str) -> None:
    if provider == "openai":
        body.only(REQUEST)
    body.shaped(REQUEST)
    check_temperature(body)
    if not body.need("messages").items():
        raise Refusal(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="messages",
            code="empty_array",
        )
    if body.get("stream_options") is not None and not body.flag("stream"):
        raise Refusal(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    if body.get("tool_choice") is not None and not body.all("tools"):
        raise Refusal(400, "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")


def check_pairs(messages: tuple[Node, ...]) -> None:
    """Calls are answered at once, by tool messages and nothing else between (guides/function-calling; error texts)."""
    open_calls: set[str] = set()
    waiting: set[str] = set()
    for message in messages:
        if message.word("role") == "tool":
            answers = message.need("tool_call_id").text()
            if answers not in open_calls:
                raise Refusal(
                    400,
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    param=bracketed((*message.path, "role")),
                )
            waiting.discard(answers)
            continue
        _check_answered(waiting, message)
        open_calls = {call.need("id").text() for call in message.all("tool_calls")}
        waiting = set(open_calls)
    _check_answered(waiting, messages[-1])


def _check_answered(waiting: set[str], message: Node) -> None:
    if waiting:
        raise Refusal(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(sorted(waiting))}",
            param=bracketed((*message.path, "role")),
        )

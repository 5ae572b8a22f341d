"""Which tools a request lets the model call: `tool_choice`, and Gemini's `functionCallingConfig`.

Rules of this room: a choice that names what is not listed is refused, and no answer calls what is not allowed.
Sources: types of the packages `openai` 3.54.0 (`ToolChoiceAllowedParam`, `ChatCompletionAllowedToolChoiceParam`),
`anthropic` 2.12.0 and `google-genai` 3.4.0. The words of a refusal are our own.
"""

from proxy.simulator.nodes import Node, bracketed
from proxy.simulator.openai import invalid_value
from proxy.simulator.refusals import Refusal

Allowed = frozenset[str] | None
"""Names that may be called; None: no limit."""

_NAMED = ("function", "custom")
_WORDS = ("none", "auto", "required")


def of_openai(body: Node, *, nested: bool) -> Allowed:
    """`nested`: a tool's name stands under its type (Chat Completions)."""
    choice = body.get("tool_choice")
    if choice is None or choice.value in ("auto", "required"):
        return None
    if isinstance(choice.value, str):
        if choice.value not in _WORDS:
            raise invalid_value(choice, _WORDS)
        return frozenset()
    listed = {_name(tool, nested) for tool in body.all("tools")}
    if choice.need("type").text() != "allowed_tools":
        return frozenset(_listed([choice], listed, nested))
    inner = choice.need("allowed_tools") if nested else choice
    inner.only(("mode", "tools") if nested else ("type", "mode", "tools"))
    if inner.need("mode").text() not in ("auto", "required"):
        raise invalid_value(inner.need("mode"), ("auto", "required"))
    return frozenset(_listed(inner.need("tools").items(), listed, nested))


def _listed(named: list[Node] | tuple[Node, ...], listed: set[str], nested: bool) -> list[str]:
    names = [_name(tool, nested) for tool in named]
    for tool, name in zip(named, names, strict=True):
        if name not in listed:
            message = f"Tool choice '{name}' not found in 'tools' parameter."
            raise Refusal(400, message, param=bracketed(tool.path))
    return names


def _name(tool: Node, nested: bool) -> str:
    """A built-in tool is called by its type."""
    kind = tool.word("type")
    if kind not in _NAMED:
        return tool.word("server_label") or kind
    return (tool.need(kind) if nested else tool).need("name").text()


def of_anthropic(body: Node) -> Allowed:
    choice = body.get("tool_choice")
    match choice.word("type") if choice is not None else "":
        case "none":
            return frozenset()
        case "tool" if choice is not None:
            return frozenset({choice.word("name")})
        case _:
            return None


def of_gemini(body: Node) -> Allowed:
    """`allowedFunctionNames` has a meaning in the modes ANY and VALIDATED only."""
    config = body.get("toolConfig")
    calling = config.get("functionCallingConfig") if config is not None else None
    if calling is None:
        return None
    mode, names = calling.word("mode").upper(), [name.text() for name in calling.all("allowedFunctionNames")]
    if names and mode not in ("ANY", "VALIDATED"):
        raise Refusal(400, "allowed_function_names can only be set when the mode is ANY or VALIDATED.")
    return frozenset() if mode == "NONE" else frozenset(names) if names else None

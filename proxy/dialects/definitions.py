"""Tool definitions as values: whatever a dialect lists, in one form.

Rules of this room: pure and total on any JSON. What is no object is no definition. Shapes: the types of the packages
`anthropic` 2.12.0, `openai` 3.54.0, `google-genai` 3.4.0 and botocore 1.44. A dialect finds the list; where in it a
name stands is the same question for all of them, so it is answered here once.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from proxy.dialects import Count
from proxy.dialects.parts import Object, compact, string
from proxy.dialects.values import pick

_LISTS = ("functionDeclarations", "function_declarations")
_WRAPPERS = ("function", "custom", "toolSpec", "systemTool")
"""Under which a definition stands: OpenAI Chat, Bedrock Converse."""
_SCHEMAS = ("input_schema", "parameters", "parametersJsonSchema", "parameters_json_schema", "inputSchema.json")
_LABELS = ("name", "server_label", "mcp_server_name", "type")
_GROUPS = frozenset({"namespace", "mcp", "mcp_toolset", "url"})
"""Types of which a call names a member, or none can be seen."""
_OWN = {"": "", "function": "", "custom": ""}
"""Types of tools that the client itself describes."""
_CALLED = {
    "local_shell": "local_shell",
    "shell": "shell",
    "apply_patch": "apply_patch",
    "computer": "computer",
    "computer_use_preview": "computer",
    "tool_search": "tool_search",
}
"""Built-in tools of OpenAI Responses whose calls are seen, and under which name."""


class Definition(Struct, frozen=True):
    """One tool as the model is told of it."""

    name: str
    """As a call names it."""
    tokens: int
    """Estimate for its JSON. What a provider adds to the prompt for a tool of its own is not known."""
    description: str = ""
    space: str = ""
    """The namespace in which it stands."""
    kind: str = ""
    """The provider's type for a tool of its own; empty for a tool that the client describes."""
    countable: bool = True
    """Its calls can be seen in a request, and bear its name."""
    deferred: bool = False
    """Not in the prompt until the model searches for it."""
    parameters: int = 0
    undescribed: int = 0
    """Of the parameters."""
    bare: bool = False
    """Of a trace that kept nothing but the name; `tokens` is 0."""

    @property
    def label(self) -> str:
        return f"{self.space}.{self.name}" if self.space else self.name


def definitions(tools: Iterable[object], count: Count) -> tuple[Definition, ...]:
    """Every tool of a list, in its order."""
    return tuple(one for tool in tools if isinstance(tool, dict) for one in _of(tool, count))


def kept(tools: Iterable[object], count: Count) -> tuple[Definition, ...]:
    """The tools of a trace. One that has nothing but a name says nothing of the definition that was sent."""
    return tuple(
        one if one.description or one.parameters or one.kind else replace(one, tokens=0, bare=True)
        for one in definitions(tools, count)
    )


def _of(tool: Object, count: Count) -> Iterator[Definition]:
    if not string(tool, *_LABELS) and not any(isinstance(tool.get(key), dict) for key in _WRAPPERS):
        yield from _keyed(tool, count)
        return
    members = tool.get("tools")
    if tool.get("type") == "namespace" and isinstance(members, list):
        yield _definition({key: value for key, value in tool.items() if key != "tools"}, count)
        yield from (_definition(one, count, string(tool, "name")) for one in members if isinstance(one, dict))
    else:
        yield _definition(tool, count)


def _keyed(tool: Object, count: Count) -> Iterator[Definition]:
    """Gemini: what a tool is stands in its key; functions are a list under theirs."""
    for key, value in tool.items():
        if key in _LISTS and isinstance(value, list):
            yield from (_definition(one, count) for one in value if isinstance(one, dict))
        elif value is not None:
            yield Definition(key, count(compact({key: value})), kind=key, countable=False)


def _definition(tool: Object, count: Count, space: str = "") -> Definition:
    inner = next((value for key in _WRAPPERS if isinstance(value := tool.get(key), dict)), tool)
    kind = _OWN.get(string(tool, "type"), string(tool, "type"))
    name = string(inner, *_LABELS)
    named = bool(string(inner, "name")) and kind not in _GROUPS
    parameters = _parameters(inner)
    return Definition(
        name=name if named else _CALLED.get(kind, name),
        tokens=count(compact(tool)),
        description=string(inner, "description"),
        space=space,
        kind=kind,
        countable=named or kind in _CALLED,
        deferred=tool.get("defer_loading") is True,
        parameters=len(parameters),
        undescribed=sum(not _described(value) for value in parameters.values()),
    )


def _parameters(inner: Object) -> Mapping[str, object]:
    schemas = (pick(inner, f"{name}.properties") for name in _SCHEMAS)
    return next((found for found in schemas if isinstance(found, dict)), {})


def _described(schema: object) -> bool:
    return isinstance(schema, dict) and bool(string(schema, "description").strip())

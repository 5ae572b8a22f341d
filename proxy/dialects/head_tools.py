"""Tools of a head as values, each under its name, to be compared with those of another head.

Rules of this room: pure and total. All that is listed counts, also what the model is only shown on demand: it
must not get lost. What is wrapped round a definition belongs to it.
"""

from collections.abc import Iterator, Sequence

from policies.core.heads import Tool
from proxy.dialects.canonical import MARKERS, canonical, decode, is_marker, unmarked
from proxy.dialects.head_bytes import part_values

_LISTS = ("functionDeclarations", "function_declarations")
_WRAPPERS = ("function", "custom", "toolSpec")
"""Under which a definition stands: OpenAI Chat, Bedrock Converse."""


def named_tools(names: Sequence[str], part: bytes) -> tuple[Tool, ...] | None:
    """The tools of a part of a head, in order; None where they are no lists or mean different things to readers."""
    try:
        lists = [decode(raw) or [] for raw in part_values(names, part).values()]
    except ValueError:
        return None
    if not all(isinstance(listed, list) for listed in lists):
        return None
    return tuple(tool for listed in lists if isinstance(listed, list) for one in listed for tool in _named(one))


def is_marked(part: bytes) -> bool:
    """Whether a cache marker may stand in it."""
    return any(b'"%b"' % marker.encode() in part for marker in MARKERS)


def _named(tool: object) -> Iterator[Tool]:
    if is_marker(tool):
        return
    if not isinstance(tool, dict):
        yield canonical(tool).decode(), tool
        return
    listed = next((key for key in _LISTS if isinstance(tool.get(key), list)), None)
    if listed is not None:  # Gemini: functions are a list, and other tools may stand beside it
        for one in tool[listed]:
            yield from _named(one)
        tool = {key: value for key, value in tool.items() if key != listed}
        if not tool:
            return
    inner = next((value for key in _WRAPPERS if isinstance(value := tool.get(key), dict)), tool)
    around = {key: value for key, value in tool.items() if value is not inner} if inner is not tool else {}
    name = inner.get("name")
    plain = unmarked(around), unmarked(inner)
    yield name if isinstance(name, str) else canonical(tool).decode(), list(plain)

"""Gemini generateContent, on the Gemini API and on Vertex; field names in camel or snake case.

Rules of this room: tables and small readers, the view does the rest. Sources: types of the
`google-genai` package 3.4.0; guides "Thought signatures", "Context caching" and "Media resolution" on
ai.google.dev. There are no cache markers: implicit caching, or a `cachedContent` made beforehand.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from typing import TypeGuard

import msgspec

from policies.core.conversation import Kind, Role
from policies.core.usage import Usage
from proxy.dialects.canonical import canonical
from proxy.dialects.failures import failed
from proxy.dialects.head_bytes import HeadFields
from proxy.dialects.heads import Layout, read_head, read_prompt
from proxy.dialects.parts import (
    CALL_TOKENS,
    SIGNATURES,
    Object,
    Part,
    call,
    compact,
    leftovers,
    media,
    observed,
    opaque,
    reasoning,
    string,
    text,
)
from proxy.dialects.slices import Path
from proxy.dialects.usages import Source, first, total
from proxy.dialects.view import Parts, View

_PATH = re.compile(r":(?:g|streamG)enerateContent(\?|$)")

_ROLES = {"user": Role.USER, "model": Role.ASSISTANT, "function": Role.TOOL, "tool": Role.TOOL, "": Role.USER}
_CALL = ("functionCall", "function_call")
_RESULT = ("functionResponse", "function_response")
_SIGNATURE = ("thoughtSignature", "thought_signature")
_WAIVERS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures that the guide "Thought signatures" gives for calls which no model made."""
_UNSIGNED = frozenset({"", *_WAIVERS, *(b64encode(name.encode()).decode() for name in _WAIVERS)})
_MEDIA = ("inlineData", "inline_data", "fileData", "file_data")
_MEDIA_TOKENS = 1120  # one image at the default resolution of Gemini 3 (guide "Media resolution"); 258 before


def _parts(content: Object) -> Parts:
    role, listed = _ROLES.get(_word(content, "role")), content.get("parts")
    if role is None or not isinstance(listed, list):
        return role or Role.USER, [opaque(content)]
    parts = [
        _read(item, ("parts", place)) if isinstance(item, dict) else opaque(item) for place, item in enumerate(listed)
    ]
    return role, [*observed(role, parts, listed), *leftovers(content, frozenset({"role", "parts"}))]


def _word(value: Object, key: str) -> str:
    """A string, "" where there is none, and something that is no role where it is no string."""
    found = value.get(key) or ""
    return found if isinstance(found, str) else "?"


def _read(item: Object, path: Path) -> Part:
    bound = any(item.get(key) for key in SIGNATURES)
    if item.get("thought") is True:
        return reasoning(item, item.get("text"), path)
    if isinstance(item.get("text"), str):
        return text(item, path, markable=False, bound=bound)
    if (key := _key(item, _CALL)) is not None:
        return _called(item, item[key], path, bound=bound)
    if (key := _key(item, _RESULT)) is not None:
        return _answered(item, item[key], (*path, key))
    if _key(item, _MEDIA) is not None:
        return media(item, _MEDIA_TOKENS, path)
    return opaque(item, path, bound=bound)


def _key(item: Object, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if isinstance(item.get(name), dict)), None)


def _called(item: Object, inner: Object, path: Path, *, bound: bool) -> Part:
    """Calls may have no id; then they are answered by name."""
    name = string(inner, "name")
    return call(item, name, inner.get("args"), path, call_id=string(inner, "id", "name"), bound=bound)


def _answered(item: Object, inner: Object, path: Path) -> Part:
    """By the package: `output` holds the answer and `error` an error; else the whole object is the answer."""
    response = inner.get("response")
    words = _spoken(response)
    error = isinstance(response, Mapping) and bool(response.get("error"))
    return Part(
        Kind.OBSERVATION,
        item,
        words,
        extra=CALL_TOKENS + (_MEDIA_TOKENS if inner.get("parts") else 0),
        path=path,
        content=(*path, "response") if isinstance(response, dict) and not inner.get("parts") else None,
        call_id=string(inner, "id", "name"),
        tool=string(inner, "name"),
        failed=error or failed(words),
    )


def _spoken(response: object) -> str:
    """The text of an answer: its only string, else its JSON."""
    if response is None:
        return ""
    values = list(response.values()) if isinstance(response, Mapping) else []
    return compact(values[0] if len(values) == 1 else response)


def _restated(before: Object, now: Object) -> bool:
    """Gemini CLI 0.61 resumes with no signatures, or with waivers in their place, and with each answer given twice."""
    sides = _once(before.get("parts")), _once(now.get("parts"))
    if not sides[0] or len(sides[0]) != len(sides[1]) or _others(before) != _others(now):
        return False
    return all(map(_same, *sides))


def _once(parts: object) -> list[object]:
    """Parts without the answers that stand there already."""
    found: dict[object, object] = {}
    for place, part in enumerate(parts if isinstance(parts, list) else ()):
        answer = isinstance(part, dict) and _key(part, _RESULT) is not None
        found.setdefault(canonical(part) if answer else place, part)
    return list(found.values())


def _others(content: Object) -> bytes:
    return canonical({key: value for key, value in content.items() if key != "parts"})


def _same(before: object, now: object) -> bool:
    """Another signature is another thought: then it is not."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return canonical(before) == canonical(now)
    lost = string(now, *_SIGNATURE) in (*_UNSIGNED, string(before, *_SIGNATURE))
    return lost and _unsigned(before) == _unsigned(now)


def _unsigned(part: Object) -> bytes:
    return canonical({key: value for key, value in part.items() if key not in _SIGNATURE})


def _declared(tools: list[object]) -> int:
    """Tools that are functions count each, others (search, code execution) once."""
    lists = (tool.get("functionDeclarations", tool.get("function_declarations")) for tool in tools if _is_object(tool))
    return sum(len(listed) if isinstance(listed, list) else 1 for listed in lists)


def _is_object(value: object) -> TypeGuard[Object]:
    return isinstance(value, dict)


_LAYOUT = Layout(
    tools=("tools",),
    system=("systemInstruction", "system_instruction"),
    # What is rendered into the prompt or selects another cache; no published list exists (own reading).
    parameters=(
        "toolConfig",
        "tool_config",
        "cachedContent",
        "cached_content",
        "generationConfig.thinkingConfig",
        "generationConfig.responseMimeType",
        "generationConfig.responseSchema",
        "generationConfig.responseJsonSchema",
    ),
    max_output=("generationConfig.maxOutputTokens",),
    stand_down=lambda fields: "",
    count_tools=_declared,
    streams=lambda path: ":streamGenerateContent" in path,
)


def _normalise(usage: object) -> Usage:
    """The prompt includes what was cached; candidates leave out thoughts, which are billed as output."""
    thoughts, spoken = first(usage, "thoughtsTokenCount"), first(usage, "candidatesTokenCount")
    return Usage(
        input=first(usage, "promptTokenCount"),
        cache_read=first(usage, "cachedContentTokenCount"),
        output=total(thoughts if spoken is None else spoken, None if spoken is None else thoughts),
        reasoning=thoughts,
    )


# Each chunk of a stream has it; the last one is complete.
_SOURCE = Source(places=("usageMetadata",), hints=(b'"usageMetadata"',), normalise=_normalise)

# google.rpc.Code names for HTTP statuses.
_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _error(status: int, message: str) -> bytes:
    name = _ERRORS.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return msgspec.json.encode({"error": {"code": status, "message": message, "status": name}})


GEMINI = View(
    name="gemini",
    list_key="contents",
    recognises=lambda path: _PATH.search(path) is not None,
    parts=_parts,
    heading=partial(read_head, _LAYOUT),
    prompting=partial(read_prompt, _LAYOUT),
    fields=HeadFields(_LAYOUT.tools, _LAYOUT.system),
    source=_SOURCE,
    error=_error,
    message_tokens=2,
    restated=_restated,
)
"""Nothing carries a cache marker here."""

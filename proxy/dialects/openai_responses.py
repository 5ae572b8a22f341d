"""OpenAI Responses: a list of input items, of which messages are only one kind.

Rules of this room: tables and small readers, the view does the rest. Sources: types of the `openai`
package 3.54.0; guides "Prompt caching" and "Keep the prefix unchanged" on developers.openai.com.
"""

import re
from functools import partial

import msgspec

from policies.core.conversation import Role
from policies.core.usage import Usage
from proxy.dialects.head_bytes import HeadFields
from proxy.dialects.heads import Fields, Layout, read_head, read_prompt
from proxy.dialects.openai_chat import OPENAI_IMAGE_TOKENS, openai_error
from proxy.dialects.parts import (
    Object,
    Part,
    Read,
    call,
    contents,
    last_part,
    leftovers,
    media,
    observation,
    observed,
    opaque,
    reasoning,
    string,
    text,
)
from proxy.dialects.pictures import Picture
from proxy.dialects.slices import Path
from proxy.dialects.usages import Source, first
from proxy.dialects.view import Parts, View

_PATH = re.compile(r"(?:^|/)responses/?(\?|$)")

_ROLES = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
_TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text"})
_MEDIA_TOKENS = {"input_image": OPENAI_IMAGE_TOKENS, "input_file": 1500, "input_audio": 500}
_PICTURES = {"input_image": "image", "input_file": "document"}
_MARKABLE = frozenset({"input_text", "input_image", "input_file"})
# Calls that the client carries out: where the tool's name stands, or its name; and where the arguments stand.
_CALLS = {
    "function_call": ("name", "arguments"),
    "custom_tool_call": ("name", "input"),
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
    "computer_call": ("computer", "action"),
    "tool_search_call": ("tool_search", "arguments"),
}
_RESULTS = frozenset(
    {
        "function_call_output",
        "custom_tool_call_output",
        "local_shell_call_output",
        "shell_call_output",
        "apply_patch_call_output",
        "computer_call_output",
        "tool_search_output",
    }
)
# Their content is checked, or stands on the server: what precedes them had better stay.
_BOUND = frozenset({"compaction", "compaction_summary", "item_reference"})
# What only names an item; a client that starts anew may name it anew.
_NAMES = frozenset({"id", "status"})
_KNOWN = frozenset({"type", "role", "content"}) | _NAMES


def _parts(item: Object) -> Parts:
    kind = string(item, "type") or ("message" if "role" in item else "")
    if kind == "message" and string(item, "role") in _ROLES:
        return _message(item)
    if kind in _CALLS:
        return Role.ASSISTANT, [_call(item, *_CALLS[kind])]
    if kind in _RESULTS:
        return Role.TOOL, [_result(item)]
    if kind == "reasoning":
        return Role.ASSISTANT, [_reasoning(item)]
    role = _ROLES.get(string(item, "role"), Role.ASSISTANT)
    return role, [opaque(item, bound=kind in _BOUND)]


def _message(item: Object) -> Parts:
    role = _ROLES[string(item, "role")]
    content = item.get("content")
    text_type = "output_text" if role is Role.ASSISTANT else "input_text"
    parts = contents(content, ("content",), text_type, _reader(role))
    return role, [*observed(role, parts, content), *leftovers(item, _KNOWN)]


def _reader(role: Role) -> Read:
    markable = role is not Role.ASSISTANT  # the guide: not on assistant output

    def read(item: Object, path: Path) -> Part:
        kind = string(item, "type")
        if kind in _TEXTS:
            return text(item, path, markable=markable and kind == "input_text")
        if kind in _MEDIA_TOKENS:
            return media(item, _MEDIA_TOKENS[kind], path, markable=markable and kind in _MARKABLE)
        return opaque(item, path)

    return read


def _call(item: Object, name: str, arguments: str) -> Part:
    tool = string(item, name) if name == "name" else name
    return call(_nameless(item), tool, item.get(arguments), call_id=string(item, "call_id", "id"))


def _nameless(item: Object) -> Object:
    """An item without its name, if a call id tells it from others."""
    return {key: value for key, value in item.items() if key not in _NAMES} if string(item, "call_id") else item


def _result(item: Object) -> Part:
    """What a client's tool answered can be replaced; a computer's screenshot or a status cannot."""
    output = item.get("output")
    return observation(
        _nameless(item),
        (),
        "output",
        call_id=string(item, "call_id", "id"),
        error=item.get("status") == "failed",
        text_type="input_text",
        mark=last_part(output, ("output",), _MARKABLE) if string(item, "type") in _MARKABLE_RESULTS else None,
        known=_picture,
    )


def _picture(item: Object) -> Picture | None:
    kind = string(item, "type")
    return Picture(_PICTURES[kind], _MEDIA_TOKENS[kind]) if kind in _PICTURES else None


# The types whose `output` may be a list of content parts.
_MARKABLE_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})


def _reasoning(item: Object) -> Part:
    """Encrypted, or kept on the server under its id: either way the provider knows what stood before it."""
    spoken = [part["text"] for part in _texts(item, "summary") + _texts(item, "content")]
    sealed = string(item, "encrypted_content")  # the summary is shorter than what it stands for
    part = reasoning(item, None if sealed else "\n".join(spoken))
    return msgspec.structs.replace(part, bound=part.bound or bool(item.get("id")))


def _texts(item: Object, key: str) -> list[Object]:
    listed = item.get(key)
    parts = listed if isinstance(listed, list) else []
    return [part for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]


def _marker(long: bool) -> bytes:
    """Without a lifetime of its own a breakpoint inherits the request's, 30 minutes by default."""
    return b'"prompt_cache_breakpoint":{"mode":"explicit"%b}' % (b',"ttl":"12h"' if long else b"")


def _stand_down(fields: Fields) -> str:
    if fields.get("truncation") == "auto":
        return "truncation"  # the server drops the oldest items
    return next((name for name in _MANAGED if fields.get(name)), "")


_MANAGED = ("previous_response_id", "conversation", "context_management")

_LAYOUT = Layout(
    tools=("tools",),
    system=("instructions", "prompt"),
    # Guide "Keep the prefix unchanged"; the mode, because an implicit write is not read in explicit mode.
    parameters=(
        "parallel_tool_calls",
        "text.format",
        "text.verbosity",
        "reasoning.effort",
        "context_management",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_options.mode",
        "cache_salt",
    ),
    max_output=("max_output_tokens",),
    reasoning="reasoning.context",
    stand_down=_stand_down,
    also=(*_MANAGED, "truncation"),
)


def _normalise(usage: object) -> Usage:
    return Usage(
        input=first(usage, "input_tokens"),
        cache_read=first(usage, "input_tokens_details.cached_tokens"),
        cache_write=first(usage, "input_tokens_details.cache_write_tokens"),
        cache_write_long=first(usage, "input_tokens_details.cache_write_tokens_details.ttl_12h_tokens"),
        output=first(usage, "output_tokens"),
        reasoning=first(usage, "output_tokens_details.reasoning_tokens"),
    )


# In a stream: `response.completed`, `.incomplete` and `.failed`, each with the whole response.
_SOURCE = Source(
    places=("response.usage", "usage"),
    hints=(b'"usage"',),
    normalise=_normalise,
    diagnoses=("response.prompt_cache_diagnostics", "prompt_cache_diagnostics"),
    answers=("response.id", "id"),
)

OPENAI_RESPONSES = View(
    name="openai_responses",
    list_key="input",
    recognises=lambda path: _PATH.search(path) is not None,
    parts=_parts,
    heading=partial(read_head, _LAYOUT),
    prompting=partial(read_prompt, _LAYOUT),
    fields=HeadFields(_LAYOUT.tools, _LAYOUT.system),
    source=_SOURCE,
    error=openai_error,
    message_tokens=3,
    names=_NAMES,
    text_type="input_text",
    marker=_marker,
)

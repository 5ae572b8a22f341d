"""Anthropic Messages, also behind Vertex and Bedrock and by servers that speak it (llama-server, vLLM).

Rules of this room: tables and small readers, the view does the rest. Sources: types of the
`anthropic` package 2.12.0; guides "prompt caching", "vision", "errors" on platform.claude.com.
"""

import re
from functools import partial

import msgspec

from policies.core.conversation import Head, Kind, Role
from policies.core.usage import Usage
from proxy.dialects import Count
from proxy.dialects.canonical import lasting, marked, unmarked
from proxy.dialects.head_bytes import HeadFields
from proxy.dialects.heads import Fields, Layout, head_ending, read_head, read_prompt
from proxy.dialects.images import anthropic_image_tokens
from proxy.dialects.parts import (
    CALL_TOKENS,
    SEALED_CHARACTERS,
    Object,
    Part,
    call,
    compact,
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
from proxy.dialects.usages import Source, first, total
from proxy.dialects.values import pick
from proxy.dialects.view import Parts, View
from proxy.errors import DialectError

# Not `/threads/ID/messages` (OpenAI Assistants), not `/messages/count_tokens` or `/messages/batches`; on Vertex not the
# model `count-tokens`. On Bedrock a model's id names its vendor; a profile's does not, so there the body decides.
_PATH = re.compile(
    r"""(?: (?:^|/)messages/?
          | publishers/anthropic/models/(?!count-tokens:)[^/]+:(?:streamR|r)awPredict
          | /model/[^/]*(?:anthropic\.|application-inference-profile)[^/]*/invoke(?:-with-response-stream)?
        )(?:\?|$)""",
    re.VERBOSE,
)
_THREAD = re.compile(r"/threads/[^/]+/messages/?(\?|$)")

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
# Blocks whose type in the package has `cache_control`, besides the `..._tool_result` ones.
_MARKABLE = frozenset(
    {"tool_use", "server_tool_use", "mcp_tool_use", "tool_result", "search_result", "container_upload", "compaction"}
)
_DOCUMENT_TOKENS = 1500  # a page of a PDF is 1,500 to 3,000 tokens (guide "PDF support")
_CHARACTERS_PER_TOKEN = 4  # of a document in plain text
_BASE64_BYTES_PER_TOKEN = 40  # of a PDF in base64: about 75 kB a page at 2,000 tokens (own estimate)


def _parts(message: Object) -> Parts:
    role = _ROLES.get(string(message, "role"))
    if role is None:
        return Role.USER, [opaque(message)]
    content = message.get("content")
    blocks = contents(content, ("content",), "text", _read)
    return role, [*observed(role, blocks, content), *leftovers(message, frozenset({"role", "content"}))]


def _read(item: Object, path: Path) -> Part:
    kind = string(item, "type")
    if kind == "text":
        return text(item, path, markable=True)
    if kind == "thinking":  # empty with a signature is normal: its display was left out
        return reasoning(item, item.get("thinking"), path)
    if kind == "redacted_thinking":
        return _redacted(item, path)
    if kind in _CALLS:
        name, given = string(item, "name"), item.get("input")
        return call(item, name, given, path, call_id=string(item, "id"), markable=True)
    if kind == "tool_result":
        return _result(item, path)
    if kind == "image":
        return media(item, anthropic_image_tokens(pick(item, "source.data")), path, markable=True)
    if kind == "document":
        return _document(item, path)
    if kind.endswith("_tool_result"):
        return _server_result(item, path)
    return _other(item, kind, path)


def _redacted(item: Object, path: Path) -> Part:
    """Thinking that is encrypted throughout."""
    sealed = len(string(item, "data")) // SEALED_CHARACTERS
    return msgspec.structs.replace(reasoning(item, None, path), bound=True, extra=sealed)


def _result(item: Object, path: Path) -> Part:
    return observation(
        item,
        path,
        "content",
        call_id=string(item, "tool_use_id"),
        error=item.get("is_error") is True,
        mark=path,
        known=_picture,
    )


def _picture(item: Object) -> Picture | None:
    kind = string(item, "type")
    if kind == "image":
        return Picture(kind, anthropic_image_tokens(pick(item, "source.data")))
    if kind != "document":
        return None
    part = _document(item, ())
    return Picture(kind, part.extra + len(part.text) // _CHARACTERS_PER_TOKEN)


def _server_result(item: Object, path: Path) -> Part:
    """What a tool of the provider's own answered: it may be encrypted, and it is not ours to edit."""
    return Part(
        Kind.OBSERVATION,
        unmarked(item),
        compact(item.get("content")),
        extra=CALL_TOKENS,
        path=path,
        mark=path,
        marked=marked(item),
        long=lasting(item),
        call_id=string(item, "tool_use_id"),
        failed=item.get("is_error") is True,
    )


def _document(item: Object, path: Path) -> Part:
    data = pick(item, "source.data")
    if pick(item, "source.type") == "text" and isinstance(data, str):
        return msgspec.structs.replace(media(item, 0, path, markable=True), text=data)
    size = len(data) // _BASE64_BYTES_PER_TOKEN if isinstance(data, str) else 0
    return media(item, max(_DOCUMENT_TOKENS, size), path, markable=True)


def _other(item: Object, kind: str, path: Path) -> Part:
    """A compaction block is signed like reasoning: what it holds is checked when it comes back."""
    part = opaque(item, path, bound=kind == "compaction")
    return msgspec.structs.replace(part, mark=path if kind in _MARKABLE else None)


def _listed(content: object) -> list[Object]:
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []


def _marker(long: bool) -> bytes:
    return b'"cache_control":{"type":"ephemeral"%b}' % (b',"ttl":"1h"' if long else b"")


def _stand_down(fields: Fields) -> str:
    """The one edit that changes nothing is keeping all thinking; Claude Code sends it."""
    if fields.get("thread"):
        return "thread"
    edits = _listed(pick(fields, "context_management.edits"))
    keeps = all(edit.get("type") == "clear_thinking_20251015" and edit.get("keep") == "all" for edit in edits)
    if not keeps:
        return "context_management"
    return "compaction" if fields.get("compaction") else ""


def _in_prompt(tool: object) -> bool:
    """A deferred tool is shown to the model where a result refers to it; adding one keeps the cached prefix."""
    return pick(tool, "defer_loading") is not True


def _ending(fields: Fields) -> Path | None:
    """The last block of `system`, else the last tool that is in the prompt; the API takes no marker on blank text."""
    system = fields.get("system")
    if isinstance(system, str) and system.strip():
        return ("system",)
    if system:
        return last_part(system, ("system",), frozenset({"text"}))
    tools = fields.get("tools")
    shown = [place for place, tool in enumerate(tools) if _in_prompt(tool)] if isinstance(tools, list) else []
    return ("tools", shown[-1]) if shown and not fields.get("mcp_servers") else None


_LAYOUT = Layout(
    tools=("tools", "mcp_servers"),
    system=("system",),
    parameters=("tool_choice", "thinking", "output_config", "speed"),  # guide "prompt caching", what invalidates
    max_output=("max_tokens",),
    stand_down=_stand_down,
    in_prompt=_in_prompt,
    ending=_ending,
    also=("thread", "context_management", "compaction"),
    streams=lambda path: ":streamRawPredict" in path or path.endswith("/invoke-with-response-stream"),
)


def _heading(rest: bytes, path: str, count: Count) -> Head:
    if "/model/" in path and b'"anthropic_version"' not in rest:  # which Bedrock demands of Anthropic's format
        raise DialectError("another_format")
    return read_head(_LAYOUT, rest, path, count)


def _normalise(usage: object) -> Usage:
    """Here `input_tokens` leaves out what was read and written; tokens of a compaction step are not counted."""
    read, write = first(usage, "cache_read_input_tokens"), first(usage, "cache_creation_input_tokens")
    return Usage(
        input=total(first(usage, "input_tokens"), read, write),
        cache_read=read,
        cache_write=write,
        cache_write_long=first(usage, "cache_creation.ephemeral_1h_input_tokens"),
        output=first(usage, "output_tokens"),
        reasoning=first(usage, "output_tokens_details.thinking_tokens", "output_tokens_details.reasoning_tokens"),
    )


_SOURCE = Source(
    places=("usage", "message.usage"),
    hints=(b'"usage"',),
    normalise=_normalise,
    diagnoses=("diagnostics.cache_miss_reason", "message.diagnostics.cache_miss_reason"),
    answers=("message.id", "id"),
)

# Guide "errors".
_ERRORS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _error(status: int, message: str) -> bytes:
    kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


ANTHROPIC_MESSAGES = View(
    name="anthropic_messages",
    list_key="messages",
    recognises=lambda path: _PATH.search(path) is not None and _THREAD.search(path) is None,
    parts=_parts,
    heading=_heading,
    prompting=partial(read_prompt, _LAYOUT),
    fields=HeadFields(_LAYOUT.tools, _LAYOUT.system),
    source=_SOURCE,
    error=_error,
    message_tokens=4,
    marker=_marker,
    ending=partial(head_ending, _LAYOUT),
)

"""Amazon Bedrock: the Converse API, and what is measured of models invoked in formats of their own.

Rules of this room: tables and small readers, the view does the rest. In Converse a part has no `type`: its
only key says what it is, and a cache point is a part of its own behind what it ends.
Source: the model of bedrock-runtime 2023-09-30 in botocore 1.44. Claude invoked in Anthropic's format is
read by that dialect.
"""

import re
from functools import partial

import msgspec

from policies.core.conversation import Kind, Role
from policies.core.usage import Usage
from proxy.dialects.canonical import is_marker, lasting
from proxy.dialects.head_bytes import HeadFields
from proxy.dialects.heads import Fields, Layout, head_ending, read_head, read_prompt
from proxy.dialects.images import anthropic_image_tokens
from proxy.dialects.measured import measured
from proxy.dialects.parts import (
    SEALED_CHARACTERS,
    Object,
    Part,
    call,
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
from proxy.dialects.values import integer, pick
from proxy.dialects.view import Parts, View

_CONVERSE = re.compile(r"/model/[^/]+/converse(?:-stream)?(?:\?|$)")
_INVOKE = re.compile(
    r"/model/(?![^/]*(?:anthropic\.|application-inference-profile))[^/]+/invoke(?:-with-response-stream)?(?:\?|$)"
)

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT}
_FILES = frozenset({"document", "video", "audio"})
_FILE_TOKENS = 1500  # a page of a document; sound and film by the second, which is not told (own estimate)


def _parts(message: Object) -> Parts:
    role, listed = _ROLES.get(string(message, "role")), message.get("content")
    if role is None or not isinstance(listed, list):
        return role or Role.USER, [opaque(message)]
    parts: list[Part] = []
    for place, item in enumerate(listed):
        if parts and is_marker(item):
            parts[-1] = msgspec.structs.replace(parts[-1], marked=True, long=lasting(item))
        else:
            parts.append(_read(item, ("content", place)))
    return role, [*observed(role, parts, listed), *leftovers(message, frozenset({"role", "content"}))]


def _read(item: object, path: Path) -> Part:
    if not isinstance(item, dict) or len(item) != 1:
        return opaque(item, path)
    ((kind, inner),) = item.items()
    if kind == "text" and isinstance(inner, str):
        return text(item, path, markable=True)
    if not isinstance(inner, dict):
        return opaque(item, path)
    inside = (*path, kind)
    if kind == "toolUse":
        made = call(inner, string(inner, "name"), inner.get("input"), inside, call_id=string(inner, "toolUseId"))
        return msgspec.structs.replace(made, mark=path)
    if kind == "toolResult":
        failed = inner.get("status") == "error"
        return observation(
            inner, inside, "content", call_id=string(inner, "toolUseId"), error=failed, mark=path, known=_picture
        )
    if kind == "reasoningContent":
        return _reasoning(inner, inside)
    if kind == "image":
        return media(item, anthropic_image_tokens(pick(inner, "source.bytes")), path, markable=True)
    return media(item, _FILE_TOKENS, path) if kind in _FILES else opaque(item, path)


def _picture(item: Object) -> Picture | None:
    if item.keys() == {"image"}:
        return Picture("image", anthropic_image_tokens(pick(item, "image.source.bytes")))
    return Picture("document", _FILE_TOKENS) if item.keys() == {"document"} else None


def _reasoning(inner: Object, path: Path) -> Part:
    """Signed text, or, where it is redacted, nothing that could be read."""
    told = inner.get("reasoningText")
    if isinstance(told, dict):
        return reasoning(told, told.get("text"), path)
    sealed = len(string(inner, "redactedContent")) // SEALED_CHARACTERS
    return Part(Kind.REASONING, inner, extra=sealed, path=path, bound=True)


def _stand_down(fields: Fields) -> str:
    """A prompt that Bedrock keeps stands before these messages; editing may be asked for in the model's own fields."""
    if fields.get("promptVariables"):
        return "stored_prompt"
    return "context_management" if pick(fields, "additionalModelRequestFields.context_management") else ""


def _marker(long: bool) -> bytes:
    return b'"cachePoint":{"type":"default"%b}' % (b',"ttl":"1h"' if long else b"")


def _ending(fields: Fields) -> Path | None:
    """The last part of `system`, else the last tool. What a guard reads is left alone."""
    system, tools = fields.get("system"), pick(fields, "toolConfig.tools")
    if isinstance(system, list) and system:
        last = system[-1]
        return ("system", len(system) - 1) if isinstance(last, dict) and string(last, "text").strip() else None
    return ("toolConfig", "tools", len(tools) - 1) if isinstance(tools, list) and tools else None


_LAYOUT = Layout(
    tools=("toolConfig.tools",),
    system=("system",),
    # What the models' own APIs have in their caches' identity; thinking is asked for in the additional fields.
    parameters=(
        "toolConfig.toolChoice",
        "additionalModelRequestFields",
        "outputConfig",
        "performanceConfig",
        "serviceTier",
    ),
    max_output=("inferenceConfig.maxTokens",),
    stand_down=_stand_down,
    also=("promptVariables",),
    count_tools=lambda tools: sum(not is_marker(tool) for tool in tools),
    streams=lambda path: path.endswith("/converse-stream"),
    ending=_ending,
)


def _normalise(usage: object) -> Usage:
    """`inputTokens` leaves out what was read and written: in every recorded answer the total is their sum."""
    read, write = first(usage, "cacheReadInputTokens"), first(usage, "cacheWriteInputTokens")
    return Usage(
        input=total(first(usage, "inputTokens"), read, write),
        cache_read=read,
        cache_write=write,
        cache_write_long=_long(pick(usage, "cacheDetails")),
        output=first(usage, "outputTokens"),
    )


def _long(details: object) -> int | None:
    if not isinstance(details, list):
        return None
    return sum(integer(pick(one, "inputTokens")) or 0 for one in details if pick(one, "ttl") == "1h")


def _counted(metrics: object) -> Usage:
    """What Bedrock itself counts, in the last event of a stream; or Amazon's own models, which answer as Converse."""
    if first(metrics, "inputTokens") is not None:
        return _normalise(metrics)
    read, write = first(metrics, "cacheReadInputTokenCount"), first(metrics, "cacheWriteInputTokenCount")
    return Usage(
        input=total(first(metrics, "inputTokenCount"), read, write),
        cache_read=read,
        cache_write=write,
        output=first(metrics, "outputTokenCount"),
    )


def _error(status: int, message: str) -> bytes:
    return msgspec.json.encode({"message": message})


_CONVERSED = Source(places=("usage",), hints=(b'"usage"',), normalise=_normalise)
_METRICS = "amazon-bedrock-invocationMetrics"
_INVOKED = Source(places=(_METRICS, "usage"), hints=(_METRICS.encode(), b'"usage"'), normalise=_counted)

BEDROCK_CONVERSE = View(
    name="bedrock_converse",
    list_key="messages",
    recognises=lambda path: _CONVERSE.search(path) is not None,
    parts=_parts,
    heading=partial(read_head, _LAYOUT),
    prompting=partial(read_prompt, _LAYOUT),
    fields=HeadFields(_LAYOUT.tools, _LAYOUT.system),
    source=_CONVERSED,
    error=_error,
    message_tokens=4,
    marker=_marker,
    beside=True,
    ending=partial(head_ending, _LAYOUT),
)

BEDROCK_INVOKE = measured("bedrock_invoke", _INVOKE, _INVOKED, _error)

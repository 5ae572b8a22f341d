"""OpenAI Chat Completions, and the many servers that speak it: vLLM, llama-server, DeepSeek, OpenRouter.

Rules of this room: tables and small readers, the view does the rest. Sources: types of the `openai`
package 3.54.0; provider fields in docs.vllm.ai, api-docs.deepseek.com, openrouter.ai/docs.
"""

import re
from functools import partial

import msgspec

from policies.core.conversation import Role
from policies.core.usage import Usage
from proxy.dialects.head_bytes import HeadFields
from proxy.dialects.heads import Fields, Layout, read_head, read_prompt
from proxy.dialects.parts import (
    Object,
    Part,
    Read,
    call,
    contents,
    ending_marked,
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
from proxy.dialects.slices import Path
from proxy.dialects.usages import Source, first, total
from proxy.dialects.values import pick
from proxy.dialects.view import Parts, View

_PATH = re.compile(r"/chat/completions/?(\?|$)")

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
# Reasoning beside the content: DeepSeek, vLLM, Qwen; Ollama, OpenRouter; OpenRouter; LiteLLM.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
_TEXTS = frozenset({"text", "refusal"})
# A breakpoint may stand on these; `image_url`, `input_audio` and `file` as the package's types have it.
_MARKABLE = frozenset({"text", "image_url", "input_audio", "file"})
# Guide "Images and vision": 85 + 170 for each of four tiles of 1024 x 1024; low detail 85. Sound and files: a guess.
OPENAI_IMAGE_TOKENS = 765
_MEDIA_TOKENS = {"image_url": OPENAI_IMAGE_TOKENS, "input_audio": 500, "file": 1500}
_LOW_DETAIL = 85
_KNOWN = frozenset({"role", "content", "tool_calls", "function_call", "refusal", "tool_call_id", *_REASONING})


def _parts(message: Object) -> Parts:
    role = _ROLES.get(string(message, "role"))
    if role is None:
        return Role.USER, [opaque(message)]
    if role is Role.TOOL:
        return role, [_result(message)]
    spoken = contents(message.get("content"), ("content",), "text", _reader(role))
    thoughts = [reasoning({key: message[key]}, message[key]) for key in _REASONING if message.get(key)]
    refusal = contents(message.get("refusal"), ("refusal",), "refusal", _reader(Role.ASSISTANT))
    parts = [
        *thoughts,
        *observed(role, spoken, message.get("content")),
        *refusal,
        *_calls(message),
        *leftovers(message, _KNOWN),
    ]
    return role, ending_marked(parts, message)


def _reader(role: Role) -> Read:
    markable = role is not Role.ASSISTANT  # the prompt-caching guide: not on assistant output

    def read(item: Object, path: Path) -> Part:
        kind = string(item, "type")
        if kind in _TEXTS:
            return text(item, path, markable=markable)
        if kind in _MEDIA_TOKENS:
            return media(item, _media(item, kind), path, markable=markable)
        if kind == "thinking":  # Mistral
            return reasoning(item, item.get("thinking"), path)
        return opaque(item, path)

    return read


def _media(item: Object, kind: str) -> int:
    low = kind == "image_url" and pick(item, "image_url.detail") == "low"
    return _LOW_DETAIL if low else _MEDIA_TOKENS[kind]


def _result(message: Object) -> Part:
    content = message.get("content")
    return observation(
        message,
        (),
        "content",
        call_id=string(message, "tool_call_id", "name"),
        tool=string(message, "name"),
        mark=last_part(content, ("content",), _MARKABLE),
    )


def _calls(message: Object) -> list[Part]:
    listed = message.get("tool_calls")
    calls = listed if isinstance(listed, list) else [listed]
    parts = [_call(item) if isinstance(item, dict) else opaque(item) for item in calls if item is not None]
    old = message.get("function_call")  # before tools; its answer names the function
    if isinstance(old, dict):
        parts.append(call(old, string(old, "name"), old.get("arguments"), call_id=string(old, "name")))
    return parts


def _call(item: Object) -> Part:
    inner = next((value for key in ("function", "custom") if isinstance(value := item.get(key), dict)), {})
    signature = pick(item, "extra_content.google.thought_signature")  # Gemini behind the chat API
    return call(
        item,
        string(inner, "name"),
        inner.get("arguments", inner.get("input")),
        call_id=string(item, "id"),
        bound=bool(signature),
    )


def _marker(long: bool) -> bytes:
    """There is one lifetime in this API, so `long` asks for nothing more."""
    return b'"prompt_cache_breakpoint":{"mode":"explicit"}'


def _stand_down(fields: Fields) -> str:
    return next((name for name in _MANAGED if fields.get(name)), "")


# Histories that something between here and the model shortens: OpenRouter's middle-out, LiteLLM's editing.
_MANAGED = ("transforms", "context_management")

_LAYOUT = Layout(
    tools=("tools", "functions"),
    system=(),  # the leading system messages are part of the list
    # OpenAI's guide "Keep the prefix unchanged"; then what vLLM, Qwen, GLM and DeepSeek render into the prompt.
    parameters=(
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "verbosity",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_options.mode",
        "reasoning.effort",
        "thinking",
        "enable_thinking",
        "chat_template",
        "chat_template_kwargs",
        "cache_salt",
    ),
    max_output=("max_completion_tokens", "max_tokens"),
    stand_down=_stand_down,
    also=_MANAGED,
)


def _normalise(usage: object) -> Usage:
    given, made = first(usage, "prompt_tokens"), first(usage, "completion_tokens")
    if given is None and made is None:
        return _timed(usage)
    rest = (first(usage, "total_tokens") or 0) - given if given is not None else 0
    return Usage(
        input=given,
        # the second is DeepSeek's, the third Moonshot's
        cache_read=first(usage, "prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cached_tokens"),
        # the second is LiteLLM's
        cache_write=first(usage, "prompt_tokens_details.cache_write_tokens", "cache_creation_input_tokens"),
        # xAI and Gemini leave reasoning out of what is completed; it is in the total, and billed
        output=None if made is None else max(made, rest),
        reasoning=first(usage, "completion_tokens_details.reasoning_tokens", "reasoning_tokens"),
    )


def _timed(timings: object) -> Usage:
    """What llama-server says of every answer, also where a stream was not asked for its usage."""
    read = first(timings, "cache_n")
    return Usage(input=total(first(timings, "prompt_n"), read), cache_read=read, output=first(timings, "predicted_n"))


_SOURCE = Source(places=("usage", "x_groq.usage", "timings"), hints=(b'"usage"', b'"timings"'), normalise=_normalise)


def openai_error(status: int, message: str) -> bytes:
    """The one shape of OpenAI's errors, in both of its APIs."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": None}})


OPENAI_CHAT = View(
    name="openai_chat",
    list_key="messages",
    recognises=lambda path: _PATH.search(path) is not None,
    parts=_parts,
    heading=partial(read_head, _LAYOUT),
    prompting=partial(read_prompt, _LAYOUT),
    fields=HeadFields(_LAYOUT.tools, _LAYOUT.system),
    source=_SOURCE,
    error=openai_error,
    message_tokens=4,  # cookbook: 3 a message and 1 for a name
    marker=_marker,
)

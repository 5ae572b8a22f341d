"""What an Anthropic Messages request may contain: the field tables.

Source: the types of the anthropic package, 2.12.0 (`types/message_create_params.py`, `types/beta/...`). A field that
is not in a table is refused as the API does it: "Extra inputs are not permitted".
"""

REQUEST = {
    "model": "string", "messages": "array", "max_tokens": "integer", "stream": "boolean", "system": "string or array",
    "tools": "array", "tool_choice": "object", "thinking": "object", "output_config": "object", "metadata": "object",
    "stop_sequences": "array", "temperature": "number", "top_p": "number", "top_k": "integer", "speed": "string",
    "service_tier": "string", "cache_control": "object", "container": "string or object", "diagnostics": "object",
    "inference_geo": "string", "user_profile_id": "string", "workspace_id": "string",
}  # fmt: skip

COUNTED = (
    "cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools",
    "user_profile_id", "workspace_id",
)  # fmt: skip
"""Fields of count_tokens (`types/message_count_tokens_params.py`)."""

BETA = {
    "context_management": ("context-management-", "compact-2026-01-12"),
    "compaction": ("compact-2026-09-04",),
    "thread": ("message-threads-",),
    "mcp_servers": ("mcp-client-",),
    "billing_policy": ("",),
    "fallback_credit_token": ("",),
    "fallbacks": ("",),
}
"""Beta fields and the `anthropic-beta` values (or beginnings of values) that admit them; "" is any."""

BLOCKS: dict[str, tuple[str, ...]] = {
    "text": ("citations", "text"),
    "image": ("source", "transformations"),
    "document": ("citations", "context", "source", "title"),
    "search_result": ("citations", "content", "source", "title"),
    "thinking": ("signature", "thinking"),
    "redacted_thinking": ("data",),
    "tool_use": ("caller", "id", "input", "name", "toolset_name"),
    "tool_result": ("content", "is_error", "tool_use_id", "toolset_name"),
    "server_tool_use": ("caller", "id", "input", "name"),
    "web_search_tool_result": ("caller", "content", "tool_use_id"),
    "web_fetch_tool_result": ("caller", "content", "tool_use_id"),
    "advisor_tool_result": ("content", "tool_use_id"),
    "code_execution_tool_result": ("content", "tool_use_id"),
    "bash_code_execution_tool_result": ("content", "tool_use_id"),
    "text_editor_code_execution_tool_result": ("content", "tool_use_id"),
    "tool_search_tool_result": ("content", "tool_use_id"),
    "mcp_tool_use": ("id", "input", "name", "server_name"),
    "mcp_tool_result": ("content", "is_error", "tool_use_id"),
    "container_upload": ("file_id",),
    "compaction": ("content", "encrypted_content", "signature", "tool_changes"),
    "tool_addition": ("tool",),
    "tool_removal": ("tool",),
    "mcp_tool_listing": ("mcp_server_name", "tools"),
    "fallback": ("from", "to", "trigger"),
}
"""Keys of each block besides `type`; which of them carry `cache_control` is in UNMARKABLE."""

UNMARKABLE = ("thinking", "redacted_thinking", "mcp_tool_listing", "fallback")

NESTED = ("text", "image", "document", "search_result", "tool_reference")
"""Blocks inside a tool result (`types/tool_result_block_param.py`)."""

MESSAGE = {
    "user": ("role", "content"),
    "assistant": ("role", "content"),
    "system": ("role", "content", "clear_at", "output_config"),
}

CUSTOM_TOOL = (
    "input_schema", "name", "allowed_callers", "cache_control", "defer_loading", "description",
    "eager_input_streaming", "input_examples", "strict", "type",
)  # fmt: skip

THINKING = {
    "enabled": ("type", "budget_tokens", "display", "block_binding"),
    "adaptive": ("type", "display", "block_binding"),
    "disabled": ("type",),
    "between_tools": ("type",),
}

TOOL_CHOICE = {
    "auto": ("type", "disable_parallel_tool_use"),
    "any": ("type", "disable_parallel_tool_use"),
    "tool": ("type", "name", "disable_parallel_tool_use"),
    "none": ("type",),
}

BINDING_BETA = "thinking-binding-controls-2026-08-01"
LEAST_BUDGET = 1_024
MOST_MARKERS = 4

"""What an OpenAI Responses request may contain.

Source: the types of the openai package, 3.54.0 (`types/responses/response_create_params.py`,
`response_input_item_param.py`, `input_token_count_params.py`).
"""

REQUEST = {
    "model": "string", "input": "string or array", "access_programs": "object", "background": "boolean",
    "background_options": "object", "context_management": "array", "conversation": "string or object",
    "image": "object", "include": "array", "instructions": "string", "max_output_tokens": "integer",
    "max_tool_calls": "integer", "metadata": "object", "moderation": "object", "parallel_tool_calls": "boolean",
    "previous_response_id": "string", "prompt": "object", "prompt_cache_key": "string",
    "prompt_cache_options": "object", "prompt_cache_retention": "string", "reasoning": "object",
    "safety_identifier": "string", "service_tier": "string", "store": "boolean", "stream": "boolean",
    "stream_options": "object", "temperature": "number", "text": "object", "tool_choice": "string or object",
    "tools": "array", "top_logprobs": "integer", "top_p": "number", "truncation": "string", "user": "string",
    # Not in the package: Codex 0.169 sends it with every request.
    "client_metadata": "object",
}  # fmt: skip

COUNTED = (
    "conversation", "input", "instructions", "model", "parallel_tool_calls", "personality", "previous_response_id",
    "reasoning", "text", "tool_choice", "tools", "truncation",
)  # fmt: skip

ANSWERED = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "computer_call": "computer_call_output",
    "local_shell_call": "local_shell_call_output",
    "shell_call": "shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
}
"""Calls that the client answers, and the items that answer them."""

OUTPUTS = tuple(ANSWERED.values())

FROM_MODEL = (
    *ANSWERED, "reasoning", "file_search_call", "web_search_call", "image_generation_call", "code_interpreter_call",
    "mcp_list_tools", "mcp_approval_request", "mcp_call", "tool_search_call",
)  # fmt: skip
"""Items that the model produced; a message of the assistant is one too."""

ITEMS = (
    "message", *FROM_MODEL, *OUTPUTS, "tool_search_output", "additional_tools", "configuration_update", "compaction",
    "compaction_trigger", "mcp_approval_response", "item_reference", "program", "program_output",
)  # fmt: skip

ROLES = ("user", "assistant", "system", "developer")

PARTS = {
    "assistant": ("output_text", "refusal"),
    "user": ("input_text", "input_image", "input_file", "input_audio"),
    "system": ("input_text", "input_image", "input_file"),
    "developer": ("input_text", "input_image", "input_file"),
    "output": ("input_text", "input_image", "input_file"),
}

LIVES = ("30m", "12h")
"""Lives of a cache entry (text of `prompt_cache_options`)."""

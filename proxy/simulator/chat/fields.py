"""What an OpenAI Chat Completions request may contain.

Source: the types of the openai package, 3.54.0 (`types/chat/completion_create_params.py`). Unknown fields are refused
for OpenAI's own models only: compatible servers take fields of their own.
"""

REQUEST = {
    "messages": "array", "model": "string", "audio": "object", "frequency_penalty": "number",
    "function_call": "string or object", "functions": "array", "logit_bias": "object", "logprobs": "boolean",
    "max_completion_tokens": "integer", "max_tokens": "integer", "metadata": "object", "modalities": "array",
    "moderation": "object", "n": "integer", "parallel_tool_calls": "boolean", "prediction": "object",
    "presence_penalty": "number", "prompt_cache_key": "string", "prompt_cache_options": "object",
    "prompt_cache_retention": "string", "reasoning_effort": "string", "response_format": "object",
    "safety_identifier": "string", "seed": "integer", "service_tier": "string", "stop": "string or array",
    "store": "boolean", "stream": "boolean", "stream_options": "object", "temperature": "number",
    "tool_choice": "string or object", "tools": "array", "top_logprobs": "integer", "top_p": "number",
    "user": "string", "verbosity": "string", "web_search_options": "object",
}  # fmt: skip

ROLES = ("system", "assistant", "user", "function", "tool", "developer")

PARTS = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
    "function": ("text",),
}

LIVES = ("30m",)
"""Lives of a cache entry that Chat offers (text of `prompt_cache_options`; Responses has 12h too)."""

"""What a Gemini request may contain. Source: the types of the google-genai package, 3.4.0, in their REST spelling.

The REST API reads proto JSON, which takes `snake_case` for every `camelCase` name; inside arguments, responses and
schemas the keys are the caller's own.
"""

from typing import Any

REQUEST = (
    "model", "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig",
    "cachedContent", "serviceTier", "store", "labels",
)  # fmt: skip

COUNTED = ("model", "contents", "generateContentRequest")

CONTENT = ("role", "parts")
ROLES = ("user", "model", "function", "system")

DATA = (
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse",
)  # fmt: skip
"""A part has exactly one of them."""

PART = (
    *DATA, "thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata", "mediaProcessing",
    "audioTranscription", "speechMetadata", "documentMetadata", "spreadsheetMetadata", "audioMetadata",
)  # fmt: skip

FREE = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels")
"""What stands under these keys keeps its own spelling."""

SIGNED = ("gemini-3*", "gemini-4*")
"""Models that want the thought signature back on the calls of the current turn (T5)."""

WAIVERS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures that the documentation gives for calls which no model made (ai.google.dev, thought signatures)."""


def camelled(value: Any) -> Any:
    """The same value with every key in camel case, but for the caller's own keys."""
    if isinstance(value, list):
        return [camelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    row = {}
    for key, item in value.items():
        name = _camel(key)
        row[name] = item if name in FREE else camelled(item)
    return row


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return key if not first else first + "".join(word[:1].upper() + word[1:] for word in rest)

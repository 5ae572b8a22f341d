"""Answers to the requests that a client makes beside its main loop: titles, summaries, classifiers.

Rules of this room: where a JSON schema is asked for, the answer is the smallest value that fits it; else it is
a short text. It knows the four places in which a request carries a schema, and no client.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proxy.simulator.brains import Answer, SeenRequest

TITLE = "Raise the retries"


def aside(seen: SeenRequest) -> Answer:
    schema = next(_schemas(seen.body), None)
    return Answer(text=TITLE if schema is None else json.dumps(smallest(schema)))


def _schemas(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for path in (
        ("output_config", "format", "schema"),  # Anthropic
        ("response_format", "json_schema", "schema"),  # OpenAI Chat
        ("text", "format", "schema"),  # OpenAI Responses
        ("generationConfig", "responseJsonSchema"),  # Gemini
        ("generationConfig", "responseSchema"),
    ):
        if isinstance(found := _at(body, path), Mapping):
            yield found


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def smallest(schema: Mapping[str, Any]) -> Any:
    """The plainest value of a schema: its first choice, its required fields only."""
    if choices := schema.get("enum"):
        return choices[0]
    if "const" in schema:
        return schema["const"]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return smallest(options[0])
    match str(schema.get("type", "object")).lower():
        case "object":
            fields = schema.get("properties", {})
            return {name: smallest(fields[name]) for name in schema.get("required", fields)}
        case "array":
            return []
        case "string":
            return TITLE
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return None

"""Ollama's own API, measured: what it reads and writes; of its cache it says nothing.

Rules of this room: a table. Streams are one JSON object a line, of which the last one counts. Ollama also serves
the APIs of OpenAI and Anthropic, which their dialects read. Source: Ollama's API reference, `/api/chat`.
"""

import re

import msgspec

from policies.core.usage import Usage
from proxy.dialects.measured import measured
from proxy.dialects.usages import Source, first

_PATH = re.compile(r"(?:^|/)api/(?:chat|generate)/?(?:\?|$)")


def _normalise(answer: object) -> Usage:
    return Usage(input=first(answer, "prompt_eval_count"), output=first(answer, "eval_count"))


def _error(status: int, message: str) -> bytes:
    return msgspec.json.encode({"error": message})


OLLAMA = measured("ollama", _PATH, Source(places=("",), hints=(b'"eval_count"',), normalise=_normalise), _error)

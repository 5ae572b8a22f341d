"""All dialects, in one visible list."""

from proxy.dialects import Dialect
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.dialects.bedrock import BEDROCK_CONVERSE, BEDROCK_INVOKE
from proxy.dialects.gemini import GEMINI
from proxy.dialects.ollama import OLLAMA
from proxy.dialects.openai_chat import OPENAI_CHAT
from proxy.dialects.openai_responses import OPENAI_RESPONSES

VIEWED: tuple[Dialect, ...] = (ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES, GEMINI, BEDROCK_CONVERSE)
"""Those whose conversations are seen, and may be edited."""

DIALECTS: tuple[Dialect, ...] = (*VIEWED, BEDROCK_INVOKE, OLLAMA)


def by_name(name: str) -> Dialect:
    """The dialect of this name. KeyError where there is none."""
    return {dialect.name: dialect for dialect in DIALECTS}[name]


def recognise(path: str) -> Dialect | None:
    """The dialect whose answers a POST to this path creates; None passes through."""
    return next((dialect for dialect in DIALECTS if dialect.recognises(path)), None)

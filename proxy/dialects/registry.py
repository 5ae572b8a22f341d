"""All dialects, in one visible list."""

from proxy.dialects import Dialect
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.dialects.gemini import GEMINI
from proxy.dialects.openai_chat import OPENAI_CHAT
from proxy.dialects.openai_responses import OPENAI_RESPONSES

DIALECTS: tuple[Dialect, ...] = (ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES, GEMINI)


def by_name(name: str) -> Dialect:
    """The dialect of this name. KeyError where there is none."""
    return {dialect.name: dialect for dialect in DIALECTS}[name]


def recognise(path: str) -> Dialect | None:
    """The dialect whose answers a POST to this path creates; None passes through."""
    return next((dialect for dialect in DIALECTS if dialect.recognises(path)), None)

"""Images and documents in a tool's answer: what they are called, what they cost, and whether a text may stand for all.

Rules of this room: total on any JSON. One part that is not known, or that carries a cache marker, and the answer
is left as it is. What an image costs is its provider's to say.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from proxy.dialects.canonical import marked

Known = Callable[[Mapping[str, Any]], "Picture | None"]
"""What a dialect makes of one content part that is no text; None: it is not known."""


class Picture(Struct, frozen=True):
    """One part that is no text, or all of an answer's together."""

    name: str = ""
    """"image" or "document", as a placeholder calls it; of all together, empty where no text may stand for them."""
    tokens: int = 0


def nothing(part: Mapping[str, Any]) -> Picture | None:
    """Where a tool's answer is text alone."""
    return None


def pictures(content: object, known: Known) -> Picture:
    """What a tool's answer holds beside text."""
    others = [item for item in content if not is_plain(item)] if isinstance(content, list) else []
    found = [known(item) if isinstance(item, dict) else None for item in others]
    sure = [one for one in found if one]
    whole = sure and len(sure) == len(others) and not marked(content)
    return Picture(sure[0].name if whole else "", sum(one.tokens for one in sure))


def is_plain(part: object) -> bool:
    """Whether a content part is a text and nothing else."""
    return isinstance(part, dict) and isinstance(part.get("text"), str) and set(part) <= {"type", "text"}

"""Canonical form: what makes two pieces of content the same to a provider, whatever their bytes.

Rules of this room: key order, white space, escapes and the spelling of numbers do not count, and cache
markers do not count where the provider reads them. Integers are exact. JSON that means different
things to different readers (a key twice, a lone surrogate) has no canonical form: its identity is
its bytes.
"""

import hashlib
import json
import re
from collections.abc import Iterable

MARKERS = frozenset({"cache_control", "prompt_cache_breakpoint", "cachePoint"})
_LONG_LIVES = frozenset({"1h", "12h"})  # Anthropic and Bedrock; OpenAI Responses
_NESTED = frozenset({"content", "output"})  # the keys of a block under which further blocks stand
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_EXACT = 2.0**53  # below it a float that is whole is exactly that integer


def decode(raw: bytes) -> object:
    """The value of JSON text; ValueError where it has no single meaning."""
    try:
        value: object = json.loads(
            raw.decode(), object_pairs_hook=_object, parse_float=_number, parse_constant=_constant
        )
        if _SURROGATE.search(raw):
            canonical(value)  # a lone surrogate cannot be encoded
    except RecursionError:
        raise ValueError("too deep") from None
    return value


def canonical(value: object) -> bytes:
    """Canonical JSON text; ValueError for a lone surrogate."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def identity(value: object) -> bytes:
    """SHA-256 of the canonical form: equal in every process, safe to store."""
    return digest(canonical(value))


def digest(text: bytes) -> bytes:
    """The identity of a value whose canonical form this is."""
    return hashlib.sha256(text).digest()


def raw_identity(raw: bytes) -> bytes:
    """Identity of JSON that has no canonical form."""
    return digest(b"raw\0" + raw)


def unmarked(value: object, text_type: str = "text") -> object:
    """A block without its cache markers, a string in place of a list of blocks written as one text block.

    Only where blocks stand: arguments of a call may have keys of the same name.
    """
    if isinstance(value, list):
        return [unmarked(item, text_type) for item in value if not is_marker(item)]
    if not isinstance(value, dict):
        return value
    return {
        key: as_blocks(item, text_type) if key in _NESTED else item for key, item in value.items() if key not in MARKERS
    }


def as_blocks(content: object, text_type: str = "text") -> object:
    """Content as a list of blocks without markers."""
    if isinstance(content, str):
        return [{"type": text_type, "text": content}]
    return unmarked(content, text_type) if isinstance(content, list) else content


def is_marker(value: object) -> bool:
    """Whether this is a marker that stands between blocks (Bedrock Converse) and not on one."""
    return isinstance(value, dict) and len(value) == 1 and not MARKERS.isdisjoint(value)


def marked(value: object) -> bool:
    """Whether a block carries a cache marker, itself or in a block inside it."""
    if isinstance(value, list):
        return any(map(marked, value))
    if not isinstance(value, dict):
        return False
    return any(value.get(key) is not None for key in MARKERS) or any(marked(value.get(key)) for key in _NESTED)


def lasting(value: object) -> bool:
    """Whether one of the markers that `marked` finds asks for the long time to live."""
    if isinstance(value, list):
        return any(map(lasting, value))
    if not isinstance(value, dict):
        return False
    return any(_asks_long(value.get(key)) for key in MARKERS) or any(lasting(value.get(key)) for key in _NESTED)


def _asks_long(marker: object) -> bool:
    return isinstance(marker, dict) and marker.get("ttl") in _LONG_LIVES


def _object(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


def _number(text: str) -> float | int:
    value = float(text)
    if not abs(value) < float("inf"):
        raise ValueError("number out of range")
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _constant(text: str) -> object:
    raise ValueError(f"`{text}` is not JSON")

"""Parts: what a dialect says about one piece of a message, before it is hashed and counted.

Rules of this room: total on any JSON value. What is not understood is an OPAQUE part, with its whole
value as identity. Paths point into the message's own JSON, so an edit is a splice.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from policies.core.conversation import Act, Kind, Role
from proxy.dialects.acts import act_of
from proxy.dialects.canonical import MARKERS, as_blocks, canonical, lasting, marked, unmarked
from proxy.dialects.failures import failed
from proxy.dialects.pictures import Known, nothing, pictures
from proxy.dialects.slices import Path
from proxy.dialects.untyped import is_observation

Object = Mapping[str, Any]
"""A decoded JSON object; nothing is known of its values."""

Read = Callable[[Object, Path], "Part"]
"""What a dialect makes of one typed content part."""

CALL_TOKENS = 8
"""Structure around one tool call or result. OpenAI's cookbook on counting chat tokens: 3 to 12 by model."""

SIGNATURES = ("signature", "encrypted_content", "thoughtSignature", "thought_signature")
"""Fields by which a provider checks reasoning when it comes back: Anthropic, OpenAI, Gemini."""

SEALED_CHARACTERS = 8
"""Characters of encrypted reasoning a token: 6 to 10 in recorded answers of OpenAI (own measure, November 2026)."""


class Part(Struct, frozen=True):
    """One piece of a message. A path of None means: not possible here."""

    kind: Kind
    identity: object
    """What the hash covers: without markers, in one form where several mean the same."""
    text: str = ""
    """What the model reads, as far as it is text."""
    extra: int = 0
    """Tokens besides the text: structure, images."""
    path: Path = ()
    content: Path | None = None
    """Where the content stands that a text may replace."""
    mark: Path | None = None
    """The object, or the string to become one, that may carry a cache marker."""
    marked: bool = False
    long: bool = False
    """Marked for the long time to live."""
    call_id: str = ""
    tool: str = ""
    act: Act | None = None
    failed: bool = False
    bound: bool = False
    picture: str = ""
    """What the content holds besides text, if a text may replace it whole all the same."""
    whole: object = None
    """That content, without markers."""


def string(value: Object, *keys: str) -> str:
    """The first of these keys that holds a string that is not empty, else ""."""
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
    return ""


def compact(value: object) -> str:
    """A value as JSON text, for counting."""
    return value if isinstance(value, str) else canonical(value).decode()


def opaque(value: object, path: Path = (), *, bound: bool = False) -> Part:
    """Something this dialect does not know: kept as it is, counted as its JSON."""
    carries, long = marked(value), lasting(value)
    return Part(Kind.OPAQUE, unmarked(value), compact(value), path=path, marked=carries, long=long, bound=bound)


def text(item: Object, path: Path, *, markable: bool, bound: bool = False) -> Part:
    """A part that is plain text. Providers refuse a marker on blank text."""
    words = string(item, "text", "refusal")
    mark = path if markable and words.strip() else None
    carries, long = marked(item), lasting(item)
    return Part(Kind.TEXT, unmarked(item), words, path=path, mark=mark, marked=carries, long=long, bound=bound)


def reasoning(item: object, thoughts: object, path: Path = ()) -> Part:
    """Reasoning; bound where it carries a signature or is encrypted, and then counted by its length."""
    words = compact(thoughts) if thoughts else ""
    signatures = [_signature(value) for value in (item, *(thoughts if isinstance(thoughts, list) else ()))]
    sealed = 0 if words else sum(map(len, signatures)) // SEALED_CHARACTERS
    return Part(
        Kind.REASONING,
        unmarked(item),
        words,
        extra=sealed,
        path=path,
        marked=marked(item),
        long=lasting(item),
        bound=any(signatures),
    )


def call(
    item: Object,
    tool: str,
    arguments: object,
    path: Path = (),
    *,
    call_id: str,
    markable: bool = False,
    bound: bool = False,
) -> Part:
    """A tool call, counted as its name and arguments."""
    return Part(
        Kind.CALL,
        unmarked(item),
        f"{tool} {compact(arguments)}",
        extra=CALL_TOKENS,
        path=path,
        mark=path if markable else None,
        marked=marked(item),
        long=lasting(item),
        call_id=call_id,
        tool=tool,
        act=act_of(tool, arguments),
        bound=bound,
    )


def media(item: Object, tokens: int, path: Path, *, markable: bool = False) -> Part:
    """An image, a sound, a document: counted by a rule of the provider's."""
    mark = path if markable else None
    carries, long = marked(item), lasting(item)
    return Part(Kind.MEDIA, unmarked(item), extra=tokens, path=path, mark=mark, marked=carries, long=long)


def contents(content: object, path: Path, text_type: str, read: Read) -> list[Part]:
    """The parts of a message's content: a string, or a list of typed parts."""
    if content is None:
        return []
    if isinstance(content, str):
        return [read({"type": text_type, "text": content}, path)]
    if not isinstance(content, list):
        return [opaque(content, path)]
    places = (((*path, place), item) for place, item in enumerate(content))
    return [read(item, at) if isinstance(item, dict) else opaque(item, at) for at, item in places]


def leftovers(value: Object, known: frozenset[str]) -> list[Part]:
    """Fields of a message besides the known ones, as one opaque part; null and empty count as absent."""
    rest = {key: item for key, item in value.items() if key not in known | MARKERS and item not in (None, [], {})}
    return [Part(Kind.OPAQUE, rest)] if rest else []


def observation(
    item: Object,
    path: Path,
    key: str,
    *,
    call_id: str,
    tool: str = "",
    error: bool = False,
    text_type: str = "text",
    mark: Path | None = None,
    known: Known = nothing,
) -> Part:
    """A tool's answer whose content stands under `key`. It can be replaced if it is text and what is `known`."""
    content = item.get(key)
    words, plain, extra = flatten(content)
    seen, whole = pictures(content, known), as_blocks(content, text_type)
    return Part(
        Kind.OBSERVATION,
        {**_unmarked_object(item), key: whole},
        words,
        extra=CALL_TOKENS + extra + seen.tokens,
        path=path,
        content=(*path, key) if plain or seen.name else None,
        mark=mark,
        marked=marked(item) or marked(content),
        long=lasting(item) or lasting(content),
        call_id=call_id,
        tool=tool,
        failed=error or failed(words),
        picture=seen.name,
        whole=whole if seen.name else None,
    )


def flatten(content: object) -> tuple[str, bool, int]:
    """Text of a tool's answer; whether that is all there is; how many parts are something else."""
    if isinstance(content, str):
        return content, True, 0
    if not isinstance(content, list):
        return ("" if content is None else compact(content)), False, 0
    texts = [item["text"] for item in content if isinstance(item, dict) and isinstance(item.get("text"), str)]
    plain = len(texts) == len(content) > 0 and all(set(item) <= {"type", "text"} for item in content)
    return "\n".join(texts), plain, len(content) - len(texts)


def last_part(content: object, path: Path, types: frozenset[str]) -> Path | None:
    """Where a marker goes in content that is a string or a list of parts: on its last part."""
    if isinstance(content, str):
        return path if content.strip() else None
    if not isinstance(content, list) or not content or not isinstance(content[-1], dict):
        return None
    last = content[-1]
    blank = "text" in last and not string(last, "text").strip()
    return (*path, len(content) - 1) if string(last, "type") in types and not blank else None


def ending_marked(parts: list[Part], message: Object) -> list[Part]:
    """A marker on the message itself (OpenRouter, LiteLLM) counts for its last part."""
    if not parts or all(message.get(key) is None for key in MARKERS):
        return parts
    return [
        *parts[:-1],
        msgspec.structs.replace(parts[-1], marked=True, long=lasting({key: message.get(key) for key in MARKERS})),
    ]


def observed(role: Role, parts: list[Part], whole: object) -> list[Part]:
    """Text parts of a user message that are tool output become untyped observations.

    Editable only where the message's content `whole` is that one text.
    """
    if role is not Role.USER:
        return parts
    alone = len(parts) == 1
    return [_untyped(part, alone, whole) if _is_untyped(part) else part for part in parts]


def _is_untyped(part: Part) -> bool:
    return part.kind is Kind.TEXT and is_observation(part.text)


def _untyped(part: Part, alone: bool, whole: object) -> Part:
    place = part.path if isinstance(whole, str) else (*part.path, "text")
    content = place if alone else None
    return msgspec.structs.replace(part, kind=Kind.OBSERVATION, content=content, failed=failed(part.text))


def _unmarked_object(item: Object) -> dict[str, object]:
    value = unmarked(item)
    return value if isinstance(value, dict) else {}


def _signature(item: object) -> str:
    return string(item, *SIGNATURES) if isinstance(item, dict) else ""

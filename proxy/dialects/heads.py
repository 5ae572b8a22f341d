"""The head of a request: tools, system and the parameters that a provider's cache depends on.

Rules of this room: a dialect says in a table where these stand; absent, null and empty are the same.
A field that has no canonical form is known by its bytes, so reading is total.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from policies.core.conversation import Head
from policies.core.divergence import Prompt
from proxy.dialects import Count
from proxy.dialects.canonical import (
    as_blocks,
    canonical,
    decode,
    digest,
    identity,
    lasting,
    marked,
    raw_identity,
    unmarked,
)
from proxy.dialects.definitions import definitions
from proxy.dialects.slices import Path
from proxy.dialects.values import integer, pick
from proxy.errors import DialectError

Fields = Mapping[str, object]
"""The decoded top-level fields of a request that a dialect asked for."""

_NAME_CACHES = ("prompt_cache_key", "prompt_cache_options", "cache_salt")
"""Top-level fields by which a client chooses a cache, or how it is used (OpenAI, Mistral, xAI; vLLM)."""

_MODEL_IN_PATH = re.compile(r"/(?:models|deployments|tunedModels)/([^/:?]+)|/model/([^/?]+)/")
_rest = msgspec.json.Decoder(dict[str, Raw])


class Layout(Struct, frozen=True):
    """Where a dialect keeps what belongs to the head. Dotted names lead into objects."""

    tools: tuple[str, ...]
    system: tuple[str, ...]
    parameters: tuple[str, ...]
    """Of the cache identity: any change of one splits the cache."""
    max_output: tuple[str, ...]
    stand_down: Callable[[Fields], str]
    also: tuple[str, ...] = ()
    """Further top-level fields that `stand_down` looks at."""
    count_tools: Callable[[list[object]], int] = len
    in_prompt: Callable[[object], bool] = lambda tool: True
    """Whether a listed tool stands in the prompt, and so in the cached prefix."""
    streams: Callable[[str], bool] = lambda path: False
    """Whether the path alone asks for a stream."""

    reasoning: str = ""
    """Whose reasoning is shown to the model."""
    ending: Callable[[Fields], Path | None] = lambda fields: None
    """The value behind which tools and system end, if it may carry a cache marker."""

    def top_level(self) -> set[str]:
        dotted = (*self.tools, *self.system, *self.parameters, *self.max_output, *self.also, self.reasoning)
        return {name.partition(".")[0] for name in dotted} | {"model", "stream", "cache_control", *_NAME_CACHES}


def read_head(layout: Layout, rest: bytes, path: str, count: Count) -> Head:
    """The head of a request. DialectError where `rest` is no JSON object."""
    fields = _fields(layout, rest)
    tools = [pick(fields, name) or [] for name in layout.tools]
    seen, system, parameters = _seen(layout, tools), _system(layout, fields), _parameters(layout, fields)
    said = [canonical(list(map(unmarked, values))) for values in (seen, system)]
    automatic = fields.get("cache_control") is not None
    return Head(
        model=model_of(fields, path),
        tools_hash=digest(said[0]),
        system_hash=digest(said[1]),
        parameters_hash=identity(parameters),
        tokens=sum(count(text.decode()) for text, values in zip(said, (seen, system), strict=True) if any(values)),
        tools=sum(layout.count_tools(listed) for listed in tools if isinstance(listed, list)),
        definitions=tuple(_definitions(seen, count)),
        markers=_markers(tools) + _markers([fields.get(name) for name in layout.system]) + automatic,
        automatic=automatic,
        long=lasting([*tools, *(fields.get(name) for name in layout.system)]),
        automatic_long=automatic and lasting({"cache_control": fields["cache_control"]}),
        markable=layout.ending(fields) is not None,
        names_cache=tuple(name for name in _NAME_CACHES if fields.get(name) is not None),
        stream=fields.get("stream") is True or layout.streams(path),
        max_output=next(filter(None, (integer(pick(fields, name)) for name in layout.max_output)), None),
        reasoning=_shown(pick(fields, layout.reasoning)),
        stand_down=layout.stand_down(fields),
    )


def head_ending(layout: Layout, rest: bytes) -> Path | None:
    """Where in a request the value stands that ends tools and system; None where none may carry a marker."""
    return layout.ending(_fields(layout, rest))


def read_prompt(layout: Layout, rest: bytes) -> Prompt:
    """Tools, system and parameters as values in canonical form. DialectError where `rest` is no JSON object."""
    fields = _fields(layout, rest)
    tools = _seen(layout, [pick(fields, name) or [] for name in layout.tools])
    return Prompt(
        tools=tuple(_each(map(unmarked, tools))),
        system=tuple(_each(map(unmarked, _system(layout, fields)))),
        parameters=_parameters(layout, fields),
    )


def model_of(fields: Fields, path: str) -> str:
    """The model named in the body, else in the path (Gemini, Vertex, Azure; Bedrock, where ids have colons)."""
    named = fields.get("model")
    if isinstance(named, str) and named:
        return named
    match = _MODEL_IN_PATH.search(path)
    return unquote(match[1] or match[2]) if match else ""


def _seen(layout: Layout, tools: list[object]) -> list[object]:
    """Of each list of tools those that stand in the prompt."""
    return [list(filter(layout.in_prompt, listed)) if isinstance(listed, list) else listed for listed in tools]


def _system(layout: Layout, fields: Fields) -> list[object]:
    return [as_blocks(fields.get(name)) or [] for name in layout.system]


def _definitions(lists: list[object], count: Count) -> Iterator[tuple[str, int]]:
    """Name and tokens of each tool in the prompt whose calls can be seen."""
    for one in definitions(map(unmarked, _each(lists)), count):
        if one.countable and not one.deferred:
            yield one.name, one.tokens


def _shown(asked: object) -> Literal["", "current_turn", "all_turns"]:
    return asked if asked == "current_turn" or asked == "all_turns" else ""


def _parameters(layout: Layout, fields: Fields) -> dict[str, object]:
    return {name: unmarked(value) for name in layout.parameters if (value := pick(fields, name)) is not None}


def _each(values: Iterable[object]) -> Iterator[object]:
    """The elements of the lists among these, and whatever is no list as it is."""
    for value in values:
        yield from value if isinstance(value, list) else [value]


def _fields(layout: Layout, rest: bytes) -> dict[str, object]:
    try:
        raw = _rest.decode(rest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DialectError("malformed_json") from None
    return {name: _field(bytes(raw[name])) for name in layout.top_level() if name in raw}


def _field(raw: bytes) -> object:
    try:
        return decode(raw)
    except ValueError:
        return raw_identity(raw).hex()


def _markers(values: list[object]) -> int:
    """How many blocks or tools in these lists carry a marker."""
    return sum(marked(item) for value in values if isinstance(value, list) for item in value)

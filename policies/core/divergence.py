"""Where two prompts part: the first place at which what is sent differs from what the provider holds.

Rules of this room: pure, over JSON values in canonical form (a dialect makes them: no cache markers, a
string as one text block), so only what a model would read counts. Further messages at the end are no
difference. Excerpts are redacted before they are cut. It must not know wire formats, prices or who is to
blame.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

Segment = Literal["model", "tools", "system", "parameters", "messages"]
Way = Literal["changed", "inserted", "removed", "reordered"]

EXCERPT = 60
"""Characters shown of each side."""
LEAD = 20
"""Of these, characters that stand in front of the difference."""

HIDDEN = "[redacted]"
_SECRET = re.compile(
    r"\b(?:(?:sk|pk|rk|gh[opsu]|github_pat|glpat|xox[abops]|hf|npm|ya29)[-_.]|AKIA|ASIA|AIza)[A-Za-z0-9][-_.A-Za-z0-9]{7,}"
    r"|\beyJ[-_A-Za-z0-9]{8,}(?:\.[-_A-Za-z0-9]+)*"  # a JSON web token
    r"|(?i:bearer|basic)\s+[-_.~+/=A-Za-z0-9]{8,}"
    r"|(?i:password|passwd|secret|token|api[-_]?key)[\"']?\s*[:=]\s*[\"']?[^\s\"',;&]{6,}"
    r"|-----BEGIN [A-Z ]+-----[^-]*(?:-----END [A-Z ]+-----)?"
    # keys and signatures that nothing names
    r"|(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[A-Za-z])[A-Za-z0-9+/_-]{40,}={0,2}"
)


class Prompt(Struct, frozen=True):
    """A request as the provider's cache sees it."""

    model: str = ""
    tools: tuple[object, ...] = ()
    system: tuple[object, ...] = ()
    parameters: Mapping[str, object] = {}
    messages: tuple[object, ...] = ()


class Difference(Struct, frozen=True):
    """`index`: which tool, block or message, from 0. `field`: where in it ("content[0].text"); empty for all of it."""

    segment: Segment
    index: int
    field: str
    way: Way
    before: str
    """A redacted excerpt of what the provider holds; empty where there was nothing."""
    after: str
    passing: bool = False
    """All that differs there is what changes by itself: a date, a version, an id."""

    @property
    def place(self) -> str:
        """`system[1].text`, `parameters.tool_choice`, `model`"""
        if self.segment == "model":
            return "model"
        listed = "parameters" if self.segment == "parameters" else f"{self.segment}[{self.index}]"
        return f"{listed}.{self.field}" if self.field else listed


class _Place(Struct, frozen=True):
    """Where two values part, and both sides from there."""

    path: tuple[str | int, ...]
    way: Way
    before: object
    after: object


def divergence(before: Prompt, after: Prompt) -> Difference | None:
    """The first difference, in the order in which a change costs most.

    None where `after` extends `before`, or where they part too deep inside to be followed.
    """
    try:
        return _first(before, after)
    except RecursionError:
        return None


def _first(before: Prompt, after: Prompt) -> Difference | None:
    if before.model != after.model:
        return Difference("model", 0, "", "changed", before.model, after.model)
    grown = after.messages[: len(before.messages)]
    return (
        _in_list("tools", before.tools, after.tools)
        or _in_list("system", before.system, after.system)
        or _in_parameters(before.parameters, after.parameters)
        or _in_list("messages", before.messages, after.messages if grown != before.messages else grown)
    )


def redacted(text: str) -> str:
    """Without what looks like a credential."""
    return _SECRET.sub(HIDDEN, text)


def _in_list(segment: Segment, before: Sequence[object], after: Sequence[object]) -> Difference | None:
    place = _parted(list(before), list(after))
    if place is None:
        return None
    index, *inner = place.path
    assert isinstance(index, int)
    return _difference(segment, index, inner, place)


def _in_parameters(before: Mapping[str, object], after: Mapping[str, object]) -> Difference | None:
    place = _parted(dict(before), dict(after))
    return None if place is None else _difference("parameters", 0, place.path, place)


def _difference(segment: Segment, index: int, path: Sequence[str | int], place: _Place) -> Difference:
    sides = redacted(_text(place.before)), redacted(_text(place.after))
    # what differs may be a credential, and both sides look alike
    differs = sides[0].find(HIDDEN) if sides[0] == sides[1] else _common(*sides)
    start = max(0, differs - LEAD)
    before, after = (_excerpt(side, start) for side in sides)
    return Difference(segment, index, _dotted(path), place.way, before, after)


def _parted(before: object, after: object) -> _Place | None:
    """Where two JSON values part. The value True is not the number 1."""
    if isinstance(before, dict) and isinstance(after, dict):
        return _parted_objects(before, after)
    if isinstance(before, list) and isinstance(after, list):
        return _parted_lists(before, after)
    if before == after and isinstance(before, bool) is isinstance(after, bool):
        return None
    return _Place((), "changed", before, after)


def _parted_objects(before: Mapping[str, object], after: Mapping[str, object]) -> _Place | None:
    for key in before:
        if key not in after:
            return _Place((key,), "removed", before[key], None)
        if inner := _parted(before[key], after[key]):
            return _below(key, inner)
    added = next((key for key in after if key not in before), None)
    return None if added is None else _Place((added,), "inserted", None, after[added])


def _parted_lists(before: Sequence[object], after: Sequence[object]) -> _Place | None:
    parted = ((at, inner) for at, pair in enumerate(zip(before, after, strict=False)) if (inner := _parted(*pair)))
    at, inner = next(parted, (min(len(before), len(after)), None))
    if inner is None:
        return _cut_or_grown(before, after, at)
    way = _moved(before[at:], after[at:])
    if way == "changed":
        return _below(at, inner)
    return _Place((at,), way, None if way == "inserted" else before[at], None if way == "removed" else after[at])


def _cut_or_grown(before: Sequence[object], after: Sequence[object], at: int) -> _Place | None:
    if len(before) > at:
        return _Place((at,), "removed", before[at], None)
    return _Place((at,), "inserted", None, after[at]) if len(after) > at else None


def _moved(before: Sequence[object], after: Sequence[object]) -> Way:
    """What became of the first element of a list, which is another than it was."""
    comes_later, was_later = before[0] in after[1:], after[0] in before[1:]
    match comes_later, was_later:
        case True, True:
            return "reordered"
        case True, False:
            return "inserted"
        case False, True:
            return "removed"
        case _:
            return "changed"


def _below(step: str | int, place: _Place) -> _Place:
    return _Place((step, *place.path), place.way, place.before, place.after)


def _dotted(path: Sequence[str | int]) -> str:
    """`content[0].text`"""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).lstrip(".")


def _text(value: object) -> str:
    """A value as it is shown: a string without quotes, nothing for None."""
    match value:
        case None:
            return ""
        case str():
            return value
        case dict():
            return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_text, value)) + "]"
        case _:
            return str(value)


def _common(a: str, b: str) -> int:
    """Characters that two texts share at the front."""
    if a and b and a[0] != b[0]:
        return 0
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return low


def _excerpt(text: str, start: int) -> str:
    """From `start` on, in one line, with marks where it is cut."""
    shown = " ".join(text[start : start + EXCERPT].split())
    return f"{'…' if start and shown else ''}{shown}{'…' if len(text) > start + EXCERPT else ''}"

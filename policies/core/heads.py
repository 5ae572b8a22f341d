"""Two heads compared: which texts of tools and system read otherwise, where nothing else does.

Rules of this room: pure, over values in canonical form. It says what differs, never what to do about it. What is
volatile (a date, an id, a version) is recognised by its form, in the line in which it stands. It must not know
wire formats: a tool comes with its name, whatever it was wrapped in.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from msgspec import Struct

from policies.core.edits import EditKind

Tool = tuple[str, object]
"""A tool's name and its definition in canonical form."""

COMPARED = 1_000
"""Words, or lines, of each side that are compared one by one; of longer parts all is taken as changed."""
NEAR = 2
"""Words between two changes that are taken as one."""
AROUND = 24
"""Characters quoted on each side of a change."""

_DESCRIPTIONS = frozenset({"description"})
_TEXTS = frozenset({"text"})
_VALUES = frozenset({"default", "const", "enum", "examples"})
"""Under these keys of a schema stand values, whatever they are called."""

_WORD = re.compile(r"\S+\s*|\s+")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*"
_VOLATILE = re.compile(
    rf"""\d{{4}}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:z|[+-]\d\d:?\d\d)?)?   # 2026-11-22T10:00:00Z
      | \b\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}\b
      | \b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun)\b,?
      | \b{_MONTH}\.?\ \d{{1,2}}(?:st|nd|rd|th)?(?:,?\ \d{{4}})?\b
      | \b\d{{1,2}}\.?\ {_MONTH}\.?(?:,?\ \d{{4}})?\b
      | \b\d{{1,2}}:\d\d(?::\d\d)?(?:\ ?[ap]m)?\b
      | \b[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}\b                          # a UUID
      | \b(?=[0-9a-z]*\d)(?=[0-9a-z]*[a-z])[0-9a-z]{{16,}}\b                             # another long id
      | \bv?\d+\.\d+\.\d+[\w.+-]*                                                        # 2.1.197.f9d
      | \s?\(\d+[mk]\ context\) | \[\d+[mk]\]                                            # the length of a window
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BILLING = re.compile(r"x-anthropic-billing-header:")
"""Claude Code's first line of a system prompt. It tells the provider of the client, and the model nothing."""


class Rewording(Struct, frozen=True):
    """One text in two wordings."""

    place: str
    """As a model is told: `the description of tool "Bash"`."""
    before: str
    after: str


class Span(Struct, frozen=True):
    """Words that read otherwise; either side may be empty."""

    before: str
    after: str
    quotes: tuple[str, str]
    """Both sides with a few words around them."""
    volatile: bool
    """Its line says the same but for what is recognised to change by itself."""
    harmless: bool
    """The model has no use for it."""

    @property
    def size(self) -> int:
        """Characters of the longer side."""
        return max(len(self.before), len(self.after))


class Part(Struct, frozen=True):
    """Tools, or the system prompt, that differ from those that the provider holds."""

    name: str
    refusal: str = ""
    """Why they cannot be sent as before, a fixed word; empty where they can."""
    word: str = ""
    """How they differ, a fixed word, where they can."""
    kind: EditKind = "stabilize"
    target: bytes = b""
    """What to send in their place."""
    volatile: bool = True
    """Nothing differs but what is recognised to change by itself."""
    drift: str = ""
    """What a note says of the difference; empty where none is needed."""
    withdrawn: tuple[str, ...] = ()
    """Tools that stay listed although the client has withdrawn them."""
    values: Mapping[tuple[str | int, ...], bytes] = {}
    """Members of the request that disallow these."""


def reworded_tools(before: Sequence[Tool], after: Sequence[Tool]) -> tuple[Rewording, ...] | None:
    """Descriptions that differ between tools of the same names, in any order; None where anything else does."""
    old, new = dict(before), dict(after)
    if len(old) != len(before) or len(new) != len(after) or old.keys() != new.keys():
        return None
    found: list[Rewording] = []
    for name, tool in old.items():
        texts: list[_Text] = []
        if not _alike(tool, new[name], _DESCRIPTIONS, (), texts):
            return None
        found += [Rewording(_place(name, path), *sides) for path, *sides in texts]
    return tuple(found)


def reworded_system(before: Sequence[object], after: Sequence[object]) -> tuple[Rewording, ...] | None:
    """Texts that differ in system prompts of the same blocks; None where anything else does."""
    texts: list[_Text] = []
    if not _alike(list(before), list(after), _TEXTS, (), texts):
        return None
    return tuple(Rewording("the system prompt", *sides) for _, *sides in texts)


def spans(text: Rewording) -> tuple[Span, ...]:
    """What reads otherwise, in order: by lines first, so that one at either end of a long text are two."""
    lines = text.before.splitlines(keepends=True), text.after.splitlines(keepends=True)
    starts = _starts(lines[0]), _starts(lines[1])
    found: list[Span] = []
    for a, b, c, d in _changes(lines[0], lines[1], 0):
        words = [_WORD.findall("".join(side)) for side in (lines[0][a:b], lines[1][c:d])]
        old, new = _starts(words[0], starts[0][a]), _starts(words[1], starts[1][c])
        found += (_span(text, (old[p], old[q]), (new[r], new[s])) for p, q, r, s in _changes(words[0], words[1], NEAR))
    return tuple(found)


_Text = tuple[tuple[str, ...], str, str]


def _alike(before: object, after: object, keys: frozenset[str], path: tuple[str, ...], texts: list[_Text]) -> bool:
    """Whether two values are the same but for texts under these keys, which are added to `texts`."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _alike_member(key, before[key], after[key], keys, (*path, key), texts) for key in before
        )
    if isinstance(before, list) and isinstance(after, list):
        pairs = zip(before, after, strict=False)
        return len(before) == len(after) and all(_alike(*pair, keys, path, texts) for pair in pairs)
    return before == after and isinstance(before, bool) is isinstance(after, bool)


def _alike_member(
    key: str, before: object, after: object, keys: frozenset[str], path: tuple[str, ...], texts: list[_Text]
) -> bool:
    if key in keys and isinstance(before, str) and isinstance(after, str) and _VALUES.isdisjoint(path):
        if before != after:
            texts.append((path, before, after))
        return True
    return _alike(before, after, keys, path, texts)


def _place(name: str, path: Sequence[str]) -> str:
    inside = ".".join(path[:-1])
    return f'the description of {f"`{inside}` in " if inside else ""}tool "{name}"'


def _starts(words: Sequence[str], first: int = 0) -> list[int]:
    """Where each word, or line, begins, and where the last one ends."""
    starts = [first]
    for word in words:
        starts.append(starts[-1] + len(word))
    return starts


def _changes(before: Sequence[str], after: Sequence[str], near: int) -> list[tuple[int, int, int, int]]:
    """Ranges of words, or lines, of both sides that differ; those with at most `near` between them are one."""
    shorter = min(len(before), len(after))
    first = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    last = next((i for i in range(shorter - first) if before[-1 - i] != after[-1 - i]), shorter - first)
    stop = len(before) - last, len(after) - last
    if max(stop) - first > COMPARED:
        return [(first, stop[0], first, stop[1])]
    match = SequenceMatcher(None, before[first : stop[0]], after[first : stop[1]], autojunk=False)
    found: list[tuple[int, int, int, int]] = []
    for way, *places in match.get_opcodes():
        a, b, c, d = (first + place for place in places)
        if way != "equal":
            joins = bool(found) and a - found[-1][1] <= near
            found[-1:] = [(found[-1][0], b, found[-1][2], d)] if joins else [*found[-1:], (a, b, c, d)]
    return found


def _span(text: Rewording, old: tuple[int, int], new: tuple[int, int]) -> Span:
    lines = _line(text.before, *old), _line(text.after, *new)
    return Span(
        before=text.before[slice(*old)].strip(),
        after=text.after[slice(*new)].strip(),
        quotes=(_quote(text.before, *old), _quote(text.after, *new)),
        volatile=_steady(lines[0]) == _steady(lines[1]),
        harmless=all(map(_BILLING.match, lines)),
    )


def _line(text: str, start: int, end: int) -> str:
    """The lines in which a span stands."""
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", max(start, end - 1))
    return text[begin : len(text) if stop < 0 else stop]


def _steady(line: str) -> str:
    """A line without what is recognised to change by itself."""
    return " ".join(_VOLATILE.sub("", line).split())


def _quote(text: str, start: int, end: int) -> str:
    """A span with the words around it, in one line."""
    begin, stop = max(0, start - AROUND), min(len(text), end + AROUND)
    begin = begin and begin + len(text[begin:start]) - len(text[begin:start].partition(" ")[2])
    stop = stop if stop == len(text) else end + len(text[end:stop].rpartition(" ")[0])
    shown = " ".join(text[begin:stop].split())
    return f"{'…' if begin else ''}{shown}{'…' if stop < len(text) else ''}"

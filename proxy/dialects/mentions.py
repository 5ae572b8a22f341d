"""Values: what a later step may take up again of a text. Paths, identifiers, error codes, ids, quoted strings.

Rules of this room: form alone decides, never what else a conversation holds, so a text has the same values in every
place and process. Bounded in what is read of a text and in what is kept of it.
"""

import re
from collections.abc import Iterator
from zlib import crc32

SHORTEST = 6
"""Characters of a value that says something."""
READ = 100_000
"""Characters of a text that are looked at."""
KEPT = 512
"""Values that are remembered of a text."""

_PATH = r"[\w.@+~-]*(?:/[\w.@+~-]+)+/?|[\w-]+\.[A-Za-z][A-Za-z0-9]{0,5}\b"
_NAME = r"[A-Za-z_]\w*(?:\.\w+)*"
_VALUE = re.compile(rf"(?P<path>{_PATH})|(?P<name>{_NAME})")
_QUOTED = re.compile(r"\"([^\"\n]{6,200})\"|'([^'\n]{6,200})'")
_TELLING = re.compile(r"[_.\d]|[a-z][A-Z]")
_WORD = re.compile(r"[\w./~@+-]{6,}")
_ESCAPED = re.compile(r"\\[nrt\"\\]")  # in JSON, where `\n` would become part of the name behind it

# What says of a text what it holds. A number in front of an assignment is a line's, as tools that show files print it.
_NAMED = re.compile(
    r"""\b(?:def|class|func|function|fn|interface|struct|enum|trait|type|const|import|from)[ ]+
            (?P<defined>[A-Za-z_][\w.]{3,})
      | (?P<member>\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)
      | ^[ \t]*(?:\d+[ \t:|-]+)?(?P<assigned>[A-Za-z_]\w{3,})[ ]*(?::[^=\n]{1,40})?=(?!=)
      | (?P<path>[\w.@+~-]*(?:/[\w.@+~-]+)+)
    """,
    re.VERBOSE | re.MULTILINE,
)
_FORMS = ("defined", "member", "assigned", "path")
"""The most telling first: of recorded runs' later calls, a token of a definition or a member is named three times as
often as a token of a path."""


def values(text: str) -> Iterator[str]:
    """Paths, identifiers and quoted strings of a text, in order; some more than once."""
    for match in _VALUE.finditer(text):
        value = match.group()
        if len(value) >= SHORTEST and (match.group("path") or _TELLING.search(value)):
            yield value
    for match in _QUOTED.finditer(text):
        yield match.group(1) or match.group(2)


def marks(text: str, *, json: bool = False) -> frozenset[int]:
    """The values as numbers, to be compared. Two values that meet in one number keep an observation longer, no more.

    `json`: the text is JSON. Read more coarsely than by `values`, in a third of the time, since all that is new passes.
    """
    text = text[:READ]
    words = _WORD.findall(_ESCAPED.sub(" ", text) if json else text)
    telling = [word for word in map(_bare, dict.fromkeys(words)) if len(word) >= SHORTEST and not _plain(word)]
    quoted = [one or other for one, other in _QUOTED.findall(text)] if not json else []
    return frozenset(crc32(value.encode("utf-8", "replace")) for value in (*telling, *quoted)[:KEPT])


def _bare(word: str) -> str:
    return word.strip("./-+@")


def _plain(word: str) -> bool:
    """A word of a language, or a number."""
    return word.isdigit() or (word.isalpha() and (word.islower() or word.istitle() or word.isupper()))


def named(text: str, room: int) -> tuple[str, ...]:
    """The values that are most worth naming, as far as they fit into `room` characters with two between them."""
    found: dict[str, dict[str, None]] = {form: {} for form in _FORMS}
    for match in _NAMED.finditer(text[:READ]):
        form = match.lastgroup or _FORMS[-1]
        found[form][match.group(form)] = None
    chosen, said = [], ""
    for value in (value for form in _FORMS for value in found[form]):
        if SHORTEST <= len(value) <= room - 2 and value not in said:
            chosen.append(value)
            said += f" {value}"
            room -= len(value) + 2
    return tuple(chosen)

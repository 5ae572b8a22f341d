"""The words of a text as search sees them: identifiers and paths come apart, so that any part of them is found.

`getUserName`, `get_user_name` and `src/get-user/name.py` all hold the words get, user and name; a query is cut in the
same way, and its last word may be the beginning of one. What belongs together in a query (no blank between) must
stand together in the text.

Rules of this room: pure. What is indexed and what is scanned is cut alike. A change of `spaced` needs a new index.
"""

import math
import re
from collections.abc import Sequence

from proxy.archive import Excerpt

LONGEST = 300_000
"""Characters of a text that are looked at."""
WORDS = 32
"""Words of a query that count."""
EXCERPTS = 3
WIDTH = 160
"""Characters of an excerpt."""

_INSIDE = re.compile(r"[a-z0-9](?=[A-Z])|[A-Z](?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[\W_]+")


def spaced(text: str) -> str:
    """With a blank between the parts of a name in camel case; the index does the rest (unicode61)."""
    return _INSIDE.sub(r"\g<0> ", text[:LONGEST])


def folded(text: str) -> str:
    """Words in lower case with one blank before each."""
    return f" {_BETWEEN.sub(' ', spaced(text)).strip().lower()}"


def wanted(query: str) -> tuple[str, ...]:
    """What a query asks for: each of its words as it stands in a folded text."""
    found = dict.fromkeys(folded(word) for word in query.split())
    return tuple(word for word in found if word.strip())[:WORDS]


def terms(word: str) -> str:
    """A wanted word as an expression of FTS5: all of its parts, the last of them perhaps a beginning."""
    *whole, last = word.split()
    return " AND ".join([*(f'"{part}"' for part in whole), f'"{last}" *'])


def score(words: Sequence[str], title: str, text: str) -> float:
    """How well folded texts match: every word counts, a second time less than the first, in the title three times."""
    return sum(math.log1p(text.count(word)) + 3 * (word in title) for word in words)


def matches(words: Sequence[str], title: str, text: str) -> int:
    """How many of the words occur."""
    return sum(word in text or word in title for word in words)


def excerpts(words: Sequence[str], text: str) -> tuple[Excerpt, ...]:
    """The lines with the most of the words, best first."""
    begins = [word.split()[0] for word in words]
    found = [
        (-count, number, line)
        for number, line in enumerate(text[:LONGEST].splitlines(), start=1)
        if any(begin in line.lower() for begin in begins) and (count := matches(words, "", folded(line)))
    ]
    return tuple(Excerpt(number, _cut(line, words)) for _, number, line in sorted(found)[:EXCERPTS])


def _cut(line: str, words: Sequence[str]) -> str:
    """What surrounds the first word that is found."""
    line = line.strip()
    if len(line) <= WIDTH:
        return line
    lower = line.lower()
    places = [at for word in words if (at := lower.find(word.split()[0])) >= 0]
    start = max(0, min(places, default=0) - WIDTH // 3)
    return f"{'…' if start else ''}{line[start : start + WIDTH]}…"

"""What a search shows of what it has found: the same for every backend.

Rules of this room: pure. A hit is shown only if a word of the query is in its text or in what is known of it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from proxy.archive import Entry, Hit
from proxy.archive.words import excerpts, folded, matches, score

SCANNED = 8_000_000
"""Bytes, as kept, that one search reads: some two seconds' work."""


class Ranked(Struct, frozen=True):
    """`count`: of the query's words that occur."""

    count: int
    score: float
    entry: Entry
    content: bytes


def ranked(entry: Entry, content: bytes, words: Sequence[str]) -> Ranked:
    """An original against the words of a query."""
    title, body = folded(title_of(entry)), folded(content.decode("utf-8", "replace"))
    return Ranked(matches(words, title, body), score(words, title, body), entry, content)


def title_of(entry: Entry) -> str:
    """What is known of an original, as words to be found by."""
    about = entry.about
    return " ".join((about.tool, *about.paths, about.line, about.session))


def best(found: Iterable[Ranked], words: Sequence[str], limit: int) -> tuple[Hit, ...]:
    """Those with all words; where there are none, those with any. Of equals the newest."""
    some = [each for each in found if each.count]
    whole = [each for each in some if each.count == len(words)]
    ordered = sorted(whole or some, key=lambda each: (-each.score, -each.entry.at))
    return tuple(Hit(each.entry, excerpts(words, each.content.decode("utf-8", "replace"))) for each in ordered[:limit])

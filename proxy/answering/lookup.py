"""What a call is answered with.

Rules of this room: an answer is always a text; a fault becomes words that a model can act on. Answers are bounded.
Only the tenant's own originals are read (ISOLATED). It must not know how an answer travels.
"""

import logging
import re
from collections.abc import Iterator

from proxy.answering.calls import Called
from proxy.answering.definition import NAME, arguments
from proxy.archive import ID, Archive
from proxy.errors import StoreError

log = logging.getLogger("holdfast.answering")

MAX_CHARACTERS = 60_000
"""Of one answer, some 15,000 tokens: it is in the prompt once, and a long original can be read in parts."""

WITHDRAWN = "the tool `{}` is not available at the moment; go on without it"

_LINES = re.compile(r"\s*(\d{0,9})\s*[:-]\s*(\d{0,9})\s*|\s*(\d{1,9})\s*")


async def answered(called: Called, archive: Archive, tenant: bytes) -> str:
    """The result of one call."""
    if called.name != NAME:
        return WITHDRAWN.format(called.name)
    asked = arguments(called.arguments)
    if asked is None or not (found := ID.search(asked.id)):
        return "an id is needed, such as hf-abcdefghijklmnop, as a place that was elided names it"
    try:
        original = await archive.get(tenant, found[0])
    except StoreError as error:
        log.warning("an original cannot be read back: %s", error)
        return "the original cannot be read at the moment"
    if original is None:
        return f"nothing is kept under the id `{found[0]}`"
    return _bounded(_chosen(original.decode("utf-8", "replace").split("\n"), asked.lines, asked.grep))


def _chosen(lines: list[str], span: str, grep: str) -> str:
    begin, end = _span(span, len(lines))
    numbered = list(enumerate(lines[begin - 1 : end], begin))
    if not grep:
        return "\n".join(line for _, line in numbered)
    found = "\n".join(_matching(numbered, grep))
    return found or f"no line from {begin} to {end} holds `{grep}`"


def _matching(numbered: list[tuple[int, str]], grep: str) -> Iterator[str]:
    """As plain text, upper and lower case alike: a pattern from a model could take any time."""
    wanted = grep.lower()
    return (f"{number}: {line}" for number, line in numbered if wanted in line.lower())


def _span(text: str, count: int) -> tuple[int, int]:
    """First and last line, from 1; all of them where that is not readable."""
    match = _LINES.fullmatch(text)
    if match is None:
        return 1, count
    if match[3]:
        return max(1, int(match[3])), int(match[3])
    return max(1, int(match[1] or 1)), int(match[2] or count)


def _bounded(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    kept = text[:MAX_CHARACTERS]
    return f"{kept}\n[{text.count(chr(10)) - kept.count(chr(10))} further lines: ask for them with `lines`]"

"""`holdfast archive`: read back, find, list and prune what was elided.

Rules of this room: from the file on this machine; whoever may read the file may read what is in it, whoever's it
is. An id is unguessable, so it is asked for without its tenant.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from proxy.archive import Archive, Entry, Excerpt, Found
from proxy.archive.open import archive_path
from proxy.commands.terminal import Terminal
from proxy.config import Settings
from proxy.errors import AskedError, ConfigError, StoreError
from proxy.recall.choosing import Asked, Line
from proxy.recall.library import EVERYBODY, SHORTEST, Library, Reader, Recalled, tenant_name
from proxy.recall.opening import open_from
from proxy.recall.web import plain, plain_hit

T = TypeVar("T")


def get(settings: Settings, identity: str, asked: Asked, terminal: Terminal) -> int:
    """Print an original, or the lines of it that are asked for."""

    async def read(library: Library, archive: Archive) -> Recalled:
        return await library.recall(Reader(everybody=True), identity, asked)

    recalled = _with_archive(settings, read)
    text = _lines(recalled.lines, bool(asked.context)) if asked != Asked() else recalled.text
    document = {"id": identity, "total": recalled.total, "lines": msgspec.to_builtins(recalled.lines)}
    terminal.text(json.dumps(document, indent=2) if terminal.json else text)
    return 0


def search(settings: Settings, text: str, limit: int, tenant: str, terminal: Terminal) -> int:
    """The originals in which words occur, best first."""

    async def read(library: Library, archive: Archive) -> Found:
        return await library.search(await library.reader(tenant or EVERYBODY), text, limit)

    found = _with_archive(settings, read)
    rows = [
        [hit.entry.id, hit.entry.about.tool[:10], f"{excerpt.number}" if excerpt.number else "", excerpt.text]
        for hit in found.hits
        for excerpt in hit.excerpts[:1] or [Excerpt(0, hit.entry.about.line)]
    ]
    document = {"originals": [plain_hit(hit) for hit in found.hits], "complete": found.complete}
    terminal.table(("id", "tool", "line", "text"), rows, document)
    return 0


def newest(settings: Settings, limit: int, tenant: str, now: float, terminal: Terminal) -> int:
    """What was elided last."""

    async def read(library: Library, archive: Archive) -> tuple[Entry, ...]:
        return await library.newest(await library.reader(tenant or EVERYBODY), limit)

    entries = _with_archive(settings, read)
    header = ("id", "age", "tokens", "tool", "tenant", "begins")
    terminal.table(header, [_row(entry, now) for entry in entries], [plain(entry) for entry in entries])
    return 0


def prune(settings: Settings, now: float, terminal: Terminal) -> int:
    """Drop what is beyond the bounds of age and size, as the proxy does every ten minutes."""

    async def drop(library: Library, archive: Archive) -> tuple[int, int]:
        return await archive.prune(now), await archive.size()

    dropped, size = _with_archive(settings, drop)
    document = {"dropped": dropped, "bytes": size}
    terminal.text(json.dumps(document) if terminal.json else f"{dropped} originals dropped, {size} bytes are kept")
    return 0


def _with_archive(settings: Settings, work: Callable[[Library, Archive], Awaitable[T]]) -> T:
    path = archive_path(settings.store)
    if path is None:
        raise ConfigError("the store `memory:` keeps nothing on disk", help="read it while the proxy runs")
    if not path.exists():
        raise StoreError(f"there is no archive `{path}`; the proxy makes one, --store names another")

    async def main() -> T:
        archive = open_from(settings)
        try:
            return await work(Library(archive, lambda: 0.0, lambda: None), archive)
        finally:
            await archive.close()

    try:
        return asyncio.run(main())
    except AskedError as error:
        raise (StoreError(str(error)) if error.missing else ConfigError(str(error))) from None


def _lines(lines: Sequence[Line], apart: bool) -> str:
    """`apart`: with a mark between lines that do not follow each other, as grep has it."""
    texts: list[str] = []
    for at, line in enumerate(lines):
        if apart and at and line.number > lines[at - 1].number + 1:
            texts.append("--")
        texts.append(line.text)
    return "\n".join(texts)


def _row(entry: Entry, now: float) -> list[str]:
    """Narrow enough that an id is never cut."""
    about = entry.about
    known = (about.tool[:10], tenant_name(entry.tenant)[:SHORTEST], about.line[:20])
    return [entry.id, _age(now - entry.at), str(about.tokens), *known]


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds / length)}{unit}"
    return f"{max(0, int(seconds))}s"

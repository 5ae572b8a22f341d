"""Full-text search over one archive file: an index of words where there can be one, a scan where not.

The index holds words and no text (contentless, `detail=none`: 7 % of the text, on recorded observations), so an
original is read to rank it and to show its lines. It is made behind the back of `put`, a batch at a time, so no
request waits for it. What is sealed is never indexed, since its words would stand there in the clear; it is scanned,
and so is everything where SQLite was built without FTS5. A scan ends at `SCANNED`, newest first.

Rules of this room: a hit is shown only if its words are in its text, so an index that is ahead of the originals, or
behind them, misleads nobody.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from proxy.archive import Found, Whose
from proxy.archive.ranking import SCANNED, Ranked, best, ranked, title_of
from proxy.archive.rows import COLUMNS, Row, content_of, entry_of
from proxy.archive.seal import Seal
from proxy.archive.words import spaced, terms, wanted
from proxy.errors import StoreError
from proxy.store.database import reading, writing

BATCH = 64
"""Originals indexed, or dropped, in one transaction: some 10 ms, so that no writer waits long."""
CANDIDATES = 100
"""The newest that the index names, read to be ranked."""
SHARE = 13
"""One byte of index for so many of text."""

_MAKE = """CREATE VIRTUAL TABLE IF NOT EXISTS words
    USING fts5(text, content='', detail=none, columnsize=0, tokenize='unicode61 remove_diacritics 0')"""
_OURS = "(?1 IS NULL OR tenant = ?1)"


def extend(connection: sqlite3.Connection, seal: Seal) -> int:
    """Index one batch of what is not indexed yet; returns how many."""
    if not _is_there(connection):
        return 0
    with writing(connection):
        query = f"SELECT {COLUMNS} FROM originals WHERE indexed = 0 AND seal = x'' LIMIT {BATCH}"
        rows = [Row(*row) for row in connection.execute(query)]
        for row in rows:
            text = _indexed(row, seal)
            connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row.key, text))
            connection.execute(
                "UPDATE originals SET indexed = 1, bytes = bytes + ? WHERE key = ?", (len(text) // SHARE, row.key)
            )
    return len(rows)


def forget(connection: sqlite3.Connection, rows: Iterable[Row], seal: Seal) -> None:
    """Take what is about to be dropped out of the index. A contentless one must be told what it held."""
    held = [(row.key, _indexed(row, seal)) for row in rows if row.indexed]
    if held:
        connection.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", held)


def clear(connection: sqlite3.Connection) -> None:
    """An index of nothing gives its room back at once; one of something as it grows, when its parts are merged."""
    with writing(connection):
        if _has_index(connection) and not connection.execute("SELECT 1 FROM originals WHERE indexed = 1").fetchone():
            connection.execute("INSERT INTO words (words) VALUES ('delete-all')")


def search(connection: sqlite3.Connection, whose: Whose, query: str, limit: int, seal: Seal) -> Found:
    words = wanted(query)
    if not words:
        return Found(())
    with reading(connection):
        found = _looked_up(connection, whose, words, seal)
        rows, complete = _unindexed(connection, whose)
        found += _ranked(rows, words, seal)
    return Found(best(found, words, limit), complete)


def _looked_up(connection: sqlite3.Connection, whose: Whose, words: Sequence[str], seal: Seal) -> list[Ranked]:
    """What the index names: with all of the words, else with any."""
    found: list[Ranked] = []
    for joint in (" AND ", " OR "):
        found = list(_ranked(_named(connection, whose, joint.join(f"({terms(word)})" for word in words)), words, seal))
        if any(each.count == len(words) for each in found):
            break
    return found


def _ranked(rows: Iterable[Row], words: Sequence[str], seal: Seal) -> Iterator[Ranked]:
    for row in rows:
        with suppress(StoreError):  # damaged, or sealed with a key that is not at hand: reading it by its id says so
            yield ranked(entry_of(row, seal), content_of(row, seal), words)


def _named(connection: sqlite3.Connection, whose: Whose, expression: str) -> Iterator[Row]:
    if not _has_index(connection):
        return
    query = f"""SELECT key, bytes FROM originals WHERE {_OURS} AND indexed = 1
        AND key IN (SELECT rowid FROM words WHERE words MATCH ?2) ORDER BY at DESC LIMIT {CANDIDATES}"""
    rows, _ = _within(connection, connection.execute(query, (whose, expression)))
    yield from rows


def _unindexed(connection: sqlite3.Connection, whose: Whose) -> tuple[Iterator[Row], bool]:
    """The newest of what is not indexed, and whether that is all of it."""
    query = f"SELECT key, bytes FROM originals WHERE indexed = 0 AND {_OURS} ORDER BY at DESC"
    return _within(connection, connection.execute(query, (whose,)))


def _within(connection: sqlite3.Connection, sizes: Iterable[tuple[int, int]]) -> tuple[Iterator[Row], bool]:
    """The rows of the first of these keys, as many as one search may read, and whether those are all."""
    keys, left, complete = [], SCANNED, True
    for key, size in sizes:
        left -= size
        if left < 0:
            complete = False
            break
        keys.append(key)
    one = f"SELECT {COLUMNS} FROM originals WHERE key = ?"
    return (Row(*connection.execute(one, (key,)).fetchone()) for key in keys), complete


def _indexed(row: Row, seal: Seal) -> str:
    """The words that stand in the index for a row; none for one that is damaged."""
    try:
        text = content_of(row, seal).decode("utf-8", "replace")
    except StoreError:
        return ""
    return spaced(f"{title_of(entry_of(row, seal))}\n{text}")


def _is_there(connection: sqlite3.Connection) -> bool:
    """Makes the index if need be; False where this SQLite cannot."""
    try:
        connection.execute(_MAKE)
    except sqlite3.OperationalError:
        return _has_index(connection)
    return True


def _has_index(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'words'").fetchone() is not None

"""The archive of one machine: a SQLite file of its own beside the store's.

Rules of this room: as `Archive` says. The file's own rules are those of the store's (proxy/store/database.py).
"""

import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from policies.core.edits import archive_id
from proxy.archive import ID, MAX_AGE, About, Entry, Found, Whose, abouts, index, require_room, text_digest
from proxy.archive.notes import SCHEMA as NOTES
from proxy.archive.notes import SqliteNotes, prune_notes
from proxy.archive.rows import COLUMNS, Row, content_of, entry_of, shut
from proxy.archive.seal import Seal
from proxy.errors import StoreError
from proxy.store.bounds import Bounds
from proxy.store.database import TIMEOUT, Database, Schema, open_database, writing

SCHEMA = Schema(
    name="an archive",
    application_id=int.from_bytes(b"HFar"),
    steps=(
        (
            """CREATE TABLE originals (
                key INTEGER PRIMARY KEY, tenant BLOB NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL,
                at REAL NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (tenant, id))""",
            "CREATE INDEX originals_by_age ON originals (at, bytes)",
        ),
        (
            # `seal` names the key that sealed body and `about`; empty: they are in the clear
            "ALTER TABLE originals ADD COLUMN seal BLOB NOT NULL DEFAULT x''",
            "ALTER TABLE originals ADD COLUMN about BLOB NOT NULL DEFAULT x''",
            "ALTER TABLE originals ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0",
            "CREATE INDEX originals_to_index ON originals (at) WHERE indexed = 0",
            NOTES,
        ),
    ),
)

AHEAD = 16
"""Batches that a search indexes before it begins; in between, `prune` does it all."""


def open_sqlite_archive(
    path: Path, max_bytes: int, max_age: float = MAX_AGE, *, seal: Seal | None = None, timeout: float = TIMEOUT
) -> "SqliteArchive":
    """Opens or creates the file."""
    return SqliteArchive(open_database(path, SCHEMA, timeout=timeout), Bounds(max_bytes, max_age), seal or Seal())


class SqliteArchive:
    """See `proxy.archive.Archive`."""

    folder = ""

    def __init__(self, database: Database, bounds: Bounds, seal: Seal) -> None:
        self.database = database
        self.notes = SqliteNotes(database, seal)
        self._bounds, self._seal = bounds, seal
        self._searching: Database | None = None

    async def put(
        self, tenant: bytes, texts: Sequence[bytes], now: float, about: Sequence[About] = ()
    ) -> tuple[str, ...]:
        require_room(texts, self._bounds.max_bytes)
        known = tuple(zip(texts, abouts(texts, about), strict=True))
        return await self.database.run(partial(_put, tenant, known, now, self._seal))

    async def get(self, whose: Whose, id: str) -> bytes | None:
        return await self.database.run(partial(_get, whose, id, self._seal)) if ID.fullmatch(id) else None

    async def newest(self, whose: Whose, limit: int) -> tuple[Entry, ...]:
        return await self.database.run(partial(_newest, whose, limit, self._seal))

    async def search(self, whose: Whose, text: str, limit: int) -> Found:
        """On a connection of its own: it may take seconds, for which no `put` can wait."""
        await self._index(AHEAD)
        if self._searching is None:
            self._searching = open_database(self.database.path, SCHEMA)
        work = partial(index.search, whose=whose, query=text, limit=limit, seal=self._seal)
        return await self._searching.run(work)

    async def tenants(self) -> tuple[bytes, ...]:
        return await self.database.run(_tenants)

    async def kept(self, ids: Collection[str]) -> frozenset[str]:
        return await self.database.run(partial(_kept, tuple(ids)))

    async def prune(self, now: float) -> int:
        """In many small transactions: other calls are served in between."""
        dropped = await self._drop(now)
        await self._index()
        dropped += await self._drop(now)  # the index takes room too
        await self.database.run(index.clear)
        await self.database.run(partial(prune_notes, now))
        await self.database.reclaim()
        return dropped

    async def size(self) -> int:
        return await self.database.run(_size)

    async def close(self) -> None:
        for database in filter(None, (self._searching, self.database)):
            await database.close()

    async def _drop(self, now: float) -> int:
        dropped = 0
        while some := await self.database.run(partial(_prune, self._bounds, now, self._seal)):
            dropped += some
        return dropped

    async def _index(self, batches: int | None = None) -> None:
        """All that is not indexed yet, or so many batches of it; what is left is scanned."""
        for _ in count() if batches is None else range(batches):
            if not await self.database.run(partial(index.extend, seal=self._seal)):
                break


def _put(
    tenant: bytes, known: Sequence[tuple[bytes, About]], now: float, seal: Seal, connection: sqlite3.Connection
) -> tuple[str, ...]:
    digests = [(text_digest(text), text, about) for text, about in known]
    with writing(connection):
        for digest, text, about in digests:
            _keep(connection, tenant, digest, text, about, now, seal)
    return tuple(archive_id(tenant, digest) for digest, _, _ in digests)


def _keep(
    connection: sqlite3.Connection, tenant: bytes, digest: bytes, text: bytes, about: About, now: float, seal: Seal
) -> None:
    id = archive_id(tenant, digest)
    known = connection.execute(
        "UPDATE originals SET at = max(at, ?) WHERE tenant = ? AND id = ? AND digest = ? AND seal = ?",
        (now, tenant, id, digest, seal.name),
    ).rowcount
    if known:
        return
    _drop_otherwise_sealed(connection, tenant, id, digest, seal)
    body, packed = shut(tenant, digest, text, about, seal)
    added = connection.execute(
        "INSERT INTO originals (tenant, id, digest, at, bytes, seal, about, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (tenant, id, digest, now, len(body) + len(packed), seal.name, packed, body),
    ).rowcount
    if not added:
        raise StoreError(f"another original has the id `{id}`")


def _drop_otherwise_sealed(connection: sqlite3.Connection, tenant: bytes, id: str, digest: bytes, seal: Seal) -> None:
    """The same text under an older key, or under none: it is kept anew, so that the key at hand opens it."""
    query = f"SELECT {COLUMNS} FROM originals WHERE tenant = ? AND id = ? AND digest = ?"
    _drop(connection, [Row(*row) for row in connection.execute(query, (tenant, id, digest))], seal)


def _get(whose: Whose, id: str, seal: Seal, connection: sqlite3.Connection) -> bytes | None:
    query = f"SELECT {COLUMNS} FROM originals WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)"
    row = connection.execute(query, (id, whose)).fetchone()
    return content_of(Row(*row), seal) if row else None


def _newest(whose: Whose, limit: int, seal: Seal, connection: sqlite3.Connection) -> tuple[Entry, ...]:
    query = f"SELECT {COLUMNS} FROM originals WHERE (?1 IS NULL OR tenant = ?1) ORDER BY at DESC, key DESC LIMIT ?2"
    return tuple(entry_of(Row(*row), seal) for row in connection.execute(query, (whose, limit)))


def _tenants(connection: sqlite3.Connection) -> tuple[bytes, ...]:
    return tuple(tenant for (tenant,) in connection.execute("SELECT DISTINCT tenant FROM originals ORDER BY tenant"))


def _kept(ids: Sequence[str], connection: sqlite3.Connection) -> frozenset[str]:
    query = "SELECT 1 FROM originals WHERE id = ?"
    return frozenset(id for id in ids if connection.execute(query, (id,)).fetchone())


def _prune(bounds: Bounds, now: float, seal: Seal, connection: sqlite3.Connection) -> int:
    """Drops one batch; returns how many, 0 where all is within bounds."""
    with writing(connection):
        total = _size(connection)
        query = f"SELECT key, at, bytes FROM originals ORDER BY at LIMIT {index.BATCH}"
        victims = tuple(bounds.beyond(total, now, connection.execute(query).fetchall()))
        one = f"SELECT {COLUMNS} FROM originals WHERE key = ?"
        _drop(connection, [Row(*connection.execute(one, (key,)).fetchone()) for key in victims], seal)
    return len(victims)


def _drop(connection: sqlite3.Connection, rows: Sequence[Row], seal: Seal) -> None:
    index.forget(connection, rows, seal)
    connection.executemany("DELETE FROM originals WHERE key = ?", [(row.key,) for row in rows])


def _size(connection: sqlite3.Connection) -> int:
    (total,) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM originals").fetchone()
    return int(total)

"""The archive of one machine: a SQLite file of its own beside the store's.

Rules of this room: as `Archive` says; what is read back is checked against the whole digest, not only
against the id. The file's own rules are those of the store's (proxy/store/database.py).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from policies.core.edits import archive_id
from proxy.archive import ID, MAX_AGE, require_room, text_digest
from proxy.errors import StoreError
from proxy.store.bounds import Bounds
from proxy.store.codec import compress, decompress
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
    ),
)

BATCH = 256
"""Originals dropped in one transaction, so that no writer waits long for a prune."""


def read_original(file: Path, identity: str) -> bytes | None:
    """An original by its id alone, for whoever may read the file. None where there is none."""
    if not file.exists() or not ID.fullmatch(identity):
        return None
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT)) as connection:
            row = connection.execute("SELECT digest, body FROM originals WHERE id = ?", (identity,)).fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"the archive `{file.name}` cannot be read: {error}") from None
    return _checked(identity, *row) if row else None


def open_sqlite_archive(
    path: Path, max_bytes: int, max_age: float = MAX_AGE, *, timeout: float = TIMEOUT
) -> "SqliteArchive":
    """Opens or creates the file."""
    return SqliteArchive(open_database(path, SCHEMA, timeout=timeout), Bounds(max_bytes, max_age))


class SqliteArchive:
    """See `proxy.archive.Archive`."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self.database = database
        self._bounds = bounds

    async def put(self, tenant: bytes, texts: Sequence[bytes], now: float) -> tuple[str, ...]:
        require_room(texts, self._bounds.max_bytes)
        return await self.database.run(partial(_put, tenant, tuple(texts), now))

    async def get(self, tenant: bytes, id: str) -> bytes | None:
        return await self.database.run(partial(_get, tenant, id)) if ID.fullmatch(id) else None

    async def prune(self, now: float) -> int:
        """In many small transactions: other calls are served in between."""
        dropped = 0
        while some := await self.database.run(partial(_prune, self._bounds, now)):
            dropped += some
        await self.database.reclaim()
        return dropped

    async def size(self) -> int:
        return await self.database.run(_size)

    async def close(self) -> None:
        await self.database.close()


def _put(tenant: bytes, texts: Iterable[bytes], now: float, connection: sqlite3.Connection) -> tuple[str, ...]:
    digests = [(text_digest(text), text) for text in texts]
    with writing(connection):
        for digest, text in digests:
            _keep(connection, tenant, digest, text, now)
    return tuple(archive_id(tenant, digest) for digest, _ in digests)


def _keep(connection: sqlite3.Connection, tenant: bytes, digest: bytes, text: bytes, now: float) -> None:
    id = archive_id(tenant, digest)
    known = connection.execute(
        "UPDATE originals SET at = max(at, ?) WHERE tenant = ? AND id = ? AND digest = ?", (now, tenant, id, digest)
    ).rowcount
    if known:
        return
    body = compress(text)
    added = connection.execute(
        "INSERT INTO originals (tenant, id, digest, at, bytes, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (tenant, id, digest, now, len(body), body),
    ).rowcount
    if not added:
        raise StoreError(f"another original has the id `{id}`")


def _get(tenant: bytes, id: str, connection: sqlite3.Connection) -> bytes | None:
    row = connection.execute("SELECT digest, body FROM originals WHERE tenant = ? AND id = ?", (tenant, id)).fetchone()
    return _checked(id, *row) if row else None


def _checked(id: str, digest: bytes, body: bytes) -> bytes:
    content = decompress(body)
    if text_digest(content) != digest:
        raise StoreError(f"the original `{id}` is damaged and cannot be read")
    return content


def _prune(bounds: Bounds, now: float, connection: sqlite3.Connection) -> int:
    """Drops one batch; returns how many, 0 where all is within bounds."""
    with writing(connection):
        total = _size(connection)
        ages = connection.execute("SELECT key, at, bytes FROM originals ORDER BY at LIMIT ?", (BATCH,)).fetchall()
        victims = [(key,) for key in bounds.beyond(total, now, ages)]
        connection.executemany("DELETE FROM originals WHERE key = ?", victims)
    return len(victims)


def _size(connection: sqlite3.Connection) -> int:
    (total,) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM originals").fetchone()
    return int(total)

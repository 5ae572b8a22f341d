"""The store of one machine: one SQLite file, shared by any number of its processes.

Rules of this room: as `Store` says. A record is one compressed blob beside the columns that are
looked up; what became of a turn has its own table, so that a blob is never written twice. The table
of lineages carries last use and size, so pruning reads no record.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from policies.core.lineage import Record
from policies.core.outcome import Outcome
from proxy.store import LESSON_BYTES, LESSONS, Session
from proxy.store.bounds import MEGABYTE, Bounds
from proxy.store.codec import compress, decode, decompress, encode
from proxy.store.database import TIMEOUT, Database, Schema, open_database, reading, writing

SQLITE_BOUNDS = Bounds(max_bytes=2_000 * MEGABYTE)

SCHEMA = Schema(
    name="a store",
    application_id=int.from_bytes(b"HFst"),
    steps=(
        (
            """CREATE TABLE records (
                id INTEGER PRIMARY KEY, tenant BLOB NOT NULL, key BLOB NOT NULL, prefix BLOB NOT NULL, parent BLOB,
                root BLOB NOT NULL, at REAL NOT NULL, body BLOB NOT NULL, UNIQUE (tenant, key))""",
            "CREATE INDEX records_by_prefix ON records (tenant, prefix)",
            "CREATE INDEX records_by_root ON records (tenant, root, at)",
            "CREATE TABLE outcomes (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
            """CREATE TABLE lineages (
                tenant BLOB NOT NULL, root BLOB NOT NULL, used REAL NOT NULL, bytes INTEGER NOT NULL,
                PRIMARY KEY (tenant, root)) WITHOUT ROWID""",
            "CREATE INDEX lineages_by_use ON lineages (used, bytes)",
        ),
        (  # turns of before have no name here, and are not listed
            "ALTER TABLE records ADD COLUMN session TEXT",
            "CREATE INDEX records_by_session ON records (session, tenant, at) WHERE session IS NOT NULL",
        ),
        (
            """CREATE TABLE lessons (
                id INTEGER PRIMARY KEY, tenant BLOB NOT NULL, name TEXT NOT NULL, at REAL NOT NULL, value BLOB NOT NULL,
                UNIQUE (tenant, name))""",
            "CREATE INDEX lessons_by_age ON lessons (at)",
        ),
    ),
)

FIRST, REST = 64, 1_000
"""Prefixes a statement. The hit of a turn that goes on is among the first few (deepest first)."""

BATCH = 32
"""Lineages dropped in one transaction, so that no writer waits long for a prune."""


def open_sqlite(path: Path, bounds: Bounds = SQLITE_BOUNDS, *, timeout: float = TIMEOUT) -> "SqliteStore":
    """Opens or creates the file."""
    return SqliteStore(open_database(path, SCHEMA, timeout=timeout), bounds)


class SqliteStore:
    """See `proxy.store.Store`."""

    def __init__(self, database: Database, bounds: Bounds = SQLITE_BOUNDS) -> None:
        self.database = database
        self._bounds = bounds

    async def find(self, tenant: bytes, prefixes: Sequence[bytes]) -> tuple[Record, ...]:
        return await self.database.run(partial(_find, tenant, tuple(prefixes)))

    async def chain(self, tenant: bytes, key: bytes) -> tuple[Record, ...]:
        return await self.database.run(partial(_chain, tenant, key))

    async def tip(self, tenant: bytes, root: bytes) -> Record | None:
        return await self.database.run(partial(_tip, tenant, root))

    async def sessions(self, limit: int) -> tuple[Session, ...]:
        return await self.database.run(partial(_sessions, limit))

    async def turns(self, tenant: bytes, session: str) -> tuple[tuple[Record, Outcome | None], ...]:
        return await self.database.run(partial(_turns, tenant, session))

    async def put(self, record: Record) -> Record:
        return await self.database.run(partial(_put, record))

    async def put_outcome(self, tenant: bytes, key: bytes, outcome: Outcome) -> None:
        await self.database.run(partial(_put_outcome, tenant, key, outcome))

    async def outcome(self, tenant: bytes, key: bytes) -> Outcome | None:
        return await self.database.run(partial(_outcome, tenant, key))

    async def learn(self, tenant: bytes, name: str, value: bytes, now: float) -> None:
        if len(value) <= LESSON_BYTES:
            await self.database.run(partial(_learn, tenant, _text(name), compress(value), now))

    async def lesson(self, tenant: bytes, name: str) -> bytes | None:
        return await self.database.run(partial(_lesson, tenant, _text(name)))

    async def prune(self, now: float) -> int:
        """In many small transactions: other calls are served in between."""
        dropped = 0
        while some := await self.database.run(partial(_prune, self._bounds, now)):
            dropped += some
        await self.database.reclaim()
        return dropped

    async def close(self) -> None:
        await self.database.close()


def _find(tenant: bytes, prefixes: Sequence[bytes], connection: sqlite3.Connection) -> tuple[Record, ...]:
    with reading(connection):
        for some in _chunks(prefixes):
            marks = ",".join("?" * len(some))
            held = dict(
                connection.execute(
                    f"SELECT prefix, id FROM records WHERE tenant = ? AND prefix IN ({marks})", (tenant, *some)
                )
            )
            if held:
                first = next(prefix for prefix in some if prefix in held)
                return _at_prefix(connection, tenant, first)
    return ()


def _chunks(prefixes: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    yield prefixes[:FIRST]
    for start in range(FIRST, len(prefixes), REST):
        yield prefixes[start : start + REST]


def _at_prefix(connection: sqlite3.Connection, tenant: bytes, prefix: bytes) -> tuple[Record, ...]:
    rows = connection.execute(
        "SELECT body FROM records WHERE tenant = ? AND prefix = ? ORDER BY at DESC, id DESC", (tenant, prefix)
    )
    return tuple(decode(body, Record) for (body,) in rows)


def _chain(tenant: bytes, key: bytes, connection: sqlite3.Connection) -> tuple[Record, ...]:
    """One look-up a link rather than a recursive query: as fast, and a cycle in a damaged file ends."""
    seen: dict[bytes, bytes] = {}
    at: bytes | None = key
    with reading(connection):
        while at is not None and at not in seen and (row := _link(connection, tenant, at)):
            seen[at], at = row[1], row[0]
    return tuple(decode(body, Record) for body in reversed(seen.values()))


def _link(connection: sqlite3.Connection, tenant: bytes, key: bytes) -> tuple[bytes | None, bytes] | None:
    row: tuple[bytes | None, bytes] | None = connection.execute(
        "SELECT parent, body FROM records WHERE tenant = ? AND key = ?", (tenant, key)
    ).fetchone()
    return row


def _tip(tenant: bytes, root: bytes, connection: sqlite3.Connection) -> Record | None:
    row = connection.execute(
        "SELECT body FROM records WHERE tenant = ? AND root = ? ORDER BY at DESC, id DESC LIMIT 1", (tenant, root)
    ).fetchone()
    return decode(row[0], Record) if row else None


def _sessions(limit: int, connection: sqlite3.Connection) -> tuple[Session, ...]:
    rows = connection.execute(
        "SELECT tenant, session, count(*), max(at) AS last FROM records WHERE session IS NOT NULL"
        " GROUP BY session, tenant ORDER BY last DESC LIMIT ?",
        (limit,),
    )
    return tuple(Session(*row) for row in rows)


def _turns(tenant: bytes, session: str, connection: sqlite3.Connection) -> tuple[tuple[Record, Outcome | None], ...]:
    rows = connection.execute(
        "SELECT records.body, outcomes.body FROM records LEFT JOIN outcomes USING (id)"
        " WHERE session = ? AND tenant = ? ORDER BY at, id",
        (session, tenant),
    )
    return tuple((decode(body, Record), decode(told, Outcome) if told else None) for body, told in rows)


def _put(record: Record, connection: sqlite3.Connection) -> Record:
    body = encode(record)
    session = _text(record.session)
    columns = (record.tenant, record.key, record.prefix, record.parent, record.root, record.at, body, session)
    with writing(connection):
        added = connection.execute(
            "INSERT INTO records (tenant, key, prefix, parent, root, at, body, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            columns,
        ).rowcount
        kept = record if added else _first(connection, record)
        connection.execute(
            "INSERT INTO lineages VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET used = max(used, excluded.used), bytes = bytes + excluded.bytes",
            (kept.tenant, kept.root, record.at, len(body) * added),
        )
    return kept


def _text(session: str) -> str:
    """A name from a header may hold a NUL, which SQLite's own functions take for its end."""
    return session.replace("\0", "?")


def _first(connection: sqlite3.Connection, record: Record) -> Record:
    """What another process, or an earlier attempt, has written under this key."""
    (body,) = connection.execute(
        "SELECT body FROM records WHERE tenant = ? AND key = ?", (record.tenant, record.key)
    ).fetchone()
    return decode(body, Record)


def _put_outcome(tenant: bytes, key: bytes, outcome: Outcome, connection: sqlite3.Connection) -> None:
    body = encode(outcome)
    with writing(connection):
        row = connection.execute(
            "SELECT id, root, coalesce(length(outcomes.body), 0) FROM records LEFT JOIN outcomes USING (id)"
            " WHERE tenant = ? AND key = ?",
            (tenant, key),
        ).fetchone()
        if row is None:
            return
        identity, root, before = row
        connection.execute("INSERT OR REPLACE INTO outcomes VALUES (?, ?)", (identity, body))
        connection.execute(
            "UPDATE lineages SET bytes = bytes + ? WHERE tenant = ? AND root = ?", (len(body) - before, tenant, root)
        )


def _outcome(tenant: bytes, key: bytes, connection: sqlite3.Connection) -> Outcome | None:
    row = connection.execute(
        "SELECT outcomes.body FROM records JOIN outcomes USING (id) WHERE tenant = ? AND key = ?", (tenant, key)
    ).fetchone()
    return decode(row[0], Outcome) if row else None


def _learn(tenant: bytes, name: str, value: bytes, now: float, connection: sqlite3.Connection) -> None:
    """A name that is learned again is the newest, so it has a new id."""
    with writing(connection):
        connection.execute(
            "INSERT OR REPLACE INTO lessons (tenant, name, at, value) VALUES (?, ?, ?, ?)", (tenant, name, now, value)
        )
        newest = "SELECT id FROM lessons WHERE tenant = ? ORDER BY id DESC LIMIT ?"
        connection.execute(f"DELETE FROM lessons WHERE tenant = ? AND id NOT IN ({newest})", (tenant, tenant, LESSONS))


def _lesson(tenant: bytes, name: str, connection: sqlite3.Connection) -> bytes | None:
    row = connection.execute("SELECT value FROM lessons WHERE tenant = ? AND name = ?", (tenant, name)).fetchone()
    return decompress(row[0]) if row else None


def _prune(bounds: Bounds, now: float, connection: sqlite3.Connection) -> int:
    """Drops one batch; returns how many, 0 where all is within bounds."""
    with writing(connection):
        (total,) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM lineages").fetchone()
        ages = connection.execute("SELECT tenant, root, used, bytes FROM lineages ORDER BY used LIMIT ?", (BATCH,))
        names = (((tenant, root), used, size) for tenant, root, used, size in ages.fetchall())
        victims = list(bounds.beyond(total, now, names))
        of_lineage = "WHERE tenant = ? AND root = ?"
        connection.executemany(f"DELETE FROM outcomes WHERE id IN (SELECT id FROM records {of_lineage})", victims)
        connection.executemany(f"DELETE FROM records {of_lineage}", victims)
        connection.executemany(f"DELETE FROM lineages {of_lineage}", victims)
        connection.execute("DELETE FROM lessons WHERE at < ?", (now - bounds.max_age,))
    return len(victims)

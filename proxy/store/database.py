"""One SQLite file, opened safely and used from one thread of its own, so the event loop never waits for a disk.

Rules of this room: write-ahead log, so readers go on while another process writes; every writer says
BEGIN IMMEDIATE, because a transaction that reads first and writes later is refused at once when another
process has written meanwhile, whatever the timeout (SQLITE_BUSY_SNAPSHOT). A fault is a StoreError that
says what to do, never what was stored. It must not know what the tables mean.

With `synchronous=NORMAL` what was acknowledged survives the death of the process (kill -9); a power cut
may take the last transactions, but leaves the file sound (sqlite.org/wal.html).
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from proxy.errors import StoreError

T = TypeVar("T")

TIMEOUT = 2.0
"""Seconds to wait for another process's write; ours take less than a millisecond each."""


PAUSE = 0.01
"""Seconds between two attempts at what SQLite does not wait for by itself."""

PAGES = 1_000
"""Pages given back to the disk in one transaction (4 MB), so that no writer waits long."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file is, and how it came to be: step n leads from version n to n+1. Steps are only ever added."""

    name: str
    application_id: int
    """Four bytes in the file's header, so that a file of another program is never written to."""
    steps: tuple[tuple[str, ...], ...]

    @property
    def version(self) -> int:
        return len(self.steps)


_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process holds it locked; stop that process, or give each its own file",
    sqlite3.SQLITE_FULL: "there is no room left on the disk; free some, or lower the bounds and prune",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; move it away and a new one is started, or restore a copy",
    sqlite3.SQLITE_NOTADB: "this is not a SQLite file, or it is damaged; move it away and a new one is started",
    sqlite3.SQLITE_READONLY: "it cannot be written; check owner and mode of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is a file, and owner and mode of its folder",
}


class Database:
    """A connection and its thread. `run` hands the connection to a function on that thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="holdfast-sqlite")

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work`. Where the caller is cancelled meanwhile, it is done whole or not at all."""
        try:
            future = self._executor.submit(self._guarded, work)
        except RuntimeError:
            raise StoreError(f"`{self.path}` is closed") from None
        return await asyncio.wrap_future(future)

    async def reclaim(self) -> None:
        """Gives the room of what was dropped back to the disk, in small transactions."""
        while await self.run(reclaim):
            pass

    async def close(self) -> None:
        """Waits for what is in flight. A second time does nothing."""
        try:
            await self.run(sqlite3.Connection.close)
        except StoreError:
            return
        self._executor.shutdown()

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _faults_of(self.path):
            return work(self._connection)


def open_database(path: Path, schema: Schema, *, timeout: float = TIMEOUT) -> Database:
    """Opens or creates. A new file has mode 0600; a file that exists keeps the mode its owner gave it."""
    with _faults_of(path):
        _create(path)
        # SQLite gives the -wal and -shm files beside it the same mode.
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, schema, path, timeout)
        except BaseException:
            connection.close()
            raise
    return Database(path, connection)


@dataclass(frozen=True, slots=True)
class Examined:
    """A file as it was found. `held` is what the caller's query gave; None for a new file."""

    version: int
    journal: str
    held: tuple[int, float | None] | None


def examine(path: Path, schema: Schema, query: str, *, timeout: float = TIMEOUT) -> Examined:
    """Reads a file and writes to it without leaving anything. Never makes or upgrades one. Raises StoreError."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with _faults_of(path), closing(sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)) as connection:
        version = _version(connection, schema, path)
        held = connection.execute(query).fetchone() if version else None
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE a_trial (n INTEGER)")
        connection.execute("ROLLBACK")
    return Examined(version, journal, held)


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Several reads of one state."""
    with connection:
        connection.execute("BEGIN")
        yield


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def reclaim(connection: sqlite3.Connection) -> bool:
    """Gives some room back; returns whether there is more."""
    (before,) = connection.execute("PRAGMA freelist_count").fetchone()
    # Not `execute`: that steps once, and this statement frees one page a step without giving a row.
    connection.executescript(f"PRAGMA incremental_vacuum({PAGES})")
    (after,) = connection.execute("PRAGMA freelist_count").fetchone()
    return bool(0 < after < before)


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never opened where it exists: closing it would drop the locks that another connection of this
    # process holds on it (sqlite.org/howtocorrupt.html, section 2.2).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare(connection: sqlite3.Connection, schema: Schema, path: Path, timeout: float) -> None:
    # Before anything is in the file, or it has no effect (sqlite.org/pragma.html#pragma_auto_vacuum).
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    if _version(connection, schema, path) < schema.version:
        with writing(connection):
            _upgrade(connection, schema, path)
    _write_ahead(connection, timeout)


def _write_ahead(connection: sqlite3.Connection, timeout: float) -> None:
    """The switch is refused at once, without waiting, while another process opens the same new file."""
    connection.execute("PRAGMA busy_timeout=0")
    for _ in range(round(timeout / PAUSE)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            time.sleep(PAUSE)
    else:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA busy_timeout={round(timeout * 1000)}")


def _upgrade(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    """Looks again: another process may have been first."""
    for step in schema.steps[_header(connection, schema, path) :]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id={schema.application_id}")
    connection.execute(f"PRAGMA user_version={schema.version}")


def _version(connection: sqlite3.Connection, schema: Schema, path: Path) -> int:
    with reading(connection):
        return _header(connection, schema, path)


def _header(connection: sqlite3.Connection, schema: Schema, path: Path) -> int:
    """The version of the file; 0 for a new one."""
    application_id, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
    )
    if (application_id, version, tables) == (0, 0, 0):
        return 0
    if application_id != schema.application_id:
        raise StoreError(f"`{path}` is not {schema.name} of Holdfast; name another file")
    if version > schema.version:
        raise StoreError(
            f"`{path}` was written by a newer Holdfast (schema {version}, this one knows {schema.version}); "
            "run that version, or name another file"
        )
    return int(version)


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code. Errors of the driver itself carry none.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise StoreError(f"`{path}`: {_ADVICE.get(code, 'SQLite refused it')} ({name})") from error
    except OSError as error:
        raise StoreError(f"`{path}` cannot be opened: {error.strerror}") from error

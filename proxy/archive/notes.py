"""The scratchpad: what agents write down outside of their windows.

Rules of this room: a note belongs to one tenant, its id is that tenant's own count. Bounded in size and number: a
full scratchpad refuses, since what is dropped in silence would be missed. A note goes `AGE` after it was last written.
"""

import re
import sqlite3
from functools import partial
from typing import Any

import msgspec

from proxy.archive import Note
from proxy.archive.seal import Seal
from proxy.errors import AskedError, StoreError
from proxy.store.database import Database, writing

LONGEST = 16_000
"""Characters of a note, title included."""
MOST = 100
"""Notes of one tenant."""
AGE = 30 * 86_400.0
"""Seconds since it was last written."""

# An empty body is a note that was removed: its number is not given to another, whose reader may still have it.
SCHEMA = """CREATE TABLE notes (
    key INTEGER PRIMARY KEY, tenant BLOB NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL,
    seal BLOB NOT NULL, body BLOB NOT NULL, UNIQUE (tenant, number))"""

_ID = re.compile(r"note-([1-9][0-9]{0,8})")


def number_of(id: str) -> int:
    """0 where it is none."""
    match = _ID.fullmatch(id)
    return int(match[1]) if match else 0


def require_fit(text: str, title: str) -> None:
    if len(text) + len(title) > LONGEST:
        raise AskedError(f"a note may have {LONGEST} characters; keep what is long in a file, and its path in the note")


class MemoryNotes:
    """See `proxy.archive.Notes`."""

    def __init__(self) -> None:
        self._notes: dict[tuple[bytes, int], Note] = {}
        self._counts: dict[bytes, int] = {}

    async def write(self, tenant: bytes, text: str, title: str, now: float, id: str = "") -> Note:
        require_fit(text, title)
        known = self._notes.get((tenant, number_of(id)))
        require_place(id, known, sum(owner == tenant for owner, _ in self._notes))
        number = number_of(id) or self._counts.get(tenant, 0) + 1
        self._counts[tenant] = max(number, self._counts.get(tenant, 0))
        note = Note(f"note-{number}", title or (known.title if known else ""), text, now)
        self._notes[tenant, number] = note
        return note

    async def read(self, tenant: bytes, id: str) -> Note | None:
        return self._notes.get((tenant, number_of(id)))

    async def remove(self, tenant: bytes, id: str) -> bool:
        return self._notes.pop((tenant, number_of(id)), None) is not None

    async def all(self, tenant: bytes) -> tuple[Note, ...]:
        return tuple(note for (owner, _), note in sorted(self._notes.items()) if owner == tenant)

    def prune(self, now: float) -> None:
        self._notes = {name: note for name, note in self._notes.items() if note.at >= now - AGE}


def require_place(id: str, known: Note | None, count: int) -> None:
    """Raises AskedError where there is no such note, or no room for another."""
    if id and known is None:
        raise AskedError(f"there is no note `{id}`; leave the id out to write a new one", missing=True)
    if not id and count >= MOST:
        raise AskedError(f"the scratchpad is full ({MOST} notes); write over one by its id, or remove one")


class SqliteNotes:
    """See `proxy.archive.Notes`. In the archive's file."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database, self._seal = database, seal

    async def write(self, tenant: bytes, text: str, title: str, now: float, id: str = "") -> Note:
        require_fit(text, title)
        return await self._database.run(partial(_write, tenant, text, title, now, id, self._seal))

    async def read(self, tenant: bytes, id: str) -> Note | None:
        return await self._database.run(partial(_read, tenant, id, self._seal))

    async def remove(self, tenant: bytes, id: str) -> bool:
        return await self._database.run(partial(_remove, tenant, id))

    async def all(self, tenant: bytes) -> tuple[Note, ...]:
        return await self._database.run(partial(_all, tenant, self._seal))


def _write(
    tenant: bytes, text: str, title: str, now: float, id: str, seal: Seal, connection: sqlite3.Connection
) -> Note:
    with writing(connection):
        known = _read(tenant, id, seal, connection)
        (count, last) = connection.execute(
            "SELECT coalesce(sum(body <> x''), 0), coalesce(max(number), 0) FROM notes WHERE tenant = ?", (tenant,)
        ).fetchone()
        require_place(id, known, count)
        note = Note(id or f"note-{last + 1}", title or (known.title if known else ""), text, now)
        number = number_of(note.id)
        body = seal.shut(msgspec.msgpack.encode((note.title, text)), _bound(tenant, number))
        connection.execute(
            "INSERT OR REPLACE INTO notes (tenant, number, at, seal, body) VALUES (?, ?, ?, ?, ?)",
            (tenant, number, now, seal.name, body),
        )
    return note


def _read(tenant: bytes, id: str, seal: Seal, connection: sqlite3.Connection) -> Note | None:
    query = "SELECT number, at, seal, body FROM notes WHERE tenant = ? AND number = ? AND body <> x''"
    row = connection.execute(query, (tenant, number_of(id))).fetchone()
    return _note(tenant, row, seal) if row else None


def _remove(tenant: bytes, id: str, connection: sqlite3.Connection) -> bool:
    query = "UPDATE notes SET body = x'' WHERE tenant = ? AND number = ? AND body <> x''"
    return bool(connection.execute(query, (tenant, number_of(id))).rowcount)


def _all(tenant: bytes, seal: Seal, connection: sqlite3.Connection) -> tuple[Note, ...]:
    query = "SELECT number, at, seal, body FROM notes WHERE tenant = ? AND body <> x'' ORDER BY number"
    return tuple(_note(tenant, row, seal) for row in connection.execute(query, (tenant,)))


def _note(tenant: bytes, row: tuple[Any, ...], seal: Seal) -> Note:
    number, at, name, body = row
    packed = seal.open(name, body, _bound(tenant, number))
    try:
        title, text = msgspec.msgpack.decode(packed, type=tuple[str, str])
    except msgspec.MsgspecError:
        raise StoreError(f"the note `note-{number}` is damaged and cannot be read") from None
    return Note(f"note-{number}", title, text, at)


def _bound(tenant: bytes, number: int) -> bytes:
    return tenant + b"note" + number.to_bytes(4)


def prune_notes(now: float, connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM notes WHERE at < ?", (now - AGE,))

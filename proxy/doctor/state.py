"""Store and archive: whether they can be used, and whether there is room.

Rules of this room: pure. A file that does not exist yet is fine where it can be made.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from proxy.doctor.finding import Finding

LEAST_ROOM = 500_000_000
"""Bytes free, below which a disk is about to fill: a day of one busy agent is some hundred megabytes."""

NEARLY = 0.9
"""Of the archive's bound: from here on, what was kept longest is about to go."""

OVER_A_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "glusterfs"})
"""Kinds of file systems on which a write-ahead log is not safe (sqlite.org/wal.html)."""


@dataclass(frozen=True, slots=True)
class DatabaseFact:
    """One SQLite file as it was found. `problem` says why it cannot be used; where it is missing, made."""

    name: str
    """`store` or `archive`."""
    path: str
    exists: bool
    problem: str = ""
    version: int = 0
    journal: str = ""
    free_bytes: int | None = None
    file_system: str = ""
    held_bytes: int = 0
    bound: int | None = None


@dataclass(frozen=True, slots=True)
class StateFacts:
    kind: str
    """`sqlite`, `memory`, or why the URL is none."""
    databases: tuple[DatabaseFact, ...] = ()


def check_state(facts: StateFacts) -> Iterator[Finding]:
    if facts.kind == "memory":
        what = "kept in memory: after a restart every running session is written to its cache once more"
        yield Finding("hint", "store", what, "unset HOLDFAST_STORE")
    elif facts.kind != "sqlite":
        fix = 'export HOLDFAST_STORE="sqlite:///$HOME/.local/state/holdfast/state.db"'
        yield Finding("failed", "store", facts.kind, fix)
    for database in facts.databases:
        yield from _database(database)


def _database(database: DatabaseFact) -> Iterator[Finding]:
    folder = shlex.quote(database.path.rpartition("/")[0] or ".")
    if database.problem:
        yield Finding("failed", database.name, f"{database.path}: {database.problem}", _repair(database, folder))
    elif not database.exists:
        yield Finding("ok", database.name, f"{database.path}: not made yet")
    else:
        what = f"{database.path}: read and written, schema {database.version}, {_size(database.held_bytes)} held"
        yield Finding("ok", database.name, what)
    if database.exists and not database.problem and database.journal != "wal":
        what = f"its journal is `{database.journal}` and not a write-ahead log: writers keep readers waiting"
        fix = f"python3 -m sqlite3 {shlex.quote(database.path)} 'PRAGMA journal_mode=WAL'"
        yield Finding("warning", database.name, what, fix)
    yield from _room(database, folder)


def _room(database: DatabaseFact, folder: str) -> Iterator[Finding]:
    if database.file_system in OVER_A_NETWORK:
        what = f"it is on a network file system ({database.file_system}), where a write-ahead log may be damaged"
        yield Finding("warning", database.name, what, "export HOLDFAST_STORE=sqlite:////var/tmp/holdfast/state.db")
    if database.free_bytes is not None and database.free_bytes < LEAST_ROOM:
        what = f"{_size(database.free_bytes)} are free on its disk; where it fills, no edit is made any more"
        yield Finding("warning", database.name, what, f"df -h {folder}")
    if database.bound is not None and database.held_bytes > NEARLY * database.bound:
        held, bound = _size(database.held_bytes), _size(database.bound)
        what = f"{held} of at most {bound} are held: the originals kept longest are about to go"
        fix = f"export HOLDFAST_ARCHIVE__MAX_BYTES={max(1, 2 * database.bound // 1_000_000_000)}GB"
        yield Finding("hint", database.name, what, fix)


def _repair(database: DatabaseFact, folder: str) -> str:
    path = shlex.quote(database.path)
    if not database.exists:
        return f"mkdir -p {folder} && ls -ld {folder}"
    if "newer" in database.problem:
        return "pip install --upgrade holdfast"
    if "damaged" in database.problem or "not a" in database.problem:
        return f"mv {path} {path}.old"
    if "locked" in database.problem:
        return f"fuser -v {path}"
    if "owner and mode" in database.problem:  # often a first start with sudo
        return f'sudo chown "$USER" {path} && chmod u+rw {path}'
    return f"ls -l {folder}"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"

"""Opens store and archive as they are, tries a write and takes it back.

Rules of this room: a file is never made, upgraded or pruned here: a missing one is judged by its folder.
The trial write is one transaction that is rolled back; SQLite itself removes the files that it needs beside
a write-ahead log when the last connection closes.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from proxy.archive.open import archive_path
from proxy.archive.sqlite import SCHEMA as ARCHIVE
from proxy.config import Settings
from proxy.doctor.state import DatabaseFact, StateFacts
from proxy.errors import ConfigError, StoreError
from proxy.store.database import Schema, examine
from proxy.store.open import store_path
from proxy.store.sqlite import SCHEMA as STORE

PATIENCE = 1.0
"""Seconds to wait for another process's write."""

HELD_IN_STORE = "SELECT coalesce(sum(bytes), 0), max(used) FROM lineages"
HELD_IN_ARCHIVE = "SELECT coalesce(sum(bytes), 0), max(at) FROM originals"
MOUNTS = Path("/proc/self/mountinfo")


class Looked(NamedTuple):
    facts: StateFacts
    newest: float | None
    """When something was last written, by the clock of that time."""


def look_at_state(settings: Settings) -> Looked:
    try:
        store, archive = store_path(settings.store), archive_path(settings.store)
    except ConfigError as error:
        return Looked(StateFacts(f"{error.message}; {error.help}"), None)
    if store is None or archive is None:
        return Looked(StateFacts("memory"), None)
    found = [
        _look("store", store, STORE, HELD_IN_STORE, None),
        _look("archive", archive, ARCHIVE, HELD_IN_ARCHIVE, settings.archive.max_bytes),
    ]
    times = [newest for _, newest in found if newest is not None]
    return Looked(StateFacts("sqlite", tuple(fact for fact, _ in found)), max(times, default=None))


def _look(name: str, path: Path, schema: Schema, query: str, bound: int | None) -> tuple[DatabaseFact, float | None]:
    folder = _existing(path.absolute().parent)
    problem, version, journal, held, newest = "", 0, "", 0, None
    if path.exists():
        try:
            examined = examine(path, schema, query, timeout=PATIENCE)
            version, journal = examined.version, examined.journal
            held, newest = examined.held or (0, None)
        except StoreError as error:
            # the path stands before the text already
            problem = re.sub(r"^`[^`]*`:? ?", "", str(error))
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = f"it does not exist, and `{folder}` cannot be written"
    fact = DatabaseFact(
        name=name,
        path=str(path),
        exists=path.exists(),
        problem=problem,
        version=version,
        journal=journal,
        free_bytes=shutil.disk_usage(folder).free,
        file_system=file_system(folder),
        held_bytes=held,
        bound=bound,
    )
    return fact, newest


def _existing(folder: Path) -> Path:
    """The nearest folder that exists."""
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system that a folder is on; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    inside = [(point, kind) for point, kind in _mounted(lines) if folder.resolve().is_relative_to(point)]
    return max(inside, key=lambda each: len(each[0]), default=("", ""))[1]


def _mounted(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Point and kind of each mount (proc(5): the kind follows a lone dash; blanks are octal)."""
    for line in lines:
        fields = line.split()
        if "-" in fields[6:]:
            yield fields[4].replace("\\040", " "), fields[fields.index("-", 6) + 1]

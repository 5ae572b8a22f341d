"""From the store's URL to the archive beside it. Called once a process, as the store's own opening is.

Rules of this room: the archive is of the store's kind.
"""

from pathlib import Path

from proxy.archive import MAX_AGE, Archive
from proxy.archive.memory import MemoryArchive
from proxy.archive.seal import Seal
from proxy.archive.sqlite import open_sqlite_archive
from proxy.store.open import store_path


def open_archive(store_url: str, max_bytes: int, max_age: float = MAX_AGE, seal: Seal | None = None) -> Archive:
    """Beside the store: `state.db` has its archive in `state.archive.db`. `max_age` in seconds."""
    path = archive_path(store_url)
    if path is None:
        return MemoryArchive(max_bytes, max_age)
    return open_sqlite_archive(path, max_bytes, max_age, seal=seal)


def archive_path(store_url: str) -> Path | None:
    """The archive's file; None where the store is in memory."""
    path = store_path(store_url)
    return path and path.with_name(f"{path.stem}.archive{path.suffix}")

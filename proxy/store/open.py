"""From a store's URL to a live store. Called once a process, at start-up, and after the fork where there are
workers: neither a SQLite connection nor its thread survives one (sqlite.org/howtocorrupt.html, section 2.6).

Rules of this room: an unknown URL is a ConfigError that does not repeat it, because it may hold a password.
"""

from pathlib import Path

from proxy.errors import ConfigError
from proxy.store import Store
from proxy.store.bounds import Bounds
from proxy.store.memory import MEMORY_BOUNDS, MemoryStore
from proxy.store.sqlite import SQLITE_BOUNDS, open_sqlite

MEMORY, SQLITE = "memory:", "sqlite:///"


def open_store(url: str, bounds: Bounds | None = None) -> Store:
    """`bounds` None: the backend's own. Raises ConfigError for the URL, StoreError for the file."""
    path = store_path(url)
    if path is None:
        return MemoryStore(bounds or MEMORY_BOUNDS)
    return open_sqlite(path, bounds or SQLITE_BOUNDS)


def store_path(url: str) -> Path | None:
    """The file of a `sqlite:///` URL: all that follows, so an absolute path makes four slashes. None for `memory:`."""
    if url == MEMORY:
        return None
    file = url.removeprefix(SQLITE)
    if file == url:
        raise ConfigError(f"unknown kind of store `{url.split(':')[0]}:`", help="use memory: or sqlite:///FILE")
    if not file or file.startswith("~"):
        raise ConfigError(f"`{url}` does not name a file", help="write sqlite:////absolute/path or sqlite:///relative")
    return Path(file)

"""From settings to the archive that they describe: its file, its key, its mirror.

Rules of this room: the same for the proxy and for every command that reads what it has kept.
"""

from pathlib import Path

from proxy.archive import Archive
from proxy.archive.mirror import MirroredArchive
from proxy.archive.open import open_archive
from proxy.archive.seal import Seal
from proxy.config import Settings
from proxy.config.secrets import SHORTEST
from proxy.errors import ConfigError


def open_from(settings: Settings) -> Archive:
    """Raises ConfigError and StoreError."""
    chosen = settings.archive
    keys = settings.archive_key.reveal().split() if settings.archive_key else []
    if any(len(key) < SHORTEST for key in keys):
        raise ConfigError(f"one of the archive keys is shorter than {SHORTEST} characters")
    archive = open_archive(settings.store, chosen.max_bytes, chosen.max_age, Seal(keys))
    return MirroredArchive(archive, Path(chosen.mirror)) if chosen.mirror else archive

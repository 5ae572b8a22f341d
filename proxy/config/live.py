"""The routes and policies in force, reloaded when a file changes.

Rules of this room: asked at turn boundaries, looks at most once a second; the swap is one assignment
of a frozen value, so a turn sees all of the old or all of the new. A bad file keeps the old one, is
logged once and counted. Only routes and policies are swapped; what else has changed is named, and
takes effect at the next start. The clock is an argument.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from policies.routes import Routes
from proxy.config.load import Request, load_settings
from proxy.config.nodes import ConfigErrors
from proxy.config.settings import Settings

INTERVAL = 1.0  # seconds between two looks at the files
SWAPPED = ("routes", "sources", "notes")
"""The settings that a reload changes; all others are read once, at the start."""

_log = logging.getLogger("holdfast.config")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a reload."""

    changed: bool
    error: str = ""
    """Why the old configuration stays; empty where the new one is in force."""
    at_next_start: tuple[str, ...] = ()
    """Settings whose change takes effect at the next start only."""


class Live:
    """Holds what is in force. `reload` may be called at any time; `poll` decides by itself whether to look."""

    def __init__(self, request: Request, settings: Settings, *, load: Callable[[Request], Settings] = load_settings):
        self._request, self._load = request, load
        self._started = self._settings = settings
        self._seen = _contents(settings.sources)
        self._looked = float("-inf")
        self.reloads = 0
        self.failures = 0

    @property
    def routes(self) -> Routes:
        """What is in force. Take it once a turn."""
        return self._settings.routes

    def poll(self, now: float) -> Reloaded | None:
        """Reload where a file has changed; None where nothing was done."""
        # a clock that was set back must not keep us from looking
        if abs(now - self._looked) < INTERVAL:
            return None
        self._looked = now
        # the contents, not their times: an editor may save twice within the resolution of a file system's clock
        if _contents(self._settings.sources) == self._seen:
            return None
        return self.reload()

    def reload(self) -> Reloaded:
        """Read everything again, now."""
        # before reading: a change while reading is seen at the next look
        self._seen = _contents(self._settings.sources)
        try:
            settings = self._load(self._request)
        except ConfigErrors as error:
            self.failures += 1
            _log.error("configuration not reloaded, the old one stays: %s", " | ".join(str(error).splitlines()))
            return Reloaded(changed=False, error=str(error))
        later = tuple(
            name
            for name in Settings.__struct_fields__
            if name not in SWAPPED and getattr(settings, name) != getattr(self._started, name)
        )
        changed = settings.routes != self._settings.routes
        if settings.sources != self._settings.sources:
            self._seen = _contents(settings.sources)
        self._settings = settings
        self.reloads += 1
        _log.info("configuration reloaded%s", f"; at the next start: {', '.join(later)}" if later else "")
        return Reloaded(changed=changed, at_next_start=later)


def _contents(paths: tuple[str, ...]) -> tuple[bytes, ...]:
    """A digest of each file; a file that is missing or cannot be read has none."""
    return tuple(_digest(Path(path)) for path in paths)


def _digest(path: Path) -> bytes:
    try:
        return blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError:
        return b""

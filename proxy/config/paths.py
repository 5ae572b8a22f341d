"""Paths as they are written in configuration: `~` is the home folder, relative ones start at the file.

Rules of this room: text only, nothing is opened. A path in holdfast.yaml is relative to that file,
one in a variable or flag to the working folder. The environment is an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.config.nodes import ConfigErrors, Place, Table

SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Paths:
    """Resolves the paths of one configuration. `folder`: of the configuration file."""

    table: Table
    folder: Path
    environ: Mapping[str, str]

    def of(self, text: str | None, *key: str) -> str | None:
        """The path written at a key; None stays None."""
        if text is None:
            return None
        place = self.place(*key)
        if text == "~" or text.startswith("~/"):
            return self._home(place) + text[1:]
        return str(self.folder / text) if place.line else text

    def store(self, url: str) -> str:
        """A store's URL with its file resolved."""
        file = url.removeprefix(SQLITE)
        return url if file == url or not file else SQLITE + (self.of(file, "store") or "")

    def place(self, *key: str) -> Place:
        entry = self.table.at(key)
        return entry.node.place if entry else self.table.place

    def _home(self, place: Place) -> str:
        home = self.environ.get("HOME", "")
        if not home:
            raise ConfigErrors([place.error("`~` means nothing where HOME is not set", "write the whole path")])
        return home.rstrip("/")

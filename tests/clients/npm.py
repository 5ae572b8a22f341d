"""Where the command-line clients from npm are, and which versions.

Rules of this room: `make clients` installs what package-lock.json pins; nothing is fetched here.
"""

import json
from collections.abc import Callable
from pathlib import Path

from tests.clients.client import INSTALLED

MODULES = INSTALLED / "npm" / "node_modules"


def binary(name: str) -> Path:
    return MODULES / ".bin" / name


def version_of(package: str) -> Callable[[], str]:
    """As its own package.json says, when asked."""

    def version() -> str:
        return str(json.loads((MODULES / package / "package.json").read_text())["version"])

    return version

"""Where the Python clients are, and which versions.

Rules of this room: `make clients` installs what requirements/*.txt pin, in one environment for each of them;
nothing is fetched here. They are apart because they pin different versions of the same libraries.
"""

from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

from tests.clients.client import INSTALLED


def binary(environment: str, name: str = "python") -> Path:
    return INSTALLED / "python" / environment / "bin" / name


def version_of(environment: str, package: str) -> Callable[[], str]:
    """As its own metadata says, when asked."""

    def version() -> str:
        folders = (INSTALLED / "python" / environment / "lib").glob("python3*/site-packages")
        (found,) = distributions(name=package, path=[str(folder) for folder in folders])
        return found.version

    return version

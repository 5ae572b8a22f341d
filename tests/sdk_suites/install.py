"""Puts a suite with its environment, and the mock server, on disk.

Rules of this room: everything is locked by hash beside this file, and fetched by pip and npm alone; what is
there for the same lock is not fetched again. A suite has an environment of its own: it pins its own versions.
"""

import gzip
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.running import ROOT
from tests.sdk_suites.suites import Suite

LOCKS = Path(__file__).parent
INSTALLED = ROOT / ".clients" / "sdk_suites"
DESCRIPTIONS = ROOT.parent / "shared" / "specs"
QUIET = ("-qq", "--no-input", "--disable-pip-version-check")
FROM_SOURCE = ("--no-deps", "--no-build-isolation", "--no-binary", ":all:")


@dataclass(frozen=True)
class Installed:
    python: Path
    tests: Path
    """The unpacked source distribution."""
    description: Path
    mock: Path


def missing(suite: Suite, descriptions: Path = DESCRIPTIONS) -> str:
    """Why this suite cannot be run here, or nothing."""
    if suite.description and not (descriptions / suite.description).exists():
        return f"no {suite.description} in shared/specs"
    return "" if shutil.which("npm") else "no npm to install the mock server with"


def install(suite: Suite, interpreter: str) -> Installed:
    """`interpreter`: a Python that has pip."""
    folder = INSTALLED / suite.name
    if _renewed(folder, (LOCKS / f"{suite.name}.txt").read_text()):
        _install_suite(suite, interpreter, folder)
    mock = INSTALLED / "mock"
    if _renewed(mock, (LOCKS / "package-lock.json").read_text()):
        _install_mock(mock)
    for part in (folder, mock):
        (part / "complete").touch()
    python, tests = folder / "venv/bin/python", folder / f"{suite.name}-{suite.version}"
    return Installed(python, tests, _described(suite, python, folder), mock / "node_modules/.bin/steady")


def _described(suite: Suite, python: Path, folder: Path) -> Path:
    description = folder / "description"
    if suite.description:
        description.write_bytes(gzip.decompress((DESCRIPTIONS / suite.description).read_bytes()))
    else:
        with description.open("wb") as file:
            subprocess.run([python, LOCKS / "describe.py", suite.name], check=True, stdout=file)
    return description


def _renewed(folder: Path, lock: str) -> bool:
    """Whether the folder is to be filled: emptied, with its lock in it."""
    kept = folder / "lock"
    if (folder / "complete").exists() and kept.read_text() == lock:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kept.write_text(lock)
    return True


def _install_suite(suite: Suite, interpreter: str, folder: Path) -> None:
    _run(interpreter, "-m", "venv", "--without-pip", str(folder / "venv"))
    pip = (interpreter, "-m", "pip", "--python", str(folder / "venv/bin/python"))
    _run(*pip, "install", *QUIET, "--require-hashes", "-r", str(folder / "lock"))
    (folder / "source").write_text(pinned(suite.name, (folder / "lock").read_text()))
    _run(*pip, "download", *QUIET, *FROM_SOURCE, "--require-hashes", "-r", str(folder / "source"), "-d", str(folder))
    with tarfile.open(folder / f"{suite.name}-{suite.version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")


def pinned(distribution: str, lock: str) -> str:
    """The lines of a lock that are about one distribution."""
    found = re.search(rf"^{re.escape(distribution)}==.*(?:\n +--hash=.*)*\n", lock, re.MULTILINE)
    if found is None:
        raise ValueError(f"`{distribution}` is not locked")
    return found[0]


def _install_mock(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKS / name, folder)
    _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", folder=folder)


def _run(*command: str, folder: Path | None = None) -> None:
    subprocess.run(command, check=True, cwd=folder)

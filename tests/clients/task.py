"""The task that every client is given: about twenty steps of real work on files, the same for all.

Rules of this room: steps say what is done, not how a client words it. What a step yields is decided by the
files alone, so that two runs of one client can be compared. It knows no client and no wire format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.agents import observation

TASK = "Raise the number of retries in settings.py to 5, after reading how the parts use it."
FINAL = "Retries are now 5, and the check passes."
READS = 14
LINES = (60, 140)
CHECK = "grep -n 'RETRIES = 5' settings.py && echo checked > checked.txt"


@dataclass(frozen=True)
class Read:
    """Read a whole file."""

    name: str


@dataclass(frozen=True)
class Shell:
    """Run one command line in the workspace."""

    command: str


@dataclass(frozen=True)
class Edit:
    """Replace the only occurrence of `old` in a file that was read before."""

    name: str
    old: str
    new: str


Step = Read | Shell | Edit


def _part(number: int) -> str:
    return f"part_{number:02}.py"


def _mark(number: int) -> str:
    """Stands in one file only, so that a request shows whether the file was really read."""
    return f"mark_{number * 7919 % 100_000:05}_of_part"


STEPS: tuple[Step, ...] = (
    Shell("ls -l --time-style=+"),
    Read("settings.py"),
    *(Read(_part(number)) for number in range(READS - 4)),
    Shell("cat no_such_file.py"),
    *(Read(_part(number)) for number in range(READS - 4, READS - 2)),
    Edit("settings.py", "RETRIES = 3", "RETRIES = 5"),
    *(Read(_part(number)) for number in range(READS - 2, READS)),
    Shell(CHECK),
    Shell("wc -l part_*.py"),
)
MARKS = tuple(_mark(number) for number in range(READS))


def lay_out(folder: Path) -> None:
    """The workspace before the work."""
    folder.mkdir(parents=True)
    (folder / "settings.py").write_text("TIMEOUT = 30\nRETRIES = 3\nBACKOFF = 1.5\n")
    for number in range(READS):
        (folder / _part(number)).write_text(f"# {_mark(number)}\n{observation(number, LINES)}\n")


def result(folder: Path) -> dict[str, str]:
    """What the work left behind: the files that it may change or make, and whether the others are as they were."""
    return {path.name: path.read_text() for path in _files(folder) if not path.name.startswith("part_")}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))


EXPECTED = {"settings.py": "TIMEOUT = 30\nRETRIES = 5\nBACKOFF = 1.5\n", "checked.txt": "checked\n"}

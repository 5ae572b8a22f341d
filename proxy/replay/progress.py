"""How far a long replay is, on standard error: a bar on a terminal, now and then a line elsewhere.

It must not know what is being counted.
"""

from dataclasses import dataclass
from typing import TextIO

CELLS = 30
LINES = 10
"""Lines for the whole run where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Shows itself when called with how many are done, of how many."""

    stream: TextIO
    wanted: bool = False
    """Also where no terminal is."""

    def __call__(self, done: int, total: int) -> None:
        if self.stream.isatty():
            filled = CELLS * done // total
            end = "\n" if done == total else ""
            bar = "#" * filled + "." * (CELLS - filled)
            self.stream.write(f"\r[{bar}] {done:,} of {total:,} sessions{end}")
        elif self.wanted and (done == total or done % max(1, total // LINES) == 0):
            self.stream.write(f"{done:,} of {total:,} sessions\n")
        self.stream.flush()

"""Where a command prints, and in which form.

Rules of this room: colour only on a terminal that wants it (https://no-color.org); `--format json`
is for programs: one document, nothing else on standard output.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from proxy.tables import render


@dataclass(frozen=True, slots=True)
class Terminal:
    """Standard output as the user wants it."""

    colour: bool = False
    json: bool = False

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], document: Any) -> None:
        """A table, or the document that says the same."""
        self.text(json.dumps(document, indent=2) if self.json else render(header, rows, colour=self.colour))

    def text(self, text: str) -> None:
        print(text, flush=True)


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def complain(text: str) -> None:
    """One line, or one line for each problem, on standard error; never with a URL's password."""
    from proxy.config.nodes import masked  # here: only what goes wrong pays for the import

    print(masked(text), file=sys.stderr, flush=True)

"""`holdfast tools`: what the tool definitions of recorded sessions cost, and which of them were used."""

from collections.abc import Sequence
from pathlib import Path

from proxy.commands.terminal import Terminal
from proxy.toolbox.reading import sessions
from proxy.toolbox.report import document, text
from proxy.toolbox.tally import toolsets


def run(files: Sequence[str], model: str | None, terminal: Terminal) -> int:
    """Read the files and print the report; 0 whatever it says."""
    found = toolsets(sessions(map(Path, files), model))
    if terminal.json:
        terminal.table((), (), document(found))
    else:
        terminal.text(text(found, colour=terminal.colour))
    return 0

"""`holdfast replay`: what recorded sessions would have cost, and kept, under a policy.

Rules of this room: the document goes to standard output or a file, progress to standard error.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from proxy.commands.terminal import Terminal
from proxy.config.policies import load_policy
from proxy.replay.gaps import Gap
from proxy.replay.page import page
from proxy.replay.progress import Progress
from proxy.replay.report import document, table
from proxy.replay.run import replay, tasks, told_apart
from proxy.replay.session import Played


def run(
    traces: Sequence[str],
    policies: Sequence[str],
    model: str | None,
    gap: Gap | None,
    form: str,
    output: str | None,
    progress: bool,
    workers: int | None,
    terminal: Terminal,
) -> int:
    """Play the files; 0 also where a policy turns out dear."""
    loaded = told_apart([(name, load_policy(name).policy) for name in policies or ["default"]])
    work = tasks([Path(name) for name in traces], loaded, model, gap)
    played = replay(work, workers or os.cpu_count() or 1, Progress(sys.stderr, progress))
    text = rendered(played, form, colour=terminal.colour and output is None)
    if output is None:
        terminal.text(text)
    else:
        Path(output).write_text(text + "\n", encoding="utf-8")
    return 0


def rendered(played: Sequence[Played], form: str, *, colour: bool = False) -> str:
    """The result in the form asked for."""
    found = document(played)
    if form == "json":
        return json.dumps(found, indent=2)
    return page(found, played) if form == "html" else table(found, colour=colour)

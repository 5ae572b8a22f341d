"""What `serve --record` writes: one exchange a line, to be replayed later.

Rules of this room: requests as received and usage as reported, never a credential, a header or an
answer's text. A file holds prompts, so only its owner may read it. A line that cannot be written is
lost with a warning: recording never gets in the way of a request.
"""

import logging
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from policies.core.usage import Usage
from proxy.exchange import Prepared

log = logging.getLogger("holdfast.recorder")


VIEWED = ("", "signed_body")
"""Reasons to pass through with which a request can be replayed all the same; none, for one that was planned."""


class Recorder:
    """Appends to one file of its own in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises OSError where the folder cannot be written to."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{name}.jsonl"
        self._file: BinaryIO = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")

    def record(self, prepared: Prepared, usage: Usage | None, now: float, status: int) -> None:
        """One line; none for a request that could not be viewed: a replay would stop there."""
        if prepared.passthrough not in VIEWED:
            return
        request = prepared.request
        line = {
            "t": now,
            "upstream": request.upstream,
            "dialect": request.dialect.name,
            "path": request.path,
            "session": prepared.planned.turn.record.session if prepared.planned else request.session,
            "status": status,
            "request": request.body.decode("utf-8", "surrogateescape"),
            "usage": msgspec.to_builtins(usage),
        }
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
        except (OSError, UnicodeEncodeError) as error:
            log.warning("an exchange was not recorded: %s", type(error).__name__)

    def close(self) -> None:
        self._file.close()

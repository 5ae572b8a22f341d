"""`holdfast archive get`: the original of what a placeholder stands for.

Rules of this room: read-only, from the file on this machine; whoever may read the file may read what
is in it. An id is unguessable, so it is asked for without its tenant.
"""

import re
from collections.abc import Iterator

from proxy.archive.open import archive_path
from proxy.archive.sqlite import read_original
from proxy.commands.terminal import Terminal
from proxy.config import Settings
from proxy.errors import ConfigError, StoreError

RANGE = re.compile(r"(\d*):(\d*)")


def get(settings: Settings, identity: str, lines: str, pattern: str, terminal: Terminal) -> int:
    """Print an original, or the lines of it that are asked for."""
    file = archive_path(settings.store)
    if file is None:
        raise ConfigError("the store `memory:` keeps nothing on disk", help="read it while the proxy runs")
    content = read_original(file, identity)
    if content is None:
        raise StoreError(f"the archive has no original `{identity}`; it was dropped by age or size, or never kept")
    text = content.decode("utf-8", "replace")
    terminal.text("\n".join(_chosen(text.splitlines(), lines, pattern)) if lines or pattern else text)
    return 0


def _chosen(text: list[str], lines: str, pattern: str) -> Iterator[str]:
    first, last = _range(lines, len(text))
    wanted = _pattern(pattern)
    return (line for line in text[first - 1 : last] if wanted.search(line))


def _range(text: str, count: int) -> tuple[int, int]:
    match = RANGE.fullmatch(text or ":")
    if match is None:
        raise ConfigError(f"`{text}` is no range of lines", help="write A:B, counted from 1; either may be left out")
    return max(1, int(match[1] or 1)), int(match[2] or count)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"`{text}` is no regular expression: {error}") from None

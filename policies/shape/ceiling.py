"""Too long an output: its head and its tail, cut at the ends of lines, and where the rest is to be read.

Rules of this room: what is left out stands in the archive under the id that is named. Only texts near the
ceiling's own size are counted, however long the output is.
"""

from collections.abc import Callable

HEAD = 0.4
"""Share of what stays that is taken from the head: results and failures stand at the end."""
TRIES = 6
"""Times that less is taken: tokens are not spread evenly."""


def cut(text: str, tokens: int, most: int, identity: str, count: Callable[[str], int]) -> str:
    """Head and tail in at most `most` tokens, the note left aside if that is too little for it.

    `tokens`: of the text.
    """
    room = len(text) * most // tokens
    for _ in range(TRIES):
        short = _ends(text, room, identity)
        size = count(short)
        if size <= most:
            break
        room = max(0, int(room * 0.95 * most / size) - 1)
    return short


def _ends(text: str, room: int, identity: str) -> str:
    """About so many characters of the text's two ends, with a note in between."""
    head, tail = _head(text, int(room * HEAD)), _tail(text, room - int(room * HEAD))
    left_out = text[len(head) : len(text) - len(tail)]
    lines = left_out.count("\n") + (not left_out.endswith("\n"))
    note = f"[{lines} lines, {len(left_out)} characters elided here; to read them: holdfast archive get {identity}]"
    return f"{_ended(head)}{note}\n{tail}"


def _head(text: str, room: int) -> str:
    """Whole lines from the beginning; a part of the first where it is longer."""
    end = text.rfind("\n", 0, room)
    return text[: end + 1] if end >= 0 else text[:room]


def _tail(text: str, room: int) -> str:
    """Whole lines from the end; a part of the last where it is longer."""
    begin = len(text) - room
    start = text.find("\n", begin - 1, len(text) - 1) if begin > 0 else -1
    return text[start + 1 :] if start >= 0 else text[begin:]


def _ended(head: str) -> str:
    return head if not head or head.endswith("\n") else f"{head}\n"

"""What a terminal shows at the end: no colours, no progress bars, no blanks at the ends of lines.

Rules of this room: text in, text out, in linear time; of what a terminal shows nothing goes. What was
overwritten goes only where something as long stands in its place. Without a terminal's own characters a
text keeps all but the blanks at the ends of its lines. It must not be asked about the text of a file.
"""

import re

LEFTOVER = 10
"""Characters of a longer line that may stick out behind what overwrote it: progress bars seldom erase them."""

_SPECIAL = re.compile("[\x07\x08\x0e\x0f\r\x1b]")
# ECMA-48 (CSI, strings, other sequences), ISO 2022 (charsets), the operating system commands of xterm.
# Erasing within a line is left to the lines.
_SEQUENCE = re.compile(
    r"""\x1b(?: \[[0-?]*[ -/]*[@-JL-~]
              | \][^\x07\x1b]*(?:\x07|\x1b\\)
              | [PX^_][^\x1b]*\x1b\\
              | [ -/]+[0-~]
              | [0-OQ-WYZ`-~] )
      | [\x07\x0e\x0f]
    """,
    re.VERBOSE,
)
_LINK = re.compile(r"\x1b\]8;[^;\x07\x1b]*;([^\x07\x1b]+)(?:\x07|\x1b\\)([^\x07\x1b]*)\x1b\]8;;(?:\x07|\x1b\\)")
_STYLE = re.compile(r"\x1b\[[0-9;:]*m")
_ERASURE = re.compile(r"\x1b\[[0-2]?K")
_MOVE = re.compile(r"(\r|\x1b\[[0-2]?K)")


def displayed(text: str) -> str:
    """The text as a terminal would show it."""
    if _SPECIAL.search(text):
        text = _SEQUENCE.sub("", _LINK.sub(_linked, _STYLE.sub("", text)))
        text = "\n".join(_ERASURE.sub("", _shown(line)) for line in text.split("\n"))
    return "\n".join(line.rstrip(" \t") for line in text.split("\n"))


def _linked(match: re.Match[str]) -> str:
    """The words of a hyperlink, with the address where the words do not say it."""
    address, words = match.groups()
    return words if words in address else f"{words} ({address})"


def _shown(line: str) -> str:
    """What stays of a line whose beginning was written again and again."""
    line = line.rstrip("\r")
    if "\r" not in line:
        return _moved_back(line)
    stays: list[str] = []
    shown = written = ""
    for piece in (*_MOVE.split(line), "\r"):
        if piece == "\r":
            if written and len(shown) - len(written) > LEFTOVER:
                stays.append(shown)
            shown, written = written or shown, ""
        elif _MOVE.fullmatch(piece):
            shown = ""
            written = "" if piece == "\x1b[2K" else written
        else:
            written += _moved_back(piece)
    return "\n".join([*stays, shown])


def _moved_back(line: str) -> str:
    """What stays where a backspace moves back and the next character overwrites."""
    if "\b" not in line:
        return line
    shown: list[str] = []
    place = 0
    for char in line:
        if char == "\b":
            place = max(0, place - 1)
        else:
            shown[place : place + 1] = [char]
            place += 1
    return "".join(shown)

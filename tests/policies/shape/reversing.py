"""What each lossless shape took out, put back: written from what the shape says, not from how it is made."""

import json
import re
from typing import Any

NOTE = re.compile(r"\[the (?:line|(\d+) lines) above, (\d+) more times?\]")
TABLE = re.compile(r"table of (\d+) objects, keys first")
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


def unfolded(text: str) -> str:
    """The text with repeats shown."""
    found: list[str] = []
    for line in text.split("\n"):
        note = NOTE.fullmatch(line)
        if note:
            found += found[-int(note[1] or 1) :] * int(note[2])
        else:
            found.append(line)
    return "\n".join(found)


class Spelled(float):
    """A number as it is spelled: 1.0 and 1.00 are two."""

    spelling: str

    def __new__(cls, spelling: str) -> "Spelled":
        made = super().__new__(cls, spelling)
        made.spelling = spelling
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spelled) and self.spelling == other.spelling

    __hash__ = float.__hash__


class Pairs(list[tuple[str, Any]]):
    """An object's members in order, equal keys and all."""


def exact(text: str) -> Any:
    """JSON as a value that loses nothing but blanks."""
    return json.loads(text, parse_int=Spelled, parse_float=Spelled, object_pairs_hook=Pairs)


def listed(value: Any) -> Any:
    """A value as `exact` reads it, with its tables as the lists that they were."""
    if isinstance(value, Pairs):
        if len(value) == 1 and (name := TABLE.fullmatch(value[0][0])):
            keys, *rows = value[0][1]
            assert len(rows) == int(name[1])
            return [Pairs(zip(keys, map(listed, row), strict=True)) for row in rows]
        return Pairs((key, listed(item)) for key, item in value)
    return [listed(item) for item in value] if isinstance(value, list) else value


def patched(old: str, changes: str) -> str:
    """The text that a unified difference makes of another."""
    before, found, at = old.split("\n"), list[str](), 0
    for line in changes.split("\n") if changes else ():
        if hunk := HUNK.fullmatch(line):
            start = int(hunk[1]) - (0 if hunk[2] == "0" else 1)
            found += before[at:start]
            at = start
        elif line[:1] == "+":
            found.append(line[1:])
        else:
            assert before[at] == line[1:]
            found += [line[1:]] if line[:1] == " " else []
            at += 1
    return "\n".join([*found, *before[at:]])


def unheaded(text: str) -> str:
    """The text with the names of files before the lines below them."""
    found: list[str] = []
    name = ""
    for line in text.split("\n"):
        sign = re.match(r"[0-9]+([:-])", line)
        if sign:
            name = name or found.pop()
            found.append(f"{name}{sign[1]}{line}")
        else:
            name = ""
            found.append(line)
    return "\n".join(found)

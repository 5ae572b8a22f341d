"""Lines that name the file they were found in: its name once, above them, as `rg --heading` writes it.

Rules of this room: nothing goes but the name. A text in which a line begins with a number as these then do is left
alone, so each name can be put back. It must not be asked about the text of a file itself.
"""

import re
from itertools import groupby

_FOUND = re.compile(r"([\w@+~./-]{1,300})([:-])[0-9]{1,9}\2")
"""`src/a.py:12:` of a match, `src/a.py-12-` of a line beside one; compilers and linters write the first as well."""
_NUMBERED = re.compile(r"^[0-9]+[:-]", re.MULTILINE)


def headed(text: str) -> str:
    """The text with the names of files as headings."""
    if _NUMBERED.search(text):
        return text
    found: list[str] = []
    for name, group in groupby(text.split("\n"), _name):
        lines = list(group)
        if name and len(lines) > 1:
            found += [name, *(line[len(name) + 1 :] for line in lines)]
        else:
            found += lines
    return "\n".join(found)


def _name(line: str) -> str:
    """The file that a line names; empty where it names none."""
    match = _FOUND.match(line)
    return match[1] if match and not {".", "/"}.isdisjoint(match[1]) else ""

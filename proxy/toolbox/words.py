"""Words of names and descriptions, made comparable: without endings, and one word for what means the same.

Rules of this room: pure and deterministic, small tables in place of a language model. What is no word of
English is compared as it stands.
"""

import re
from collections.abc import Iterator

_IN_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_IN_TEXT = re.compile(r"[^\W\d_]+")
_ENDINGS = ("ings", "ing", "ies", "ers", "er", "ions", "ion", "ed", "es", "s", "e", "y")
_SHORTEST = 3
"""Letters that an ending must leave."""

_SILENT = frozenset(
    """a about all also an and any are as at be by call calls can do does each for from function functions given has
    have if in information into is it its may must not of on one only or per should such than that the their them then
    there these they this those to tool tools use used user users uses using via when where which will with you
    your""".split()
)
"""Words of a text that tell no two tools apart."""
_TAKEN_FOR_GRANTED = frozenset("file files text content contents tool execute exec run mcp".split())
"""Words of a name that agents' tools leave out as often as not: `read` and `read_file`, `bash` and `run_command`."""

# What agents' tools are called by, one line a meaning: from the tools of Claude Code 2.1, Codex 0.169, opencode 1.18,
# Gemini CLI 0.61, TRAE and the reference MCP servers.
_MEANINGS = (
    "read view open show display cat get fetch retrieve load",
    "search find grep lookup query",
    "write create save",
    "edit modify change update replace patch",
    "delete remove erase unlink",
    "list ls enumerate",
    "shell bash terminal console command",
    "directory folder dir",
    "stop kill terminate close",
)


def stem(word: str) -> str:
    """A word without its ending, in small letters."""
    word = word.lower()
    return next(
        (word.removesuffix(end) for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _SHORTEST), word
    )


_FOLDED = {stem(word): words.split()[0] for words in _MEANINGS for word in words.split()}


def in_name(name: str) -> tuple[str, ...]:
    """The words of a tool's name, each once; what stands before a double underscore names its server (MCP)."""
    words = _IN_NAME.findall(name.rpartition("__")[2] or name)
    return _distinct([word for word in words if word.lower() not in _TAKEN_FOR_GRANTED] or words)


def in_text(text: str, most: int | None = None) -> tuple[str, ...]:
    """The words of a text that say something, each once, in order; of the first `most` of them."""
    return _distinct([word for word in _IN_TEXT.findall(text) if word.lower() not in _SILENT and len(word) > 1][:most])


def length(text: str) -> int:
    """How many words a text has."""
    return len(text.split())


def alike(these: tuple[str, ...], those: tuple[str, ...]) -> float:
    """What two sets of words share, of all that they have (Jaccard); 0 where there are none."""
    one, other = set(these), set(those)
    return len(one & other) / len(one | other) if one and other else 0.0


def _distinct(words: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_folded(words)))


def _folded(words: list[str]) -> Iterator[str]:
    for word in words:
        bare = stem(word)
        yield _FOLDED.get(bare, bare)

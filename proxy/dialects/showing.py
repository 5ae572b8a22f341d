"""Whether what a tool shows is the text of files, which an agent may have to match letter by letter later.

An agent that edits by exact replacement quotes what it has read. So what a file says must reach it unchanged,
blanks at the ends of lines and escapes included.

Rules of this room: in doubt it is a file's text; what is wrongly taken for one only stays as it is. Words of tools'
names and of shell commands, by table: no command is understood beyond where its pipelines begin.
"""

import re
from typing import NamedTuple

# Words in the names of tools that show files, or what they have just made of one: Claude Code (Read, NotebookRead,
# Grep, Edit), Codex (read_file, grep_files, apply_patch), opencode (read, grep, edit), Gemini CLI and qwen-code
# (read_file, read_many_files, search_file_content), Cline and Roo (read_file, search_files), TRAE and OpenHands
# (str_replace_based_edit_tool, view), SWE-agent (open, goto, scroll_down, search_dir), and MCP servers for files and
# repositories (read_text_file, get_file_contents, git_diff).
_NAMES = frozenset(
    """read cat view open goto scroll grep edit editor patch diff blame notebook
    file files content contents code source document resource""".split()
)
_PAIRS = ({"search", "dir"}, {"git", "show"})
_NUMBERING = frozenset({"Read", "view", "str_replace_editor", "str_replace_based_edit_tool"})
"""Tools that number the lines of what they show."""
_SEARCHING = frozenset({"Grep", "grep", "grep_files", "search_files", "search_file_content"})
"""Tools that show what they found in files."""
_RECALLING = frozenset({"recall", "holdfast"})
ORIGINAL = re.compile(r"\bhf-[a-z2-7]{16}\b")
"""The id of an original: in a command, or as the name of its file in a mirror folder."""

# Programs that print files, or parts of them; the last line has SWE-agent's own.
_PRINTERS = frozenset(
    """cat tac nl head tail less more bat batcat sed awk gawk mawk perl cut fold pr expand column xxd od hexdump jq yq
    grep egrep fgrep zgrep rg ag ack diff colordiff comm type gc get-content select-string findstr view vi vim ed
    open goto scroll_down scroll_up search_file search_dir edit str_replace_editor str_replace_based_edit_tool
    """.split()
)
_SEARCHERS = frozenset({"grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack"})
_GIT = frozenset({"show", "blame", "cat-file", "stash", "-p", "--patch", "-u"})

_READING = re.compile(
    r"\bopen\s*\(|\bread_?text|\breadlines?\b|\.read\(|\bread_?file|\bFile\.|\binspect\.|\bhelp\(", re.I
)
"""In a program given on the command line: it opens a file, or prints its own source."""
_HERE = re.compile(r"<<-?\s*(['\"]?)(\w+)\1([^\n]*)\n.*?(?:\n\s*\2[ \t]*(?=\n|$)|\Z)", re.DOTALL)
_NUMBERED = re.compile(r"\bnl\b|\bcat\s+-[A-Za-z]*n")
_WRITING = re.compile(r"\s*cat\s*>|\s*cat\s+<<\S*\s*>")
_PIPELINES = re.compile(r"&&|\|\||[;\n]")
_WORD = re.compile(r"[\w.-]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

LONGEST = 20_000
"""Characters of a command that are looked at; a longer one is taken to show files."""


class Showing(NamedTuple):
    """What a tool's answer is."""

    files: bool
    """The text of files."""
    numbered: bool
    """Each line of it behind its number."""
    placed: bool
    """Each line of it behind its file's name and its number: what a search found, and nothing else."""
    recalled: bool
    """What Holdfast took away before."""


def of_tool(tool: str) -> Showing:
    """What a tool of this name answers."""
    words = _words(tool)
    files = bool(words & _NAMES) or any(pair <= words for pair in _PAIRS)
    return Showing(files, tool in _NUMBERING, tool in _SEARCHING, bool(words & _RECALLING))


def of_command(command: str) -> Showing:
    """What a shell command prints."""
    if len(command) > LONGEST:
        return Showing(True, False, False, "holdfast" in command)
    printers = set[str]().union(*map(_printers, _PIPELINES.split(_HERE.sub(r"<<\2\3", command))))
    opens = _READING.search(command) is not None
    found = bool(printers) and printers <= _SEARCHERS and not opens
    return Showing(opens or bool(printers), _NUMBERED.search(command) is not None, found, "holdfast" in command)


def _printers(pipeline: str) -> set[str]:
    """The programs by which a pipeline prints files.

    What stands behind a pipe is a filter of what the first command says, unless it runs commands itself.
    """
    if _WRITING.match(pipeline):
        return set()
    first, *others = pipeline.split("|")
    running = [member for member in others if {"xargs", "parallel"} & set(_WORD.findall(member))]
    return set[str]().union(*map(_named, (first, *running)))


def _named(command: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(command)}
    return words & (_PRINTERS | _GIT if "git" in words else _PRINTERS)


def _words(tool: str) -> set[str]:
    """The words of a tool's name, however they are joined; those of an MCP server's name too."""
    return {word.lower() for part in re.split(r"[\W_]+", tool[-200:]) for word in _CAMEL.split(part)}

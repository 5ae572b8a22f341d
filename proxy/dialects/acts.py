"""What a tool call does, as far as its name and arguments tell: which calls are the same, which files they touch.

Rules of this room: total and conservative. A tool that is not in a table touches no file, and its calls are the
same where their arguments are. Which files a shell command touches is not guessed; whether it shows any, in doubt yes.
"""

import posixpath
import re
from collections.abc import Mapping

from msgspec.structs import replace

from policies.core.conversation import Act
from proxy.dialects.canonical import decode, identity
from proxy.dialects.showing import ORIGINAL, of_command, of_tool

# Names of agents' tools, less capitals, hyphens and underscores: from recorded requests of Claude Code 2.1, Codex 0.169
# and opencode 1.18, recorded runs of TRAE, pi and SWE-agent, and the tools of Gemini CLI 0.61 and qwen-code 0.15.
_SHELLS = frozenset({"bash", "execcommand", "shell", "localshell", "runshellcommand", "executebash"})
_READERS = frozenset({"read", "readfile", "view", "viewfile", "open"})
_WRITERS = frozenset({"write", "writefile", "create", "edit", "multiedit", "notebookedit", "editfile", "replace"}) | {
    "applypatch",
    "jsonedittool",
}
_EDITORS = frozenset({"strreplaceeditor", "strreplacebasededittool", "editor"})
"""Tools whose `command` says whether they read or write."""

_FILES = ("file_path", "filePath", "path", "absolute_path", "filename", "notebook_path")
_DESCRIBING = frozenset({"description", "justification", "timeout", "yield_time_ms", "max_output_tokens"})
"""Arguments of a shell that leave the command the same."""
_LONGEST = 1_000
"""Characters of a path."""
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)  # Codex's patch format


def act_of(tool: str, arguments: object) -> Act:
    """What a call does. `arguments`: as sent, an object or its JSON text."""
    name = re.sub(r".*(?:__|\.)|[-_]", "", tool[-64:]).lower()  # `mcp__files__read_file`, `functions.shell`
    try:
        given = _given(arguments, without=_DESCRIBING if name in _SHELLS else frozenset())
        same = identity([tool, given])
    except (ValueError, RecursionError):
        given, same = arguments, identity([tool, arguments])
    shown = of_command(_command(given)) if name in _SHELLS else of_tool(tool)
    act = _on_files(name, given, same)
    recalls = shown.recalled or any(map(ORIGINAL.search, act.files))
    return replace(act, shows=shown.files, numbers=shown.numbered, places=shown.placed, recalls=recalls)


def _on_files(name: str, given: object, same: bytes) -> Act:
    if isinstance(given, dict):
        return _on_file(name, given, same)
    patched = _PATCHED.findall(given) if name == "applypatch" and isinstance(given, str) else ()
    return Act(same, _paths(*patched), writes=bool(patched))


def _command(given: object) -> str:
    """What a shell was told: all that it was told, where that is no command."""
    words = given.get("command", given.get("cmd", given)) if isinstance(given, dict) else given
    return " ".join(map(str, words)) if isinstance(words, list) else str(words)


def _given(arguments: object, without: frozenset[str]) -> object:
    """Arguments less those that are null: some clients send every one that a tool has."""
    value = decode(arguments.encode()) if isinstance(arguments, str) else arguments
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if item is not None and key not in without}


def _on_file(name: str, given: Mapping[str, object], same: bytes) -> Act:
    """Of a tool that is known to read or to write the file that it is given."""
    reads = name in _READERS or (name in _EDITORS and given.get("command") == "view")
    writes = name in _WRITERS or (name in _EDITORS and not reads)
    for key in _FILES:
        path = given.get(key)
        if isinstance(path, str) and (reads or writes):
            return Act(same, _paths(path), writes, whole=reads and given.keys() <= {key, "command"})
    return Act(same)


def _paths(*named: str) -> tuple[str, ...]:
    return tuple(posixpath.normpath(path.strip()) for path in named if len(path) <= _LONGEST)

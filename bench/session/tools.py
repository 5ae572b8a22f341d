"""The tools of the recorded agent, working for real in one folder.

Rules of this file: an answer is text and whether it failed. Nothing in it names the machine: the folder,
the interpreter's place, durations and addresses are replaced, so that two recordings are the same.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

Answer = tuple[str, bool]

SKIPPED = {"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".hypothesis", "requirements"}
MOST_HITS, MOST_LINES, MOST_CHARS = 200, 2000, 30_000
WHO = "2026-11-23T09:00:00+0000"


@dataclass(frozen=True)
class Desk:
    """The agent's working folder."""

    root: Path

    def list_dir(self, path: str) -> Answer:
        folder = self.root / path
        if not folder.is_dir():
            return f"no such folder: {path}", True
        entries = sorted(entry for entry in folder.iterdir() if entry.name not in SKIPPED and entry.name[0] != ".")
        return "\n".join(f"{e.name}/" if e.is_dir() else f"{e.name} {e.stat().st_size}" for e in entries), False

    def read_file(self, path: str, offset: int = 1, limit: int = MOST_LINES) -> Answer:
        file = self.root / path
        if not file.is_file():
            nearest = next(parent for parent in file.parents if parent.is_dir()).relative_to(self.root)
            return f"no such file: {path}; the nearest folder that exists is {nearest}", True
        lines = file.read_text(encoding="utf-8").splitlines()
        return _numbered(lines, offset, offset + limit - 1), False

    def grep(self, pattern: str, path: str = ".", glob: str = "*", context: int = 0) -> Answer:
        hits = [hit for file in self._files(path, glob) for hit in _hits(file, self.root, pattern, context)]
        if len(hits) > MOST_HITS:
            hits = [*hits[:MOST_HITS], f"... and {len(hits) - MOST_HITS} lines more"]
        return "\n".join(hits) or "no hits", False

    def run(self, command: str, timeout: int = 120) -> Answer:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.root, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False,
        )  # fmt: skip
        text = self._neutral(done.stdout.decode("utf-8", "replace")).rstrip("\n")
        if len(text) > MOST_CHARS:
            text = f"{text[: MOST_CHARS // 2]}\n[...]\n{text[-MOST_CHARS // 2 :]}"
        if done.returncode:
            return f"exit status {done.returncode}\n{text}", True
        return text or "(no output)", False

    def edit_file(self, path: str, old_string: str, new_string: str) -> Answer:
        file = self.root / path
        if not file.is_file():
            return f"no such file: {path}", True
        text = file.read_text(encoding="utf-8")
        if text.count(old_string) != 1:
            return f"nothing changed: the text occurs {text.count(old_string)} times in {path}, not once", True
        place = text[: text.index(old_string)].count("\n") + 1
        text = text.replace(old_string, new_string)
        file.write_text(text, encoding="utf-8")
        last = place + new_string.count("\n")
        return f"{path} is changed; around the change it reads now:\n" + _numbered(
            text.splitlines(), max(1, place - 3), last + 3
        ), False

    def write_file(self, path: str, content: str) -> Answer:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        return f"{path} is written, {len(content.splitlines())} lines", False

    def _files(self, path: str, glob: str) -> Iterator[Path]:
        start = self.root / path
        for file in [start] if start.is_file() else sorted(start.rglob("*")):
            parts = file.relative_to(self.root).parts
            if file.is_file() and not SKIPPED & set(parts) and fnmatch(file.name, glob):
                yield file

    def _environment(self) -> dict[str, str]:
        who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _SIGNATURE}
        return {
            **who,
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root.parent),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTEST_ADDOPTS": "-p no:asyncio --color=no",
        }

    def _neutral(self, text: str) -> str:
        text = text.replace(f"{self.root}/", "").replace(str(self.root), ".")
        text = text.replace(sys.prefix, ".venv").replace(str(self.root.parent), "~")
        text = re.sub(r"\bin \d+\.\d+s( \(\d+:\d+:\d+\))?", "in 1.00s", text)
        text = re.sub(r"/tmp/pytest-of-\w+/pytest-\d+", "tmp", text)
        return re.sub(r"0x[0-9a-f]{9,16}", "0x7f0000000000", text)


_SIGNATURE = (("NAME", "Robin"), ("EMAIL", "robin@example.com"), ("DATE", WHO))


def _numbered(lines: list[str], first: int, last: int) -> str:
    shown = enumerate(lines[first - 1 : last], start=first)
    return "\n".join(f"{number:>5}\t{line[:2000]}" for number, line in shown)


def _hits(file: Path, root: Path, pattern: str, context: int) -> Iterator[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    name = file.relative_to(root)
    found = {n for n, line in enumerate(lines) if re.search(pattern, line)}
    around = {n + step for n in found for step in range(-context, context + 1)} & set(range(len(lines)))
    for n in sorted(around):
        yield f"{name}:{n + 1}{':' if n in found else '-'} {lines[n]}"

"""Records docs/run.cast: a terminal session of `holdfast run -- claude -p ...` against the simulated provider.

The agent is the real Claude Code, the files that it reads and edits are real, the terminal is a real
pseudo-terminal; only the model is scripted, so no key and no network are needed. What is written is checked:
no folder of this machine, no name of it, no key. The text of the session goes into docs/run.md as well.

    python bench/record_run.py [--claude FILE]
"""

import argparse
import functools
import json
import os
import random
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from proxy.profiles import load_profiles, profile_for  # noqa: E402
from proxy.simulator.app import create  # noqa: E402
from proxy.simulator.brains import Answer, SeenRequest, ToolCall  # noqa: E402
from proxy.simulator.serve import listen, server  # noqa: E402
from proxy.tokens import Counters  # noqa: E402

CAST = ROOT / "docs" / "run.cast"
PAGE = ROOT / "docs" / "run.md"
BEGIN, END = "<!-- recording:begin -->", "<!-- recording:end -->"

MODEL = "claude-sonnet-4-6"
PORT = 9000
KEY = "sk-fake-key-of-a-recording"
ROWS, COLUMNS = 36, 80
PARTS = 16
TYPING, PAUSE = 0.02, 1.0  # seconds

COMMANDS = (
    "cat settings.py",
    f"holdfast run --upstream anthropic=http://127.0.0.1:{PORT} -- \\\n"
    "    claude -p 'Raise the retries in settings.py to 5; read the parts first.' \\\n"
    f"    --model {MODEL} --dangerously-skip-permissions",
    "cat settings.py",
)
WORDS = "retry backoff socket frame queue token ledger shard lease clock buffer stream parse emit flush".split()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found = shutil.which("claude", path=f"{ROOT / '.clients' / 'npm' / 'node_modules' / '.bin'}:{os.environ['PATH']}")  # noqa: TID251
    parser.add_argument("--claude", default=found, help="the program of Claude Code; `make clients` installs one")
    args = parser.parse_args()
    if not args.claude:
        print("Claude Code is not here: `make clients` installs it, --claude names another", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="holdfast-recording-") as folder, _provider(Path(folder) / "work"):
        events = _session(Path(folder), Path(args.claude).absolute())
        _check("".join(text for _, text in events), folder)
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "holdfast run", "env": {"TERM": "xterm"}}
    lines = [header, *([round(at, 3), "o", text] for at, text in events)]
    CAST.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    _show("".join(text for _, text in events))
    return 0


def _session(folder: Path, claude: Path) -> list[tuple[float, str]]:
    """Every command typed and run; what the terminal showed, and when."""
    work, home, programs = (folder / name for name in ("work", "home", "bin"))
    for each in (work, home, programs):
        each.mkdir()
    _lay_out(work)
    ours = programs / "holdfast"
    ours.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m proxy.cli "$@"\n')
    ours.chmod(0o755)
    environ = {
        "PATH": f"{programs}:{claude.parent}:{os.environ['PATH']}",  # noqa: TID251
        **{"HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8", "ANTHROPIC_API_KEY": KEY},
        **{"IS_SANDBOX": "1", "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    }
    events: list[tuple[float, str]] = []
    at = 0.0
    for command in COMMANDS:
        for char in f"$ {command}\n":
            events.append((at, char.replace("\n", "\r\n")))
            at += TYPING
        for after, text in _shown(command, work, environ):
            events.append((at + after, text))
        at = events[-1][0] + PAUSE
    return events


def _shown(command: str, work: Path, environ: Mapping[str, str]) -> Iterator[tuple[float, str]]:
    """What a command writes to its terminal, with the seconds since its start."""
    master, slave = os.openpty()
    subprocess.run(["stty", "rows", str(ROWS), "cols", str(COLUMNS)], stdin=slave, check=True)
    began, left = time.monotonic(), b""
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", "bash", "-c", command],
        stdin=slave, stdout=slave, stderr=slave, cwd=work, env=environ,
    )  # fmt: skip
    os.close(slave)
    while select.select([master], [], [], 180)[0]:
        try:
            left += os.read(master, 65536)
        except OSError:  # nobody has the other end any more
            break
        whole = left.decode("utf-8", "ignore")
        left = left[len(whole.encode()) :]
        print(whole, end="", flush=True)
        yield time.monotonic() - began, whole
    os.close(master)
    if process.wait(10) != 0:
        raise SystemExit(f"`{command}` failed with status {process.returncode}; what it said is above")


@contextmanager
def _provider(work: Path) -> Iterator[None]:
    """The simulated provider with the scripted model, until left."""
    profile = profile_for(load_profiles(), MODEL)
    count = functools.cache(Counters().counter(profile))
    app = create(profiles=load_profiles(), brain=functools.partial(_model, _steps(work)), count=count, clock=time.time)  # noqa: TID251  a provider's own
    with listen("127.0.0.1", PORT) as bound:
        web = server(app)
        thread = threading.Thread(target=web.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield
        finally:
            web.should_exit = True
            thread.join()


def _model(steps: Sequence[ToolCall], seen: SeenRequest) -> Answer:
    """The step that is due, by what the request carries. A request without tools asks for a title."""
    if not seen.tools:
        return Answer(text='{"title": "Raise the retries"}')
    if seen.assistant_messages >= len(steps):
        return Answer(text="Retries are now 5, and the check passes.")
    return Answer(reasoning="The next file will tell.", text="Next step.", calls=(steps[seen.assistant_messages],))


def _steps(work: Path) -> tuple[ToolCall, ...]:
    settings = str(work / "settings.py")
    change = {"file_path": settings, "old_string": "RETRIES = 3", "new_string": "RETRIES = 5"}
    return (
        _call("Bash", command="ls", description="See what is here"),
        _call("Read", file_path=settings),
        *(_call("Read", file_path=str(work / f"part_{number:02}.py")) for number in range(PARTS)),
        *(_call("Bash", command=f"grep -c {word} part_*.py", description="Who uses it") for word in WORDS),
        _call("Edit", **change),
        _call("Bash", command="grep -n 'RETRIES = 5' settings.py", description="Check"),
    )


def _call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name, json.dumps(arguments))


def _lay_out(work: Path) -> None:
    """Made-up source, the same on every recording."""
    (work / "settings.py").write_text("TIMEOUT = 30\nRETRIES = 3\nBACKOFF = 1.5\n")
    for number in range(PARTS):
        rng = random.Random(number)
        rows = (f"def {rng.choice(WORDS)}_{n}(): return {rng.choice(WORDS)!r}, RETRIES" for n in range(400))
        (work / f"part_{number:02}.py").write_text("from settings import RETRIES\n" + "\n".join(rows) + "\n")


def _check(shown: str, folder: str) -> None:
    """Raises where the session names this machine or shows a key."""
    kept = {"a folder": folder, "the home": str(Path.home()), "the host": socket.gethostname(), "the key": KEY}
    for what, text in {**kept, "the source": str(ROOT)}.items():
        if text in shown:
            raise SystemExit(f"the session shows {what}, so it is not kept")


def _show(shown: str) -> None:
    """Its text, in the page."""
    text = plain(shown)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n```text\n{text}```\n{END}{after}", encoding="utf-8")


def plain(shown: str) -> str:
    """What stands on the screen in the end, without colours and other escapes."""
    return (
        re.sub(r"\x1b([()][A-Z0-9]|\[[0-9;?<>=]*[a-zA-Z]|\][^\x07]*\x07|[=>78])", "", shown)
        .replace("\r\n", "\n")
        .replace("\r", "")
    )


if __name__ == "__main__":
    sys.exit(main())

"""Records the session that `holdfast demo` plays: a scripted agent that really works on this repository.

The script (`bench/session/script.yaml`) says what the agent writes and which tools it calls; what the
tools answer is real: files are read and edited, tests, linter and experiments are run, in a scratch copy
of one revision with a fault planted in it. Only what would name a machine or differ between two runs
(folders, durations, addresses) is replaced. Without `--write` it says what the kept session holds.

    python bench/record_session.py [--write] [--revision REV]
"""

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.session.tools import Desk  # noqa: E402
from proxy.profiles import load_profiles, profile_for  # noqa: E402
from proxy.tokens import Counters  # noqa: E402

KEPT = ROOT / "proxy" / "demo" / "session.jsonl.gz"
MODEL = "claude-sonnet-4-5"
Message = dict[str, Any]


class Unscripted(Exception):
    """The tree no longer fits the script: a step failed that was meant to work, or the other way round."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="record anew, into proxy/demo/session.jsonl.gz")
    parser.add_argument("--revision", default="HEAD", help="the revision that the agent works on (HEAD)")
    args = parser.parse_args()
    if args.write:
        trace = _record(args.revision)
        text = json.dumps(trace, ensure_ascii=False, separators=(",", ":")) + "\n"
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    if not KEPT.exists():
        print("no session is kept; record one with --write", file=sys.stderr)
        return 1
    _describe(json.loads(gzip.decompress(KEPT.read_bytes())))
    return 0


def _record(revision: str) -> dict[str, Any]:
    agent = _read("agent.yaml")
    script = _read("script.yaml")
    with tempfile.TemporaryDirectory(prefix="holdfast-session-") as folder:
        desk = Desk(Path(folder) / "holdfast")
        _lay_out(desk, revision, script["fault"])
        system = [*agent["system"], _documents(desk, script["documents"])]
        messages = list(_play(desk, script["session"]))
    return {
        "id": "holdfast-demo-1",
        "source": "this repository: bench/record_session.py",
        "license": "Apache-2.0",
        "model": MODEL,
        "format": "anthropic",
        "tools": [
            {**tool, "description": tool["description"].rstrip()} for tool in (*agent["tools"], *_read("tools.yaml"))
        ],
        "messages": [{"role": "system", "content": _texts(system)}, *messages],
    }


def _texts(texts: list[str]) -> list[dict[str, str]]:
    return [{"type": "text", "text": text.rstrip()} for text in texts]


def _read(name: str) -> Any:
    return yaml.safe_load((ROOT / "bench" / "session" / name).read_text(encoding="utf-8"))


def _lay_out(desk: Desk, revision: str, fault: dict[str, str]) -> None:
    """The scratch copy, with its fault, as a repository of one commit."""
    desk.root.mkdir()
    shown = (".", ":!bench/session", ":!bench/record_session.py", ":!proxy/demo/session.jsonl.gz")  # not its own script
    archive = subprocess.run(["git", "archive", revision, *shown], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=desk.root, input=archive, check=True)
    _, failed = desk.edit_file(fault["path"], fault["old_string"], fault["new_string"])
    if failed:
        raise Unscripted("the fault cannot be planted")
    for command in ("init -q -b main", "add -A", "commit -q -m 'Look names of models up in one step'"):
        text, failed = desk.run(f"git {command}")
        if failed:
            raise Unscripted(text)


def _documents(desk: Desk, names: list[str]) -> str:
    """The repository's own documents, which agents put into the system prompt as a project's instructions."""
    texts = [f"# {name}\n\n{(desk.root / name).read_text(encoding='utf-8').rstrip()}" for name in names]
    return "<project>\n" + "\n\n".join(texts) + "\n</project>"


def _play(desk: Desk, steps: list[dict[str, Any]]) -> Iterator[Message]:
    """The conversation: what the script says, with what the tools really answer."""
    wrong: list[str] = []
    for number, step in enumerate(steps):
        if "user" in step:
            yield {"role": "user", "content": step["user"].rstrip()}
            continue
        calls = [(_identity(number, place), *_call(item)) for place, item in enumerate(step.get("do", ()))]
        said = [{"type": "text", "text": step["say"].rstrip()}] if step.get("say") else []
        uses = [{"type": "tool_use", "id": name, "name": tool, "input": given} for name, tool, given in calls]
        yield {"role": "assistant", "content": [*said, *uses]}
        if calls:
            results = [_result(desk, name, tool, given) for name, tool, given in calls]
            wrong += _unscripted(step, results)
            yield {"role": "user", "content": results}
            print(f"\r{number + 1}/{len(steps)} steps", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if wrong:
        raise Unscripted("\n\n".join(wrong))


def _call(item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ((tool, given),) = item.items()
    return tool, given


def _result(desk: Desk, name: str, tool: str, given: dict[str, Any]) -> dict[str, Any]:
    text, failed = getattr(desk, tool)(**given)
    result = {"type": "tool_result", "tool_use_id": name, "content": text}
    return {**result, "is_error": True} if failed else result


def _unscripted(step: dict[str, Any], results: list[dict[str, Any]]) -> Iterator[str]:
    failed = any(result.get("is_error") for result in results)
    if failed != step.get("fails", False):
        shown = "\n".join(result["content"][-1500:] for result in results)
        yield f"{'failed' if failed else 'worked'}, unlike scripted: {step.get('say', step)}\n{shown}"


def _identity(number: int, place: int) -> str:
    return "toolu_01" + hashlib.sha256(f"{number}/{place}".encode()).hexdigest()[:22]


def _describe(trace: dict[str, Any]) -> None:
    count = Counters().counter(profile_for(load_profiles(), "gpt-5"))
    messages = trace["messages"]
    blocks = [block for message in messages for block in _blocks(message)]
    results = [block for block in blocks if block["type"] == "tool_result"]
    tools = count(json.dumps(trace["tools"], ensure_ascii=False))
    rows = {
        "calls of the model": sum(message["role"] == "assistant" for message in messages),
        "observations": len(results),
        "of them failures": sum("is_error" in block for block in results),
        "tokens of observations": sum(count(block["content"]) for block in results),
        "tokens in all": tools + sum(count(_text(block)) for block in blocks),
        "bytes, compressed": KEPT.stat().st_size,
    }
    for name, number in rows.items():
        print(f"{name:<24}{number:>9,}")


def _blocks(message: Message) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(block: dict[str, Any]) -> str:
    if block["type"] == "tool_use":
        return str(block["name"]) + json.dumps(block["input"], ensure_ascii=False)
    return str(block.get("text") or block.get("content"))


if __name__ == "__main__":
    sys.exit(main())

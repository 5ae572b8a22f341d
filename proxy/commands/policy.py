"""`holdfast policy check|show|schema`: look at policy files without running anything.

Rules of this room: `check` reports every problem of every file, as an editor can jump to it.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from proxy.commands.terminal import Terminal, complain
from proxy.config.nodes import ConfigErrors, plain
from proxy.config.policies import PolicyFile, load_policy, without_effect
from proxy.config.schema import policy_schema
from proxy.config.yaml_tree import read_table

NOTE = "not in effect in this version"


def check(files: list[str], terminal: Terminal) -> int:
    """Says of each file whether it can be used; 2 where one cannot."""
    results = [_checked(file) for file in files]
    if terminal.json:
        terminal.text(json.dumps([result for result, _ in results], indent=2))
    else:
        for result, policy in results:
            for error in result["errors"]:
                complain(error)
            for note in result["notes"]:
                terminal.text(note)
            if policy:
                terminal.text(f"{result['file']}: policy `{policy}` can be used")
    return 0 if all(policy for _, policy in results) else 2


def _checked(file: str) -> tuple[dict[str, Any], str]:
    """What is to be said of a file, and the name of its policy; no name where it cannot be used."""
    try:
        loaded = load_policy(file)
    except ConfigErrors as error:
        return {"file": file, "valid": False, "errors": str(error).splitlines(), "notes": []}, ""
    return {"file": file, "valid": True, "errors": [], "notes": list(loaded.notes)}, loaded.policy.name


def show(name: str, effective: bool, terminal: Terminal) -> int:
    """The policy as written, or with every default filled in."""
    loaded = load_policy(name)
    if terminal.json:
        policy = msgspec.to_builtins(loaded.policy) if effective else plain(read_table(loaded.text, loaded.origin))
        terminal.text(json.dumps(policy, indent=2))
    elif effective:
        terminal.text("\n".join(_effective(loaded)))
    else:
        terminal.text(loaded.text.rstrip("\n"))
        for note in loaded.notes:
            terminal.text(f"# {note}")
    return 0


def _effective(loaded: PolicyFile) -> Iterator[str]:
    """One line for each section, with what has no effect beside it."""
    for section, value in msgspec.to_builtins(loaded.policy).items():
        text = _section(section, value)
        idle = [key for key, _ in without_effect(read_table(text, section))]
        if idle == [section]:
            text += f"  # {NOTE}"
        elif idle:
            keys = ", ".join(key.removeprefix(f"{section}.") for key in idle)
            text += f"  # {NOTE}: {keys}"
        yield text


def _section(name: str, value: Any) -> str:
    if isinstance(value, dict) and name != "per_tool":
        return f"{name}: {_yaml(value, flow=True)}"
    return _yaml({name: value}, flow=None if name == "per_tool" else False)


def _yaml(value: Any, *, flow: bool | None) -> str:
    return yaml.safe_dump(value, default_flow_style=flow, sort_keys=False, width=10_000).rstrip("\n")


def schema(terminal: Terminal) -> int:
    """The JSON Schema, for editors."""
    terminal.text(json.dumps(policy_schema(), indent=2))
    return 0

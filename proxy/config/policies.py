"""Policy files: the presets that come with the program, and those that a user writes.

Rules of this room: a policy is found by the name of a preset or by the path of a file; it is
checked whole, and what it sets without effect in this version is told, never silently ignored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

from policies.policy import NOT_IN_EFFECT, Policy
from policies.routes import OFF
from proxy.config.nodes import ConfigErrors, Node, Place, Table
from proxy.config.typed import convert, nearest
from proxy.config.yaml_tree import MAX_BYTES, read_table
from proxy.errors import ConfigError

PRESETS = ("default", "observe", "aggressive", "self-hosted")


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy with where it came from."""

    policy: Policy
    origin: str
    text: str
    notes: tuple[str, ...]
    """`file:line: ...` of each setting that is written but not in effect in this version."""


def load_policy(name: str, folder: Path | None = None) -> PolicyFile:
    """A policy by preset name or by path (relative to `folder`). Raises ConfigErrors."""
    if not is_path(name):
        if name not in PRESETS:
            raise ConfigErrors([ConfigError(f"unknown policy `{name}`", help=nearest(name, list(PRESETS)))])
        text = (files("policies") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
        return parse_policy(text, f"{name}.yaml")
    return parse_policy(read_text((folder or Path()) / name), name)


def is_path(name: str) -> bool:
    """Whether a policy is named by its file: no preset has a slash or an ending."""
    return "/" in name or "\\" in name or name.endswith((".yaml", ".yml"))


def read_text(path: Path) -> str:
    """The text of a configuration file. Raises ConfigErrors."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigErrors([ConfigError(f"cannot be read: {reason}", file=str(path))]) from None
    except UnicodeDecodeError:
        raise ConfigErrors([ConfigError("is not UTF-8 text", file=str(path))]) from None


def parse_policy(text: str, origin: str) -> PolicyFile:
    """A policy from its text. Raises ConfigErrors."""
    table = read_table(text, origin)
    policy = convert(table, Policy)
    check_policy(policy, table)
    notes = tuple(
        f"{place.origin}:{place.line}: `{key}` is not in effect in this version" for key, place in without_effect(table)
    )
    return PolicyFile(policy, origin, text, notes)


def check_policy(policy: Policy, table: Table) -> None:
    """The rules that span several settings. Raises ConfigErrors."""
    errors = []
    if policy.name == OFF.name:
        help = "choose another: `off` always means relay and measure"
        errors.append(_place(table, "name").error("a policy cannot be named `off`", help))
    if policy.compact.prepare > policy.compact.trigger:
        message = f"`compact.prepare` ({policy.compact.prepare:g}) is above `compact.trigger`"
        help = f"it must come before {policy.compact.trigger:g}"
        errors.append(_place(table, "compact", "prepare").error(message, help))
    if errors:
        raise ConfigErrors(errors)


def without_effect(table: Table) -> Iterator[tuple[str, Place]]:
    """Each written setting that is listed as not in effect, outermost key only."""
    yield from _without_effect(table, "")


def _without_effect(node: Node, prefix: str) -> Iterator[tuple[str, Place]]:
    if not isinstance(node, Table):
        return
    for name, entry in node.entries.items():
        key = f"{prefix}{name}"
        if any(fnmatchcase(key, pattern) for pattern in NOT_IN_EFFECT):
            yield key, entry.place
        else:
            yield from _without_effect(entry.node, f"{key}.")


def _place(table: Table, *path: str) -> Place:
    entry = table.at(path)
    return entry.place if entry else table.place

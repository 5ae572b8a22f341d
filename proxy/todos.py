"""What agents list as still to be done, read from the calls of their to-do tools.

Rules of this room: total; what is not understood is no item. Tools and their arguments are those of Claude Code
(TodoWrite; since 2.1 TaskCreate and TaskUpdate), Codex 0.169 (update_plan), opencode 1.18 (todowrite), Gemini CLI 0.61
and deepagents (write_todos), qwen-code 0.15 (todo_write).
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from proxy.dialects.canonical import decode

_LISTS = frozenset({"todowrite", "writetodos", "updateplan"})
"""Each call states the whole list."""
_STEPS = frozenset({"taskcreate", "taskupdate"})
"""Each call states one item."""
_NAMES = ("content", "step", "description", "subject", "title")
_CLOSED = frozenset({"completed", "cancelled", "deleted", "done"})
_CREATED = re.compile(r"Task #(\S+) created")
_KIND = re.compile(r".*(?:__|\.)|[-_]")


class Call(Struct, frozen=True):
    """A call of a to-do tool and, where it is known, what was answered."""

    tool: str
    arguments: str
    answer: str = ""


def lists(tool: str) -> bool:
    """Whether this is a to-do tool."""
    return _kind(tool) in _LISTS | _STEPS


def still_open(calls: Iterable[Call]) -> tuple[str, ...]:
    """The items that are not done after these calls, in the order in which they were listed."""
    items: dict[str, tuple[str, str]] = {}
    for call in calls:
        given = _given(call.arguments)
        if _kind(call.tool) in _LISTS:
            items = dict(_listed(given))
        elif _kind(call.tool) == "taskcreate":
            created = _CREATED.search(call.answer)
            items[created.group(1) if created else f"#{len(items)}"] = (_name(given), "pending")
        else:
            place = str(given.get("taskId", ""))
            name, status = items.get(place, ("", ""))
            items[place] = (_name(given) or name, _text(given, "status") or status)
    return tuple(
        f"{name} (in progress)" if status == "in_progress" else name
        for name, status in items.values()
        if name and status not in _CLOSED
    )


def _kind(tool: str) -> str:
    return _KIND.sub("", tool[-64:]).lower()


def _given(arguments: str) -> Mapping[str, object]:
    try:
        value = decode(arguments.encode("utf-8", "replace"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _listed(given: Mapping[str, object]) -> Iterable[tuple[str, tuple[str, str]]]:
    listed = next((value for key in ("todos", "plan") if isinstance(value := given.get(key), list)), [])
    for place, item in enumerate(listed):
        if isinstance(item, dict):
            yield str(place), (_name(item), _text(item, "status"))


def _name(item: Mapping[str, object]) -> str:
    return next(filter(None, (_text(item, key) for key in _NAMES)), "")


def _text(item: Mapping[str, object], key: str) -> str:
    value = item.get(key)
    return " ".join(value.split()) if isinstance(value, str) else ""

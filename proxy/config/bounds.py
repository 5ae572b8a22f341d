"""Which values a setting may take beyond its type: one table, for messages and for the JSON Schema.

Rules of this room: data only. Policies are plain structs that a test may build with any numbers;
what a person may write in a file is decided here. Keys are (struct, field).
"""

import re
from typing import Any, NamedTuple

from msgspec import inspect

NAME = r"[a-z0-9][a-z0-9_.-]{0,63}"
"""Names become metric labels and parts of paths: short, lower case, nothing to escape."""


class Bound(NamedTuple):
    """Least, most and form of a value; `null` says that null is allowed as well."""

    least: float | None = None
    most: float | None = None
    pattern: str | None = None
    form: str = ""
    null: bool = False

    def or_null(self) -> "Bound":
        return self._replace(null=True)

    def allows(self, value: object) -> bool:
        if isinstance(value, str):
            return self.pattern is None or re.fullmatch(self.pattern, value) is not None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return True
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def describe(self, kind: inspect.Type) -> str:
        """What is allowed, in words."""
        return f"{self.form or _word(kind)}{self._range()}{' or null' if self.null else ''}"

    def schema(self) -> dict[str, Any]:
        """The same as keywords of JSON Schema."""
        found = {"minimum": self.least, "maximum": self.most}
        if self.pattern is not None:
            found["pattern"] = f"^(?:{self.pattern})$"  # type: ignore[assignment]
        return {key: value for key, value in found.items() if value is not None}

    def _range(self) -> str:
        if self.least is not None and self.most is not None:
            return f" from {self.least:g} to {self.most:g}"
        return f", {self.least:g} or more" if self.least is not None else ""


def _word(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case inspect.LiteralType():
            return "one of " + ", ".join(f"`{value}`" for value in kind.values)
        case _:
            return "a text"


_COUNT = Bound(least=0)
_POSITIVE = Bound(least=1)
_PORT = Bound(least=0, most=65535)
_NAME = Bound(pattern=NAME, form="a name of lower-case letters, digits, `_`, `.` and `-`, 64 characters at most")

BOUNDS: dict[tuple[str, str], Bound] = {
    ("Policy", "name"): _NAME,
    ("Policy", "holdout"): Bound(least=0, most=1),
    ("Mask", "keep_newest"): _COUNT,
    ("Mask", "min_tokens"): _COUNT,
    ("MaskForTool", "keep_newest"): _COUNT,
    ("MaskForTool", "min_tokens"): _COUNT,
    ("Shape", "max_tokens"): _POSITIVE,
    ("ShapeForTool", "max_tokens"): _POSITIVE,
    ("Recite", "every"): Bound(least=1_000),
    ("Recite", "at"): Bound(least=0, most=1),
    ("Recite", "max_tokens"): Bound(least=60, most=2_000),
    ("Compact", "trigger"): Bound(least=0.05, most=1),
    ("Compact", "prepare"): Bound(least=0.05, most=1),
    ("Compact", "keep_newest_turns"): _POSITIVE,
    ("Compact", "max_summary_tokens"): _POSITIVE,
    ("Limits", "effective"): _POSITIVE,
    ("Limits", "headers"): _POSITIVE,
    ("Limits", "connections"): _POSITIVE,
    ("File", "port"): _PORT,
    ("File", "admin_port"): _PORT,
    ("File", "workers"): Bound(least=1, most=256),
}

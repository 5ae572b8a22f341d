"""Values picked out of decoded JSON.

Rules of this room: total on any JSON; what is not there, or is something else, is None.
"""

from collections.abc import Mapping


def pick(fields: object, dotted: str) -> object:
    """The value at a dotted name, None where there is none."""
    for name in dotted.split("."):
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields


def integer(value: object) -> int | None:
    """A value if it is a whole number that is not negative."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

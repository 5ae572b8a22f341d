"""Sizes (`5GB`, `512MiB`) and durations (`7d`, `90s`, `1h30m`) as they are written in configuration.

Rules of this room: pure text to number. A bare number is bytes or seconds.
"""

import re
from typing import Annotated

from msgspec import Meta

_BYTES = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base ** (power + 1)
    for suffix, base in (("B", 1000), ("iB", 1024))
    for power, prefix in enumerate("KMGT")
}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|w)\s*")

SIZE_FORM = "a size such as `512MB`, `5GB` or `1GiB`"
DURATION_FORM = "a duration such as `90s`, `15m`, `1h30m` or `7d`"

Size = Annotated[int, Meta(ge=1, extra={"unit": "size"})]
"""Bytes; written with or without a unit."""
Duration = Annotated[float, Meta(gt=0, extra={"unit": "duration"})]
"""Seconds; written with or without units."""


def size(text: str) -> int:
    """Bytes. Raises ValueError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", text.strip())
    unit = match and next((factor for name, factor in _BYTES.items() if name.lower() == match[2].lower()), None)
    if not match or not unit:
        raise ValueError(SIZE_FORM)
    return int(float(match[1]) * unit)


def duration(text: str) -> float:
    """Seconds. Raises ValueError."""
    parts = _DURATION.findall(text.strip())
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text.strip()):
        return float(text)
    if not parts or _DURATION.sub("", text.strip()):
        raise ValueError(DURATION_FORM)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)

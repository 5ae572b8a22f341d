"""What a check says: how bad it is, where, what was found, and the exact thing to type.

Rules of this room: whatever is not ok can be acted upon, so a finding without something to type cannot be made.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["ok", "hint", "warning", "failed"]
SEVERITIES: tuple[Severity, ...] = ("ok", "hint", "warning", "failed")


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    where: str
    what: str
    type: str = ""
    """A command for the shell, or a line for the file named in `place`."""
    place: str = ""

    def __post_init__(self) -> None:
        if self.severity != "ok" and not self.type:
            raise ValueError(f"`{self.where}`: what is to be typed is not said")

"""Looks at the clock, and whether it is being set meanwhile.

Rules of this room: the clock is an argument; the one that cannot be set is the system's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from zoneinfo import ZoneInfo

from proxy.doctor.clock import ClockFacts


@dataclass(frozen=True, slots=True)
class Watch:
    """A pair of readings, to be compared with a later one."""

    clock: Callable[[], float]
    began: float
    began_monotonic: float

    @classmethod
    def start(cls, clock: Callable[[], float]) -> "Watch":
        return cls(clock, clock(), monotonic())

    def look(self, environ: Mapping[str, str], newest_figure: str, newest_record: float | None) -> ClockFacts:
        now, passed = self.clock(), monotonic() - self.began_monotonic
        zone = environ.get("TZ", "")
        return ClockFacts(now, now - self.began - passed, newest_figure, newest_record, _is_known(zone))


def _is_known(zone: str) -> bool:
    """Whether a value of TZ means something: a name of the zone database, a file, or a rule such as CET-1CEST."""
    name = zone.removeprefix(":")
    if not name or name.startswith("/") or any(character.isdigit() for character in name):
        return True
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True

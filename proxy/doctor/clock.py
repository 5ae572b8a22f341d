"""The clock, as far as it can be judged from here; against a provider's with `--upstream`.

Rules of this room: pure. A clock is behind where something is newer than now: a figure that Holdfast brings
along, or what it last wrote to its store.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from proxy.doctor.finding import Finding

WHERE = "clock"
SET_IT = "sudo timedatectl set-ntp true"
SLACK = 60.0
"""Seconds that two clocks may differ without harm: signatures allow five minutes, lifetimes of caches are minutes."""

STEP = 0.5
"""Seconds that a clock may be set by while it is looked at."""


@dataclass(frozen=True, slots=True)
class ClockFacts:
    now: float
    stepped: float
    """Seconds by which the clock was set while the checks ran, against one that cannot be set."""
    newest_figure: str
    """A date, as 2026-11-22."""
    newest_record: float | None
    zone_is_known: bool = True
    """Whether the variable TZ means something."""


def check_clock(facts: ClockFacts) -> Iterator[Finding]:
    shown = f"{datetime.fromtimestamp(facts.now, UTC):%Y-%m-%d %H:%M:%S} UTC"
    made = datetime.fromisoformat(facts.newest_figure).replace(tzinfo=UTC).timestamp()
    problem = ""
    if facts.now < made - 86_400:  # the date says no zone
        problem = f"{shown} is before {facts.newest_figure}, when this version was made"
    elif facts.newest_record is not None and facts.now < facts.newest_record - SLACK:
        behind = facts.newest_record - facts.now
        problem = f"{shown} is {behind:.0f} s before what was last written to the store"
    elif abs(facts.stepped) > STEP:
        problem = f"it was set by {facts.stepped:+.1f} s while these checks ran"
    if problem:
        yield Finding("failed", WHERE, f"{problem}: certificates and lifetimes of caches will be misjudged", SET_IT)
    else:
        yield Finding("ok", WHERE, shown)
    if not facts.zone_is_known:
        yield Finding("hint", WHERE, "TZ names no time zone that is known here: log lines are in UTC", "unset TZ")


def offset(now: float, theirs: float) -> str:
    """What to say of a clock that is off; empty where it is not."""
    difference = now - theirs
    if abs(difference) <= SLACK:
        return ""
    return f"this clock is {abs(difference):.0f} s {'ahead' if difference > 0 else 'behind'}"

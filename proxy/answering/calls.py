"""What a splicer of an answer is, and what it says of a call.

Rules of this room: a splicer is fed one answer after another, takes out the calls that Holdfast answers, and gives
what the agent is to get. It never raises on odd input: that passes as it came. It must not know requests,
connections or what a call is answered with.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Object = dict[str, Any]
"""A decoded JSON object; nothing is known of its values."""


@dataclass(frozen=True, slots=True)
class Called:
    """One call of a tool that Holdfast answers. `arguments` is JSON as text."""

    name: str
    arguments: str


class Splicer(Protocol):
    """One answer on its way to the agent."""

    def feed(self, chunk: bytes) -> bytes:
        """What the agent gets now."""
        ...

    def pending(self) -> tuple[Called, ...]:
        """At the end of what the provider sent: the calls to answer, none where the answer ends here."""
        ...

    def dropped(self) -> tuple[Called, ...]:
        """Likewise: the calls that were taken out and not answered, since the agent has some of its own to do."""
        ...

    def said(self, results: Sequence[str]) -> tuple[bytes, ...]:
        """What the next request adds to the list of messages: what the model said, and a result for each call."""
        ...

    def go_on(self) -> None:
        """The next answer begins."""
        ...

    def finish(self, note: str) -> bytes:
        """The end of the answer. `note` is said in place of what would have followed calls left unanswered."""
        ...


def encoded(value: object) -> bytes:
    """As JSON. Lone surrogates, which a stream may hold between two of its parts, stay escaped."""
    return json.dumps(value, separators=(",", ":")).encode()


def added(one: Mapping[str, Any], other: Mapping[str, Any]) -> Object:
    """Two usage objects as one: counts are summed, of anything else the later holds."""
    total = dict(one)
    for key, value in other.items():
        total[key] = _sum(total.get(key), value)
    return total


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return added(one, other)
    if _is_count(one) and _is_count(other):
        return one + other
    return one if other is None else other


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def updated(one: Mapping[str, Any], other: object) -> Object:
    """A later report of one answer over an earlier one: what it states holds."""
    stated = other if isinstance(other, dict) else {}
    return {**one, **{key: value for key, value in stated.items() if value is not None}}

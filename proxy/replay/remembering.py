"""Work that every pass over a session would do again: counting a text, reading a message.

Rules of this room: what is remembered is what was found, of equal bytes. It must not know what passes are for.
"""

from dataclasses import dataclass, field, fields

from policies.core.conversation import Message
from proxy.dialects import Count, Dialect
from proxy.dialects.view import View


@dataclass(frozen=True, slots=True)
class Remembered(View):
    """A dialect that reads each message once."""

    known: dict[tuple[Count, bytes], Message] = field(default_factory=dict)

    def message(self, raw: bytes, count: Count) -> Message:
        key = count, bytes(raw)
        found = self.known.get(key)
        return found if found is not None else self.known.setdefault(key, View.message(self, key[1], count))


def remembered(dialect: Dialect) -> Dialect:
    """The dialect, with a memory."""
    assert isinstance(dialect, View)
    return Remembered(**{field.name: getattr(dialect, field.name) for field in fields(View)})


def counted_once(count: Count) -> Count:
    """Counting that remembers."""
    known: dict[str, int] = {}

    def counted(text: str) -> int:
        found = known.get(text)
        return found if found is not None else known.setdefault(text, count(text))

    return counted

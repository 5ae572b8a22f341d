"""What one call used, before an API puts it into its own fields. Sums always agree."""

from msgspec import Struct


class Reading(Struct, frozen=True):
    """What the cache makes of a prompt. `total` includes `read` and both writes."""

    total: int
    read: int = 0
    write: int = 0
    """Written with the short life."""
    write_long: int = 0


class Bill(Struct, frozen=True):
    """Input as read by the cache, and output; `output` includes `reasoning`."""

    input: Reading
    output: int = 0
    reasoning: int = 0

    @property
    def uncached(self) -> int:
        return self.input.total - self.input.read - self.input.write - self.input.write_long

"""What a provider reported for one call, normalised, and what it costs.

Rules of this room: `input` includes what was read from and written to the cache, whatever the
dialect; None means not reported, 0 means zero. No estimate ever enters here.
"""

from msgspec import Struct

from policies.core.profile import MILLION, Profile


class Usage(Struct, frozen=True):
    """Tokens of one call. `cache_write` includes `cache_write_long`."""

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    output: int | None = None
    reasoning: int | None = None
    diagnosis: str | None = None
    """Why the provider says that it read no more: its own word, where it was asked for it."""
    answer: str | None = None
    """The provider's id of the answer."""

    @property
    def uncached(self) -> int | None:
        """Input neither read nor written, or None where the input was not reported."""
        if self.input is None:
            return None
        return max(0, self.input - (self.cache_read or 0) - (self.cache_write or 0))


def input_cost(profile: Profile, usage: Usage) -> float:
    """USD for the input of one call; 0.0 where nothing was reported."""
    prices = profile.prices_for(usage.input or 0)
    long = usage.cache_write_long or 0
    write = prices.input if prices.write is None else prices.write
    write_long = write if prices.write_long is None else prices.write_long
    return (
        (usage.uncached or 0) * prices.input
        + (usage.cache_read or 0) * prices.read
        + ((usage.cache_write or 0) - long) * write
        + long * write_long
    ) / MILLION


def output_cost(profile: Profile, usage: Usage) -> float:
    """USD for the output of one call; 0.0 where nothing was reported."""
    return (usage.output or 0) * profile.prices_for(usage.input or 0).output / MILLION

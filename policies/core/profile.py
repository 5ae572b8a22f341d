"""What the planner must know of a model: prices, limits, cache rule, reasoning. Plain data, read from models/*.toml.

Rules of this room: every figure has a source, a date and a mark of certainty; a figure that nobody
confirmed stays marked. Prices are USD per million tokens. It must not know how a profile is found
on disk.
"""

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

MILLION = 1_000_000

Mark = Literal["SDK", "DOC", "2nd", "MINE", "GUESS", "measured"]
"""SDK: read in a vendor's package or litellm's price file. DOC: official page. 2nd: quoted by others.
MINE: derived. GUESS: not verified. measured: seen on a real engine."""


class LongestPrefix(Struct, frozen=True, tag="longest-prefix"):
    """The longest common prefix with any recent request is read, rounded down to `step` tokens."""

    step: int = 1
    minimum: int = 0
    """Shorter prefixes are never read (tokens)."""
    ttl: float = 300.0
    """Seconds from the start of the last request that used the prefix."""
    holdback: int = 0
    """Tokens at the end that are always computed (1 on real engines)."""


class Breakpoints(Struct, frozen=True, tag="breakpoints"):
    """Prefixes are written and read only at cache markers, each looking back a bounded number of positions."""

    lookback: int = 20
    """Positions behind a marker at which an entry is still found. A run of calls, or of observations, is one."""
    limit: int = 4
    """Markers a request may carry, the client's and the automatic one included."""
    minimum: int = 1024
    ttl: float = 300.0
    long_ttl: float | None = 3600.0
    automatic: bool = False
    """The provider itself marks the end of the latest message (OpenAI from GPT-5.6, "implicit mode")."""
    assistant_markable: bool = True
    """Markers may stand on an assistant's blocks."""


class Units(Struct, frozen=True, tag="units"):
    """Whole units only (DeepSeek V4): a read needs an earlier request, or request plus answer, to be a full prefix."""

    minimum: int = 0
    ttl: float = 3600.0


class TokenBlocks(Struct, frozen=True, tag="token-blocks"):
    """A chain of full token blocks, each hashed with its parent (vLLM)."""

    size: int = 16
    ttl: float = 3600.0


CacheRule = LongestPrefix | Breakpoints | Units | TokenBlocks


class Prices(Struct, frozen=True):
    """USD per million tokens. `write` None: no fee, what is written is paid as input."""

    input: float
    read: float
    output: float
    write: float | None = None
    write_long: float | None = None
    """Write with the long time to live (1h, 12h)."""


class Tier(Struct, frozen=True):
    """Prices of the whole request once its input exceeds `above` tokens."""

    above: int
    prices: Prices


class Source(Struct, frozen=True):
    """Where figures come from. `fields` names profile fields, for instance "prices", "cache.minimum"."""

    fields: tuple[str, ...]
    source: str
    date: str
    mark: Mark


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """One model."""

    name: str
    provider: str
    match: tuple[str, ...]
    """Shell patterns of model names, lower case, first match over all profiles wins (`claude-sonnet-4-5*`)."""
    prices: Prices
    cache: CacheRule
    context_limit: int
    sources: tuple[Source, ...]
    output_limit: int | None = None
    effective_limit: int | None = None
    tiers: tuple[Tier, ...] = ()
    tokenizer: Literal["o200k_base", "cl100k_base"] = "o200k_base"
    token_ratio: float = 1.0
    """Reported tokens for each token that `tokenizer` counts, before calibration."""
    binds_reasoning: Literal["no", "rejects", "drops"] = "no"
    """What happens to a returned reasoning block when something before it was edited."""
    native: tuple[str, ...] = ()
    """Editing and compaction that the provider offers: "clear_tool_uses", "compaction", "compact"."""

    def prices_for(self, input_tokens: int) -> Prices:
        """The prices of a request of this size; a tier counts for the whole request."""
        for tier in self.tiers:
            if input_tokens > tier.above:
                return tier.prices
        return self.prices


def find_profile(profiles: tuple[Profile, ...], model: str) -> Profile | None:
    """The profile of a model name as it stands in a request, provider prefixes (`anthropic/`, `us.`) left out."""
    name = model.lower().rsplit("/", 1)[-1]
    candidates = (name, name.split(".", 1)[-1], name.split(".")[-1])
    for candidate in candidates:
        for profile in profiles:
            if any(fnmatchcase(candidate, pattern) for pattern in profile.match):
                return profile
    return None

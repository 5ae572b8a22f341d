"""What the planner must know of a model: prices, limits, cache rule, reasoning. Plain data, read from models/*.toml.

Rules of this room: every figure has a source, a date and a mark of certainty; a figure that nobody
confirmed stays marked. Prices are USD per million tokens, unless `unit` says otherwise. It must
not know how a profile is found on disk.
"""

import re
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

MILLION = 1_000_000

Mark = Literal["SDK", "DOC", "2nd", "MINE", "GUESS", "measured"]
"""SDK: read in a vendor's package or litellm's price file. DOC: official page. 2nd: quoted by others.
MINE: derived. GUESS: not verified. measured: seen on a real engine."""


class LongestPrefix(Struct, frozen=True, forbid_unknown_fields=True, tag="longest-prefix"):
    """The longest common prefix with any recent request is read, rounded down to `step` tokens."""

    step: int = 1
    minimum: int = 0
    """Shorter prefixes are never read (tokens)."""
    ttl: float = 300.0
    """Seconds from the start of the last request that used the prefix."""
    holdback: int = 0
    """Tokens at the end that are always computed (1 on real engines)."""


class Breakpoints(Struct, frozen=True, forbid_unknown_fields=True, tag="breakpoints"):
    """Prefixes are written and read only at cache markers, each looking back a bounded number of positions."""

    lookback: int = 20
    """Positions at which a marker finds an entry, its own the first; a run of calls, or of observations, is one.

    With `automatic`: message endings at which what was written without a marker is still found.
    """
    limit: int = 4
    """Markers a request may carry, the client's and the automatic one included."""
    minimum: int = 1024
    ttl: float = 300.0
    long_ttl: float | None = 3600.0
    automatic: bool = False
    """The provider itself marks the end of the latest message (OpenAI from GPT-5.6, "implicit mode")."""


class Units(Struct, frozen=True, forbid_unknown_fields=True, tag="units"):
    """Whole units only (DeepSeek V4): a read needs an earlier request, or request plus answer, to be a full prefix."""

    minimum: int = 0
    ttl: float = 3600.0


class TokenBlocks(Struct, frozen=True, forbid_unknown_fields=True, tag="token-blocks"):
    """A chain of full token blocks, each hashed with its parent (vLLM)."""

    size: int = 16
    ttl: float = 3600.0


CacheRule = LongestPrefix | Breakpoints | Units | TokenBlocks


class Prices(Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens. `write` None: no fee, what is written is paid as input."""

    input: float
    read: float
    output: float
    write: float | None = None
    write_long: float | None = None
    """Write with the long time to live (1h, 12h)."""


class Tier(Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of the whole request once its input exceeds `above` tokens."""

    above: int
    prices: Prices


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where figures come from. `fields` names profile fields; "prices" speaks for "prices.read" as well."""

    fields: tuple[str, ...]
    source: str
    date: str
    mark: Mark


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """One model."""

    name: str
    provider: str
    match: tuple[str, ...]
    """Model names in lower case, without release suffixes; `*` may stand for the rest. See `find_profile`."""
    prices: Prices
    cache: CacheRule
    context_limit: int
    """Most tokens of input that one request may hold. Where output shares the window, it counts too."""
    sources: tuple[Source, ...]
    """The model's own come before those that its file states for all models."""
    output_limit: int | None = None
    effective_limit: int | None = None
    tiers: tuple[Tier, ...] = ()
    """Ascending by `above`."""
    tokenizer: Literal["o200k_base", "cl100k_base"] = "o200k_base"
    token_ratio: float = 1.0
    """Reported tokens for each token that `tokenizer` counts, before calibration."""
    binds_reasoning: Literal["no", "rejects", "drops"] = "no"
    """What happens to a returned reasoning block when something before it was edited."""
    drops_reasoning: tuple[str, ...] = ()
    """Dialects in which the model no longer sees the reasoning of a turn once the user has spoken again."""
    native: tuple[str, ...] = ()
    """Editing and compaction that the provider offers: "clear_tool_uses", "compaction", "compact"."""
    takes_cache_key: tuple[str, ...] = ()
    """Dialects in which a `prompt_cache_key` brings a conversation to the server that holds its prefix."""
    takes_allowed_tools: tuple[str, ...] = ()
    """Dialects in which `tool_choice` may name the tools that may be called (`allowed_tools`)."""
    cache_header: str = ""
    """Request header that does the same in Chat Completions."""
    takes_cache_salt: tuple[str, ...] = ()
    """Dialects in which a `cache_salt` parts caches."""
    unit: Literal["usd", "relative"] = "usd"
    """What a price of 1.0 is. "relative": 1.0 computes a million fresh input tokens; never to be added to dollars."""

    def limit(self, configured: int | None) -> int:
        """Tokens that a request may have: as configured, else what is known to work, else what is accepted."""
        return configured or self.effective_limit or self.context_limit

    def prices_for(self, input_tokens: int) -> Prices:
        """The prices of a request of this size; a tier counts for the whole request."""
        prices = self.prices
        for tier in self.tiers:
            if input_tokens > tier.above:
                prices = tier.prices
        return prices

    def source_of(self, field: str) -> Source | None:
        """The source of a figure ("cache.minimum"), else of the group that it belongs to ("cache")."""
        for name in (field, field.split(".", 1)[0]):
            for source in self.sources:
                if name in source.fields:
                    return source
        return None


_ROUTE = re.compile(r"^(?:[a-z-]+\.)+")
"""Bedrock's region and vendor (`us.anthropic.`). Without digits, so that `gpt-5.` stays."""

_RELEASE = re.compile(
    r"""(?: @[^@:]+                    # Vertex: @20250929, @default
          | :[a-z0-9._-]+              # OpenRouter: :free; Ollama and Bedrock: :0
          | -v\d+:\d+ | -v1            # Bedrock: -v1:0
          | -\d{4}-\d\d-\d\d | -\d{8}  # OpenAI and Anthropic: dates
          | -(?:exp|preview)(?:-\d\d-\d{2,4})? | -00\d  # Gemini
          | -latest
          | \[1m\]                     # Claude Code's name for the long window
        )$""",
    re.VERBOSE,
)


def wire_names(model: str) -> tuple[str, ...]:
    """The names under which a model may be listed: as sent, without route, without each release suffix."""
    full = model.strip().lower()
    last = full.rsplit("/", 1)[-1]
    names = [full, last, _ROUTE.sub("", last)]
    stem = names[-1]
    while (shorter := _RELEASE.sub("", stem)) not in ("", stem):
        stem = shorter
        names.append(stem)
    return tuple(dict.fromkeys(names))


def _weight(pattern: str) -> tuple[bool, int]:
    """How much a pattern says: one that names a route ("vllm/*") first, then the longest."""
    return "/" in pattern, len(pattern.replace("*", ""))


def find_profile(profiles: tuple[Profile, ...], model: str) -> Profile | None:
    """The profile of a model name as it stands in a request. The most specific pattern wins, not the first."""
    names = wire_names(model)
    best: tuple[tuple[bool, int], Profile] | None = None
    for profile in profiles:
        for pattern in profile.match:
            if pattern in names or ("*" in pattern and any(fnmatchcase(name, pattern) for name in names)):
                weight = _weight(pattern)
                if best is None or weight > best[0]:
                    best = (weight, profile)
    return best[1] if best else None

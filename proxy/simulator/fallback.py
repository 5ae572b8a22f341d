"""Profiles for models that no given profile matches: the API's usual rule and round figures.

They make an unknown model usable in a test; they state nothing about a real one.
"""

from policies.core.profile import Breakpoints, LongestPrefix, Prices, Profile, Source, find_profile
from proxy.simulator.brains import ApiName

_FIELDS = ("prices", "cache", "context_limit")
_SOURCE = (Source(fields=_FIELDS, source="round figures", date="2026-11-22", mark="GUESS"),)
_PRICES = Prices(input=1.0, read=0.1, output=5.0)

FALLBACKS: dict[ApiName, Profile] = {
    "anthropic_messages": Profile(
        name="simulated-anthropic", provider="anthropic", match=("*",), prices=_PRICES,
        cache=Breakpoints(minimum=1024), context_limit=200_000, sources=_SOURCE,
    ),
    "openai_chat": Profile(
        name="simulated-openai", provider="openai", match=("*",), prices=_PRICES,
        cache=LongestPrefix(step=128, minimum=1024), context_limit=128_000, sources=_SOURCE,
    ),
    "openai_responses": Profile(
        name="simulated-openai", provider="openai", match=("*",), prices=_PRICES,
        cache=LongestPrefix(step=128, minimum=1024), context_limit=400_000, sources=_SOURCE,
    ),
    "gemini": Profile(
        name="simulated-gemini", provider="google", match=("*",), prices=_PRICES,
        cache=LongestPrefix(minimum=2048), context_limit=1_048_576, sources=_SOURCE,
    ),
}  # fmt: skip


def profile_for(profiles: tuple[Profile, ...], api: ApiName, model: str) -> Profile:
    return find_profile(profiles, model) or FALLBACKS[api]

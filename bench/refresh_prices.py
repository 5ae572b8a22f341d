"""Every difference between our model profiles and a price file of litellm. Prints, never writes.

    pip download --no-deps litellm -d build
    python -m bench.refresh_prices build/litellm-*.whl

Takes the wheel or the JSON file itself. Status 1 if anything differs. Models that the price file
does not have are listed, but are no difference: new ones are missing there for days.
"""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from policies.core.profile import MILLION, Prices, Profile, Tier
from proxy.profiles import load_profiles

PRICE_FILE = "litellm/model_prices_and_context_window_backup.json"

Entry = dict[str, object]

PREFIXES = {
    "google": ("gemini/", "vertex_ai/", ""),
    "deepseek": ("deepseek/", ""),
    "xai": ("xai/",),
    "mistral": ("mistral/",),
}
"""Under which prefixes a provider's own models stand; elsewhere the bare name, so that no reseller is compared."""

PRICE_KEYS = {
    "input": ("input_cost_per_token",),
    "read": ("cache_read_input_token_cost",),
    "write": ("cache_creation_input_token_cost",),
    "write_long": ("cache_creation_input_token_cost_above_1hr", "cache_creation_input_token_cost_above_12hr"),
    "output": ("output_cost_per_token",),
}

LIMIT_KEYS = {
    "context_limit": "max_input_tokens",
    "output_limit": "max_output_tokens",
    "cache.minimum": "prompt_cache_min_tokens",
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m bench.refresh_prices WHEEL_OR_JSON", file=sys.stderr)
        return 2
    entries = read_entries(Path(arguments[0]))
    found = 0
    for profile in (profile for profile in load_profiles() if profile.unit == "usd"):
        keys = entry_keys(entries, profile)
        if not keys:
            print(f"{profile.name}: not in the price file")
        for key in keys:
            for line in differences(profile, entries[key]):
                print(f"{profile.name} ({key}): {line}")
                found += 1
    print(f"{found} differences")
    return 1 if found else 0


def read_entries(path: Path) -> dict[str, Entry]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            content = wheel.read(PRICE_FILE)
    else:
        content = path.read_bytes()
    return msgspec.json.decode(content, type=dict[str, Entry])


def entry_keys(entries: dict[str, Entry], profile: Profile) -> list[str]:
    """The entries of all names that the profile answers to; of each name the provider's own, not a reseller's."""
    names = dict.fromkeys((profile.name, *profile.match))
    found = []
    for name in names:
        candidates = (prefix + name for prefix in PREFIXES.get(profile.provider, ("",)))
        key = next((key for key in candidates if key in entries), None)
        if key is not None:
            found.append(key)
    return found


def differences(profile: Profile, entry: Entry) -> Iterator[str]:
    yield from _price_differences("prices", profile.prices, entry, "")
    for tier in profile.tiers:
        yield from _price_differences(f"prices above {tier.above}", tier.prices, entry, _suffix(tier))
    for suffix in sorted(_suffixes(entry) - {_suffix(tier) for tier in profile.tiers}):
        yield f"tier `{suffix}`: ours none"
    for field, key in LIMIT_KEYS.items():
        theirs = entry.get(key)
        ours = getattr(profile.cache, "minimum", None) if field == "cache.minimum" else getattr(profile, field)
        if theirs is not None and theirs != ours:
            yield f"{field}: ours {ours}, theirs {theirs}"


def _price_differences(where: str, prices: Prices, entry: Entry, suffix: str) -> Iterator[str]:
    for field, keys in PRICE_KEYS.items():
        ours: float | None = getattr(prices, field)
        theirs = next((price for key in keys if (price := _price(entry, key + suffix)) is not None), None)
        if ours != theirs:
            yield f"{where}.{field}: ours {ours}, theirs {theirs}"


def _price(entry: Entry, key: str) -> float | None:
    """USD per million tokens. A price of 0 for writing means that there is no fee."""
    price = entry.get(key)
    return round(price * MILLION, 6) if isinstance(price, float) and price else None


def _suffix(tier: Tier) -> str:
    return f"_above_{tier.above // 1000}k_tokens"


def _suffixes(entry: Entry) -> set[str]:
    start = "input_cost_per_token"
    return {key.removeprefix(start) for key in entry if key.startswith(f"{start}_above_") and key.endswith("_tokens")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

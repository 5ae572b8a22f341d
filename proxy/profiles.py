"""Where model profiles come from: the TOML files that ship in `policies/models`.

Rules of this room: read once at start-up, strictly; a key that the schema does not know is an
error that names file and model. A file states for all its models, in `defaults` and `sources`,
what they share. It must not know what a profile is used for.
"""

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
from msgspec import Struct

from policies.core.profile import LongestPrefix, Prices, Profile, Source, find_profile
from proxy.errors import ConfigError

MODELS = "policies.models"

FALLBACK = Profile(
    name="unknown",
    provider="unknown",
    match=(),
    # Each choice errs towards leaving the conversation alone. The cheapest read there is makes an
    # edit pay late; a long life keeps a silent cache from being taken for a cold one.
    prices=Prices(input=1.0, read=0.02, output=5.0),
    cache=LongestPrefix(minimum=4096, ttl=3600.0),
    context_limit=128_000,
    token_ratio=1.2,
    binds_reasoning="rejects",
    unit="relative",
    sources=(
        Source(
            fields=("prices", "cache", "context_limit", "token_ratio", "binds_reasoning"),
            source="the most cautious figure of any profile, for a model that none describes",
            date="2026-11-22",
            mark="GUESS",
        ),
    ),
)
"""For a model that no profile describes. Costs in relative units, so that no invented dollar is reported."""


class ModelFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of `policies/models`."""

    provider: str
    models: tuple[dict[str, Any], ...]
    defaults: dict[str, Any] = {}
    """Laid under each model; its `cache` table key by key, unless the model names another cache type."""
    sources: tuple[Source, ...] = ()


def load_profiles() -> tuple[Profile, ...]:
    """Every profile that ships with Holdfast."""
    return read_profiles(_shipped())


def profile_for(profiles: tuple[Profile, ...], model: str, named: str | None = None) -> Profile:
    """The profile of that name where the configuration names one, else of that model, else the cautious fallback."""
    if named is None:
        return find_profile(profiles, model) or FALLBACK
    for profile in profiles:
        if profile.name == named:
            return profile
    near = get_close_matches(named, [profile.name for profile in profiles], n=1)
    raise ConfigError(f"no model profile is called `{named}`", help=f"did you mean `{near[0]}`" if near else "")


def read_profiles(sources: Iterable[tuple[str, str]]) -> tuple[Profile, ...]:
    """Profiles of (file name, TOML text) pairs, in their order."""
    profiles = tuple(profile for file, text in sources for profile in _read_file(file, text))
    seen: set[str] = set()
    for profile in profiles:
        if profile.name in seen:
            raise ConfigError(f"two model profiles are called `{profile.name}`")
        seen.add(profile.name)
    return profiles


def _shipped() -> list[tuple[str, str]]:
    def name(entry: Traversable) -> str:
        return entry.name

    entries = sorted(files(MODELS).iterdir(), key=name)
    return [(entry.name, entry.read_text("utf-8")) for entry in entries if entry.name.endswith(".toml")]


def _read_file(file: str, text: str) -> list[Profile]:
    try:
        content = msgspec.convert(tomllib.loads(text), ModelFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(_lower(error), file=file) from error
    return [_profile(file, content, model) for model in content.models]


def _profile(file: str, content: ModelFile, model: Mapping[str, Any]) -> Profile:
    merged = {"provider": content.provider, **content.defaults, **model}
    merged["cache"] = _cache(content.defaults.get("cache"), model.get("cache"))
    merged["sources"] = [*model.get("sources", ()), *msgspec.to_builtins(content.sources)]
    try:
        return msgspec.convert(merged, Profile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"model `{model.get('name', '?')}`: {_lower(error)}", file=file) from error


def _cache(default: Any, own: Any) -> Any:
    if isinstance(default, dict) and isinstance(own, dict) and "type" not in own:
        return {**default, **own}
    return default if own is None else own


def _lower(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]

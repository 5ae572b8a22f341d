"""`holdfast models`: what Holdfast takes for true of a model, and on whose word.

Rules of this room: every figure is shown with its source, date and mark; none is rounded.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from policies.core.profile import Profile, Source
from proxy.commands.terminal import Terminal
from proxy.profiles import FALLBACK, load_profiles, profile_for
from proxy.tables import WIDTH

NOT_FIGURES = ("name", "provider", "match", "sources")
RULES = {"longest-prefix": "prefix", "breakpoints": "markers", "units": "units", "token-blocks": "blocks"}
"""Short forms, so that names of models need not be cut."""
MARKS = (
    "SDK: read in a vendor's package or a published price file; DOC: official page; 2nd: quoted by others; "
    "MINE: derived; GUESS: not verified; measured: seen on a real engine"
)


def every(terminal: Terminal) -> int:
    """One line for each profile."""
    profiles = load_profiles()
    header = ("model", "input", "read", "write", "output", "context", "cache rule")
    terminal.table(header, [_row(profile) for profile in profiles], [_document(profile) for profile in profiles])
    if not terminal.json:
        terminal.text("\nUSD per million tokens (*: relative). `holdfast models NAME`: sources, dates.")
    return 0


def _row(profile: Profile) -> tuple[str, ...]:
    prices = profile.prices
    write = prices.input if prices.write is None else prices.write
    return (
        profile.name + ("*" if profile.unit == "relative" else ""),
        *(f"{price:g}" for price in (prices.input, prices.read, write, prices.output)),
        f"{profile.context_limit:,}",
        _rule(profile),
    )


def _rule(profile: Profile) -> str:
    """The rule with its one most telling number: from how many tokens on, or by how many, there are reads."""
    rule = msgspec.to_builtins(profile.cache)
    least = rule.get("minimum") or rule.get("size")
    return f"{RULES[rule['type']]} {least}+" if least else RULES[rule["type"]]


def one(name: str, terminal: Terminal) -> int:
    """Every figure of the profile that is used for this model."""
    profiles = load_profiles()
    named = next((profile for profile in profiles if profile.name == name), None)
    profile = named or profile_for(profiles, name)
    if terminal.json:
        terminal.table((), (), _document(profile))
        return 0
    heading = f"{profile.name} ({profile.provider})"
    if profile is FALLBACK:
        heading = f"no profile describes `{name}`: the cautious one is used, and costs are in relative units"
    terminal.text(heading + "\n")
    sources = list(dict.fromkeys(profile.sources))
    terminal.table(("figure", "value", "mark", "date", "source"), list(_figures(profile, sources)), None)
    terminal.text("")
    for number, source in enumerate(sources, start=1):
        terminal.text(textwrap.fill(f"[{number}] {source.source}", WIDTH, subsequent_indent="    "))
    terminal.text("\n" + textwrap.fill(MARKS, WIDTH))
    return 0


def _figures(profile: Profile, sources: list[Source]) -> Iterator[tuple[str, ...]]:
    """Name, value, mark, date and number of the source. Nobody vouches for a default: its mark is `-`."""
    for field, value in _flat(_document(profile)):
        source = profile.source_of(field)
        if source is None:
            yield field, value, "-", "-", "-"
        else:
            yield field, value, source.mark, source.date, f"[{sources.index(source) + 1}]"


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if not prefix and key in NOT_FIGURES:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif key == "tiers":
            for tier in value:
                yield from _flat(tier["prices"], f"{prefix}tiers.{tier['above']}+.")
        elif value is not None and value not in ([], ()):
            yield prefix + key, _shown(value)


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _document(profile: Profile) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(profile)
    return document

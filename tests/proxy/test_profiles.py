"""The profiles that ship, and how they are read."""

import re
import tomllib
from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise, product
from time import perf_counter

import pytest

from policies.core.profile import Breakpoints, LongestPrefix, Prices, Profile, TokenBlocks, Units
from policies.core.usage import Usage, input_cost
from proxy.errors import ConfigError
from proxy.profiles import FALLBACK, load_profiles, profile_for, read_profiles

PROFILES = load_profiles()
EVERY = pytest.mark.parametrize("profile", (*PROFILES, FALLBACK), ids=lambda profile: profile.name)

GROUPS = {"prices": Prices, "cache": (LongestPrefix, Breakpoints, Units, TokenBlocks)}


def named(name: str) -> Profile:
    return profile_for(PROFILES, "", named=name)


def figures(profile: Profile) -> list[str]:
    """Every figure of a profile, by the name that a source gives it."""
    names = [f"{group}.{field}" for group in GROUPS for field in getattr(profile, group).__struct_fields__]
    optional = [name for name in ("output_limit", "effective_limit", "tiers", "native") if getattr(profile, name)]
    return [*names, *optional, "context_limit", "token_ratio", "binds_reasoning"]


# What ships


@EVERY
def test_every_figure_has_a_source(profile: Profile) -> None:
    assert [figure for figure in figures(profile) if profile.source_of(figure) is None] == []


@EVERY
def test_a_source_names_only_fields_that_exist(profile: Profile) -> None:
    groups = [GROUPS["prices"], *GROUPS["cache"]]  # type: ignore[misc]
    inner = {
        f"{'prices' if kind is Prices else 'cache'}.{field}" for kind in groups for field in kind.__struct_fields__
    }
    known = inner | set(Profile.__struct_fields__)
    assert {field for source in profile.sources for field in source.fields} <= known


@EVERY
def test_every_source_has_a_text_and_a_day(profile: Profile) -> None:
    for source in profile.sources:
        assert len(source.source) > 10
        assert re.fullmatch(r"2026-\d\d-\d\d", source.date)


@EVERY
def test_a_read_is_never_dearer_than_input_nor_input_than_a_write(profile: Profile) -> None:
    for prices in (profile.prices, *(tier.prices for tier in profile.tiers)):
        writes = [price for price in (prices.write, prices.write_long) if price is not None]
        ascending = [0.0, prices.read, prices.input, *writes]
        assert ascending == sorted(ascending)
        assert 0.0 < prices.read < prices.output


@EVERY
def test_tiers_ascend_and_each_is_dearer_in_every_price(profile: Profile) -> None:
    assert [tier.above for tier in profile.tiers] == sorted({tier.above for tier in profile.tiers})
    for below, above in pairwise((profile.prices, *(tier.prices for tier in profile.tiers))):
        for field in Prices.__struct_fields__:
            before, after = getattr(below, field), getattr(above, field)
            assert (before is None) == (after is None)
            assert before is None or after > before
    assert all(tier.above < profile.context_limit for tier in profile.tiers)


@EVERY
def test_patterns_are_lower_case(profile: Profile) -> None:
    assert profile.match == tuple(pattern.strip().lower() for pattern in profile.match)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_profile_is_found_by_its_own_name_and_by_each_of_its_patterns(profile: Profile) -> None:
    for name in (profile.name, *(pattern.replace("*", "anything") for pattern in profile.match)):
        assert profile_for(PROFILES, name) is profile
        assert profile_for(PROFILES, name.upper()) is profile


def test_no_two_profiles_share_a_pattern() -> None:
    patterns = [pattern for profile in PROFILES for pattern in profile.match]
    assert sorted(patterns) == sorted(set(patterns))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("anthropic/claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-opus-5", "claude-opus-5"),
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-fable-5", "claude-fable-5"),
        ("claude-fable-5-1", "claude-fable-5-1"),
        ("claude-fable-5-2", "claude-fable-5-2"),
        ("claude-fable-5-3", "claude-unlisted"),
        ("claude-3-5-haiku-20241022", "claude-unlisted"),
        ("openai/gpt-5.1", "gpt-5.1"),
        ("gpt-5.1-2025-11-13", "gpt-5.1"),
        ("gpt-5.1-codex-max", "gpt-5.1-codex"),
        ("gpt-5.1-codex-mini", "gpt-5.1-codex-mini"),
        ("gpt-5", "gpt-5"),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("gpt-5.6", "gpt-5.6-sol"),
        ("gpt-6.2-sol", "gpt-6.2-sol"),
        ("gpt-6.2-astra-law", "gpt-unlisted"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("publishers/google/models/gemini-3.1-pro-preview", "gemini-3.1-pro-preview"),
        ("gemini-2.5-flash-lite-preview-09-2025", "gemini-2.5-flash-lite"),
        ("gemini-4-carbon", "gemini-unlisted"),
        ("deepseek-chat", "deepseek-chat"),
        ("deepseek/deepseek-v4-pro", "deepseek-v4-pro"),
        ("x-ai/grok-4.7", "grok-4.7"),
        ("grok-4.20-0309-reasoning", "grok-4.20"),
        ("mistral-large-2512", "mistral-large-3"),
        ("hosted_vllm/openai/gpt-oss-120b", "vllm"),
        ("llama.cpp/qwen3-8b", "llama.cpp"),
        ("qwen3-8b", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_name_on_the_wire_finds_its_profile(model: str, name: str) -> None:
    assert profile_for(PROFILES, model).name == name


@pytest.mark.parametrize(
    "minimum, names",
    [
        (512, "fable-5 fable-5-1 fable-5-2 mythos-5 mythos-5-1 mythos-5-2 opus-5 opus-5-5 sonnet-5-5 haiku-5-5"),
        (1024, "opus-4-8 sonnet-5 sonnet-4-6 sonnet-4-5"),
        (2048, "opus-4-7"),
        (4096, "opus-4-6 opus-4-5 haiku-4-5"),
    ],
)
def test_the_shortest_prefix_that_anthropic_caches_depends_on_the_model(minimum: int, names: str) -> None:
    caches = [named(f"claude-{name}").cache for name in names.split()]
    assert all(isinstance(cache, Breakpoints) and cache.minimum == minimum for cache in caches)


def test_reasoning_is_bound_by_the_newest_models_only() -> None:
    bound = {profile.name: profile.binds_reasoning for profile in PROFILES if profile.binds_reasoning != "no"}
    claudes = "fable-5-1 fable-5-2 mythos-5-1 mythos-5-2 opus-5-5 sonnet-5-5 haiku-5-5 unlisted"
    assert bound == {f"claude-{name}": "rejects" for name in claudes.split()} | {
        "gpt-6.2-astra": "drops",
        "gpt-6.2-sol": "drops",
        "gpt-unlisted": "drops",
    }


def test_openai_caches_by_breakpoint_from_5_6_on_and_by_prefix_before() -> None:
    for profile in (profile for profile in PROFILES if profile.provider == "openai"):
        newer = re.match(r"gpt-(5\.6|6)", profile.name) is not None
        assert isinstance(profile.cache, Breakpoints) == newer
        assert (profile.prices.write is not None) == (newer or profile.name == "gpt-unlisted")


def test_engines_that_one_runs_oneself_cost_no_dollars() -> None:
    relative = {profile.name for profile in (*PROFILES, FALLBACK) if profile.unit == "relative"}
    assert relative == {"vllm", "vllm-cpu", "llama.cpp", "sglang", "ollama", "unknown"}


def test_what_no_profile_describes_is_marked_as_a_guess() -> None:
    for profile in (FALLBACK, *(profile for profile in PROFILES if profile.name.endswith("-unlisted"))):
        source = profile.source_of("prices.read")
        assert source is not None and source.mark == "GUESS"


def test_the_fallback_lets_an_edit_pay_no_sooner_than_any_profile() -> None:
    for profile, removed in product(PROFILES, (0.5, 0.9)):
        assert turns_to_pay(FALLBACK, removed) >= turns_to_pay(profile, removed) - 1e-6
    cheapest = min(profile.prices.read / profile.prices.input for profile in PROFILES)
    assert cheapest == pytest.approx(FALLBACK.prices.read)


def test_reading_the_profiles_costs_little_more_than_reading_their_toml() -> None:
    folder = files("policies.models")
    texts = [entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".toml")]
    # both in one run, the quickest of several: a machine's speed and its other work fall out of the ratio
    plain = min(timed(lambda: [tomllib.loads(text) for text in texts]) for _ in range(7))
    assert min(timed(load_profiles) for _ in range(7)) < 4 * plain


def timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


# What the prices imply (figures of OpenAI's guide and of our own arithmetic)

SPAN = 100_000


def call(profile: Profile, tokens: int, *, read: int = 0, write: bool = False) -> float:
    """The input of one call with `read` tokens from the cache; the rest is written where the provider charges that."""
    charged = tokens - read if write and profile.prices.write is not None else None
    return input_cost(profile, Usage(input=tokens, cache_read=read, cache_write=charged))


def turns_to_pay(profile: Profile, removed: float) -> float:
    """Turns until an edit that takes this share out of a warm span has paid, in list prices below any tier."""
    kept = round(SPAN * (1 - removed))
    once = call(profile, kept, write=True) - call(profile, SPAN, read=SPAN)
    return once / (call(profile, SPAN, read=SPAN) - call(profile, kept, read=kept))


@pytest.mark.parametrize(
    ("name", "half", "most"),
    [
        ("claude-opus-5", 10.5, 0.3),
        ("claude-sonnet-4-5", 10.5, 0.3),
        ("gpt-5.6-sol", 10.5, 0.3),
        ("claude-opus-5-5", 23.0, 1.7),
        ("gpt-6.2-sol", 23.0, 1.7),
        ("claude-fable-5-1", 48.0, 4.4),
        ("claude-fable-5-2", 48.0, 4.4),
        ("gpt-4o", 0.0, -0.9),
        ("gpt-5.1", 8.0, 0.0),
        ("gemini-2.5-pro", 8.0, 0.0),
    ],
)
def test_the_cheaper_the_read_the_longer_an_edit_takes_to_pay(name: str, half: float, most: float) -> None:
    assert round(turns_to_pay(named(name), 0.5), 1) == pytest.approx(half)
    assert round(turns_to_pay(named(name), 0.9), 1) == pytest.approx(most)


@pytest.mark.parametrize(("requests", "shortest"), [(2, 692), (10, 221), (100, 115)])
def test_lengthening_a_prefix_to_the_minimum_pays_from_this_length_on(requests: int, shortest: int) -> None:
    profile = named("gpt-5.6-sol")
    assert isinstance(profile.cache, Breakpoints)
    minimum = profile.cache.minimum
    cached = call(profile, minimum, write=True) + (requests - 1) * call(profile, minimum, read=minimum)
    assert requests * call(profile, shortest) > cached >= requests * call(profile, shortest - 1)


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-8", "gpt-5.6-terra"])
def test_a_short_write_pays_at_the_second_request_and_a_long_one_at_the_third(name: str) -> None:
    prices = named(name).prices
    assert prices.write is not None and prices.write_long is not None
    assert prices.write + prices.read < 2 * prices.input
    long_of_openai = prices.write_long / prices.input > 2
    assert prices.write_long + prices.read > 2 * prices.input
    assert prices.write_long + 2 * prices.read < (4 if long_of_openai else 3) * prices.input


def test_crossing_a_tier_costs_more_than_everything_below_it() -> None:
    profiles = [profile for profile in PROFILES if profile.tiers]
    assert {profile.tiers[0].above for profile in profiles} == {100_000, 200_000, 272_000}
    for profile, cached in product(profiles, (0.0, 0.9)):
        edge = profile.tiers[0].above
        below, above = call(profile, edge, read=int(edge * cached)), call(profile, edge + 1, read=int(edge * cached))
        assert above > 1.9 * below


# How they are read

MODEL = """
[[models]]
name = "a"
match = ["a"]
prices = { input = 1.0, read = 0.1, output = 5.0 }
cache = { type = "longest-prefix", minimum = 64 }
context_limit = 1000
sources = [{ fields = ["prices"], source = "own", date = "2026-11-22", mark = "DOC" }]
"""
HEAD = 'provider = "test"\n'


def read(text: str) -> tuple[Profile, ...]:
    return read_profiles([("test.toml", text)])


def test_a_model_states_what_differs_from_the_defaults_of_its_file() -> None:
    cache = 'cache = { type = "longest-prefix", step = 128, ttl = 60.0 }\n'
    defaults = "[defaults]\ntoken_ratio = 1.2\ncontext_limit = 5\n" + cache
    (profile,) = read(HEAD + defaults + MODEL.replace('type = "longest-prefix", ', ""))
    assert (profile.provider, profile.token_ratio, profile.context_limit) == ("test", 1.2, 1000)
    assert profile.cache == LongestPrefix(step=128, minimum=64, ttl=60.0)


def test_a_cache_of_its_own_type_takes_nothing_from_the_defaults() -> None:
    defaults = '[defaults]\ncache = { type = "breakpoints", ttl = 60.0, lookback = 3 }\n'
    (profile,) = read(HEAD + defaults + MODEL)
    assert profile.cache == LongestPrefix(minimum=64)


def test_a_model_without_a_cache_takes_that_of_the_defaults() -> None:
    lines = [line for line in MODEL.splitlines() if not line.startswith("cache")]
    (profile,) = read(HEAD + '[defaults]\ncache = { type = "units" }\n' + "\n".join(lines))
    assert profile.cache == Units()


def test_the_sources_of_a_model_come_before_those_of_its_file() -> None:
    shared = '[[sources]]\nfields = ["prices", "cache"]\nsource = "shared"\ndate = "2026-11-22"\nmark = "2nd"\n'
    (profile,) = read(HEAD + shared + MODEL)
    assert [source.source for source in profile.sources] == ["own", "shared"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            HEAD + MODEL.replace("context_limit", "contxt_limit"),
            "model `a`: object contains unknown field `contxt_limit`",
        ),
        (HEAD + MODEL.replace("read =", "reed ="), "model `a`: object contains unknown field `reed` - at `$.prices`"),
        (
            HEAD + MODEL.replace("minimum", "minimal"),
            "model `a`: object contains unknown field `minimal` - at `$.cache`",
        ),
        (HEAD + MODEL.replace("longest-prefix", "longest"), "model `a`: invalid value 'longest' - at `$.cache.type`"),
        (HEAD + MODEL.replace('"DOC"', '"sure"'), "model `a`: invalid enum value 'sure' - at `$.sources[0].mark`"),
        (HEAD + MODEL.replace("name =", "nome ="), "model `?`: object"),
        (HEAD + MODEL.replace("cache =", "cash ="), "model `a`: "),
        (HEAD + "licence = 1\n" + MODEL, "object contains unknown field `licence`"),
        (MODEL, "object missing required field `provider`"),
        (HEAD + MODEL + "broken", "expected '='"),
        (HEAD + MODEL + MODEL, "two model profiles are called `a`"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_where(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)
    assert complaint in str(raised.value)
    assert raised.value.file == "test.toml" or "two model" in complaint


def test_a_profile_that_the_configuration_names_is_taken_whatever_the_model() -> None:
    assert profile_for(PROFILES, "gpt-5.1", named="vllm").name == "vllm"


def test_a_profile_name_that_does_not_exist_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(
        ConfigError, match="no model profile is called `claude-sonet-4-5`; did you mean `claude-sonnet-4-5`"
    ):
        profile_for(PROFILES, "x", named="claude-sonet-4-5")
    with pytest.raises(ConfigError, match="no model profile is called `zzzz`$"):
        profile_for(PROFILES, "x", named="zzzz")

"""Profiles by themselves: tiers, sources, and which profile a model name finds. Shipped data: tests/proxy."""

import pytest
from msgspec.structs import replace

from policies.core.profile import LongestPrefix, Prices, Profile, Source, Tier, find_profile, wire_names


def profile(name: str, *match: str, tiers: tuple[Tier, ...] = (), sources: tuple[Source, ...] = ()) -> Profile:
    return Profile(
        name=name,
        provider="test",
        match=match or (name,),
        prices=Prices(input=1.0, read=0.1, output=5.0),
        cache=LongestPrefix(),
        context_limit=1000,
        tiers=tiers,
        sources=sources,
    )


def source(text: str, *fields: str) -> Source:
    return Source(fields=fields, source=text, date="2026-11-22", mark="DOC")


LOW = Tier(above=100, prices=Prices(input=2.0, read=0.2, output=7.5))
HIGH = Tier(above=200, prices=Prices(input=4.0, read=0.4, output=10.0))


@pytest.mark.parametrize(("tokens", "price"), [(0, 1.0), (100, 1.0), (101, 2.0), (200, 2.0), (201, 4.0), (10_000, 4.0)])
def test_the_highest_tier_that_is_exceeded_prices_the_whole_request(tokens: int, price: float) -> None:
    assert profile("a", tiers=(LOW, HIGH)).prices_for(tokens).input == price


def test_a_model_without_tiers_has_one_price_for_every_size() -> None:
    assert profile("a").prices_for(10**9) == profile("a").prices


def test_the_source_of_a_figure_comes_before_that_of_its_group() -> None:
    known = profile("a", sources=(source("group", "cache", "prices"), source("figure", "cache.minimum")))
    assert known.source_of("cache.minimum") == source("figure", "cache.minimum")
    assert known.source_of("cache.ttl") == source("group", "cache", "prices")
    assert known.source_of("prices.read") == source("group", "cache", "prices")


def test_of_two_sources_for_a_figure_the_first_one_counts() -> None:
    known = profile("a", sources=(source("own", "prices"), source("shared", "prices")))
    assert known.source_of("prices.read") == source("own", "prices")


def test_a_figure_that_nobody_vouches_for_has_no_source() -> None:
    assert profile("a", sources=(source("group", "cache"),)).source_of("prices.read") is None


@pytest.mark.parametrize(
    ("sent", "listed"),
    [
        ("Claude-Sonnet-4-5", "claude-sonnet-4-5"),
        (" gpt-5.1\n", "gpt-5.1"),
        ("openai/gpt-5.1", "gpt-5.1"),
        ("openrouter/openai/gpt-5.1:free", "gpt-5.1"),
        ("gpt-5.1-2025-11-13", "gpt-5.1"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-opus-4-8@default", "claude-opus-4-8"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("arn:aws:bedrock:us-east-1:1234:inference-profile/global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("claude-sonnet-4-6[1m]", "claude-sonnet-4-6"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("projects/p/locations/global/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
        ("gemini-2.5-flash-001", "gemini-2.5-flash"),
        ("gemini-3-flash-preview", "gemini-3-flash-preview"),
        ("mistral-large-latest", "mistral-large"),
    ],
)
def test_route_and_release_are_left_off_a_name(sent: str, listed: str) -> None:
    assert listed in wire_names(sent)


@pytest.mark.parametrize(
    "sent", ["gpt-5.1", "gpt-4o-mini", "llama.cpp/qwen", "grok-4.20", "deepseek-v3", "", ":0", "/"]
)
def test_no_name_is_shortened_to_nothing_or_to_its_sibling(sent: str) -> None:
    names = wire_names(sent)
    assert names[0] == sent
    assert not {"gpt-5", "gpt", "gpt-4o", "1", "grok-4", "deepseek", "20"} & set(names)
    assert all(names) or sent in ("", "/")


def test_the_most_specific_pattern_wins_over_the_first_one() -> None:
    profiles = (profile("family", "claude-*"), profile("older", "claude-opus-*"), profile("model", "claude-opus-5"))
    assert find_profile(profiles, "claude-opus-5-20260101") == profiles[2]
    assert find_profile(profiles[::-1], "claude-opus-5-20260101") == profiles[2]
    assert find_profile(profiles, "claude-opus-6") == profiles[1]
    assert find_profile(profiles[::-1], "claude-opus-6") == profiles[1]
    assert find_profile(profiles, "claude-lyric-1") == profiles[0]


def test_a_dated_release_finds_its_own_model_and_no_sibling() -> None:
    profiles = (profile("gpt-4o"), profile("gpt-4o-mini"))
    assert find_profile(profiles, "gpt-4o-2024-08-06") == profiles[0]
    assert find_profile(profiles, "gpt-4o-mini-2024-07-18") == profiles[1]
    assert find_profile(profiles, "gpt-4o-audio-preview") is None


def test_a_pattern_that_names_the_route_wins_over_the_model_behind_it() -> None:
    engine, hosted = profile("vllm", "vllm/*"), profile("deepseek-v4-flash")
    assert find_profile((hosted, engine), "vllm/deepseek-ai/deepseek-v4-flash") == engine
    assert find_profile((hosted, engine), "deepseek/deepseek-v4-flash") == hosted


def test_a_fine_tuned_model_is_not_taken_for_the_one_it_came_from() -> None:
    assert find_profile((profile("gpt-4o"), profile("family", "gpt-*")), "ft:gpt-4o-2024-08-06:acme::abc") is None


def test_a_name_that_nothing_matches_finds_no_profile() -> None:
    assert find_profile((profile("gpt-4o"),), "qwen3-32b") is None
    assert find_profile((), "gpt-4o") is None


def test_a_configured_limit_comes_before_what_works_and_that_before_what_is_accepted() -> None:
    plain = replace(profile("m"), context_limit=200)
    known = replace(plain, effective_limit=100)
    assert (plain.limit(None), known.limit(None), known.limit(50)) == (200, 100, 50)

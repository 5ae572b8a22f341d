"""What a call costs. Expected figures are worked out by hand from prices written in the test."""

import pytest

from policies.core.profile import Breakpoints, LongestPrefix, Prices, Profile, Tier
from policies.core.usage import Usage, input_cost, output_cost


def profile(prices: Prices, *tiers: Tier) -> Profile:
    cache = LongestPrefix() if prices.write is None else Breakpoints()
    return Profile(
        name="a", provider="test", match=("a",), prices=prices, cache=cache, context_limit=1, sources=(), tiers=tiers
    )


SONNET = profile(Prices(input=3.0, read=0.3, write=3.75, write_long=6.0, output=15.0))
SOL = profile(
    Prices(input=4.0, read=0.4, write=5.0, write_long=10.0, output=20.0),
    Tier(above=272_000, prices=Prices(input=8.0, read=0.8, write=10.0, write_long=20.0, output=30.0)),
)
FREE_WRITES = profile(Prices(input=1.25, read=0.125, output=10.0))


def test_what_was_not_reported_is_none_and_costs_nothing() -> None:
    assert Usage().uncached is None
    assert input_cost(SONNET, Usage()) == 0.0
    assert output_cost(SONNET, Usage()) == 0.0


def test_a_reported_zero_stays_a_zero() -> None:
    assert Usage(input=0, output=0).uncached == 0
    assert Usage(input=0) != Usage()


def test_uncached_is_the_input_neither_read_nor_written() -> None:
    assert Usage(input=11_700, cache_read=10_000, cache_write=1_500).uncached == 200
    assert Usage(input=100).uncached == 100


def test_uncached_is_never_negative_where_a_provider_counts_reads_apart() -> None:
    assert Usage(input=100, cache_read=90, cache_write=20).uncached == 0


def test_reads_and_both_writes_have_their_own_price() -> None:
    # 200 fresh, 10,000 read, 1,000 written for 5 minutes, 500 for an hour:
    # 200 * 3 + 10,000 * 0.3 + 1,000 * 3.75 + 500 * 6 = 10,350 millionths
    usage = Usage(input=11_700, cache_read=10_000, cache_write=1_500, cache_write_long=500, output=100)
    assert input_cost(SONNET, usage) == pytest.approx(0.01035)
    assert output_cost(SONNET, usage) == pytest.approx(0.0015)


def test_a_tier_prices_every_token_of_the_request() -> None:
    # above 272,000: 30,000 * 8 + 250,000 * 0.8 + 20,000 * 10 = 640,000 millionths, output at 30
    usage = Usage(input=300_000, cache_read=250_000, cache_write=20_000, output=1_000)
    assert input_cost(SOL, usage) == pytest.approx(0.64)
    assert output_cost(SOL, usage) == pytest.approx(0.03)


def test_at_the_edge_of_a_tier_the_lower_price_holds() -> None:
    assert input_cost(SOL, Usage(input=272_000)) == pytest.approx(1.088)
    assert input_cost(SOL, Usage(input=272_001)) == pytest.approx(2.176008)


def test_where_writing_is_free_written_tokens_cost_what_input_costs() -> None:
    usage = Usage(input=3_000, cache_read=1_000, cache_write=2_000, cache_write_long=500)
    assert input_cost(FREE_WRITES, usage) == pytest.approx((2_000 * 1.25 + 1_000 * 0.125) / 1e6)


def test_without_a_price_for_long_writes_the_short_one_holds() -> None:
    one_price = profile(Prices(input=1.0, read=0.1, write=1.25, output=5.0))
    assert input_cost(one_price, Usage(input=1_000, cache_write=1_000, cache_write_long=1_000)) == pytest.approx(
        0.00125
    )

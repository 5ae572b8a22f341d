"""What the offline provider reports."""

import pytest
from msgspec.structs import replace

from policies.core.profile import MILLION, Prices
from policies.core.usage import Usage, input_cost
from proxy.replay.cache import Prompt
from proxy.replay.provider import Provider

from .sessions import marked_profile, profile

PROMPT = Prompt((b"head", b"a"), (0, 50), (0, 1), (0, 1), (1,))


def test_what_is_left_of_a_request_is_kept_for_the_next_one() -> None:
    provider = Provider(marked_profile())
    assert provider.answer(PROMPT, 0.0, 7) == Usage(50, 0, 50, 0, 7)
    assert provider.answer(PROMPT, 1.0, 8) == Usage(50, 50, 0, 0, 8)


def test_where_writing_has_no_price_nothing_is_reported_as_written() -> None:
    provider = Provider(profile())
    assert provider.answer(PROMPT, 0.0, 7) == Usage(50, 0, 0, 0, 7)


def test_what_is_written_for_long_is_reported_apart_and_dearer() -> None:
    known = marked_profile(prices=Prices(input=1.0, read=0.1, output=4.0, write=1.25, write_long=2.0))
    usage = Provider(known).answer(replace(PROMPT, long=(1,)), 0.0, 0)
    assert usage == Usage(input=50, cache_read=0, cache_write=50, cache_write_long=50, output=0)
    assert input_cost(known, usage) == pytest.approx(50 * 2.0 / MILLION)

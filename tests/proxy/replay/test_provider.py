"""What the offline provider reports."""

from policies.core.usage import Usage
from proxy.replay.cache import Prompt
from proxy.replay.provider import Provider

from .sessions import marked_profile, profile

PROMPT = Prompt((b"head", b"a"), (0, 50), (0, 1), (0, 1), (1,))


def test_what_is_left_of_a_request_is_kept_for_the_next_one() -> None:
    provider = Provider(marked_profile())
    assert provider.answer(PROMPT, 0.0, 7) == Usage(input=50, cache_read=0, cache_write=50, output=7)
    assert provider.answer(PROMPT, 1.0, 8) == Usage(input=50, cache_read=50, cache_write=0, output=8)


def test_where_writing_has_no_price_nothing_is_reported_as_written() -> None:
    provider = Provider(profile())
    assert provider.answer(PROMPT, 0.0, 7) == Usage(input=50, cache_read=0, cache_write=0, output=7)

"""The offline provider's cache, rule by rule."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, TokenBlocks, Units
from proxy.replay.cache import Cache, Prompt, Served, common, serve

MANUAL = Breakpoints(lookback=3, minimum=10, ttl=100.0)
LASTING = Breakpoints(minimum=10, ttl=100.0, long_ttl=1000.0)
IMPLICIT = Breakpoints(lookback=2, minimum=10, ttl=100.0, automatic=True)


def prompt(words: str, marks: Sequence[int] = (), size: int = 10, long: Sequence[int] = ()) -> Prompt:
    """One block a letter, one message each, ten tokens each. Index 0, the head, is empty. `long`: of the marks."""
    chain = tuple(words[:end].encode() for end in range(len(words) + 1))
    steps = range(len(words) + 1)
    return Prompt(chain, tuple(size * n for n in steps), tuple(steps), tuple(steps), tuple(marks), tuple(long))


def play(rule: CacheRule, *requests: tuple[float, Prompt]) -> list[Served]:
    cache: Cache = ()
    found = []
    for now, request in requests:
        served, cache = serve(rule, cache, request, now)
        found.append(served)
    return found


def reads(rule: CacheRule, *requests: tuple[float, Prompt]) -> list[int]:
    return [served.read for served in play(rule, *requests)]


@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_common_is_the_longest_common_prefix(one: str, other: str) -> None:
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    assert common(prompt(one).chain, prompt(other).chain) == shared + 1


def test_the_longest_prefix_of_any_request_that_is_alive_is_read() -> None:
    rule = LongestPrefix(ttl=100.0)
    assert reads(rule, (0, prompt("abc")), (1, prompt("abcd")), (2, prompt("abxy")), (3, prompt("abcde"))) == [
        0,
        30,
        20,
        40,
    ]


def test_steps_minimum_and_holdback_round_a_read_down() -> None:
    assert reads(LongestPrefix(step=16), (0, prompt("abc")), (1, prompt("abcd"))) == [0, 16]
    assert reads(LongestPrefix(minimum=40), (0, prompt("abc")), (1, prompt("abcd"))) == [0, 0]
    assert reads(LongestPrefix(holdback=1), (0, prompt("abc")), (1, prompt("abc"))) == [0, 29]
    assert reads(TokenBlocks(size=16), (0, prompt("abcd")), (1, prompt("abcd"))) == [0, 32]


@pytest.mark.parametrize("rule", [LongestPrefix(ttl=100.0), TokenBlocks(size=1, ttl=100.0), Units(ttl=100.0)])
def test_a_prefix_dies_when_nobody_used_it_and_a_read_keeps_it(rule: CacheRule) -> None:
    assert reads(rule, (0, prompt("ab")), (100, prompt("abc")), (201, prompt("abcd")))[1:] == [20, 0]
    assert reads(rule, (0, prompt("ab")), (90, prompt("abc")), (180, prompt("abcd")))[1:] == [20, 30]


def test_whole_units_are_read_or_nothing() -> None:
    assert reads(Units(), (0, prompt("abc")), (1, prompt("abx")), (2, prompt("abcd")), (3, prompt("abxy"))) == [
        0,
        0,
        30,
        30,
    ]


def test_without_a_marker_nothing_is_read_or_written() -> None:
    assert play(MANUAL, (0, prompt("abc")), (1, prompt("abcd"))) == [Served(30, 0, 0), Served(40, 0, 0)]


def test_a_marker_writes_up_to_itself_and_finds_what_an_earlier_one_wrote() -> None:
    assert play(MANUAL, (0, prompt("abc", [2])), (1, prompt("abcd", [4]))) == [Served(30, 0, 20), Served(40, 20, 20)]


def test_a_marker_looks_back_so_many_positions_and_no_further() -> None:
    assert reads(MANUAL, (0, prompt("a", [1])), (1, prompt("abc", [3])))[1] == 10
    assert reads(MANUAL, (0, prompt("a", [1])), (1, prompt("abcd", [4])))[1] == 0
    assert reads(MANUAL, (0, prompt("a", [1])), (1, prompt("abcd", [2, 4])))[1] == 10


def test_a_long_marker_is_billed_apart_and_outlasts_the_short_ones() -> None:
    first, later = prompt("abc", [1, 3], long=[1]), prompt("abcd", [1, 4])
    assert play(LASTING, (0, first)) == [Served(30, 0, 30, written_long=10)]
    assert play(LASTING, (0, first), (100, later))[1] == Served(40, 30, 10)
    assert play(LASTING, (0, first), (101, later))[1] == Served(40, 10, 30)
    assert play(LASTING, (0, first), (1000, later))[1] == Served(40, 10, 30)
    assert play(LASTING, (0, first), (1001, later))[1] == Served(40, 0, 40)


def test_a_read_refreshes_a_long_entry_for_its_own_life_and_makes_no_short_one_long() -> None:
    first, again = prompt("abc", [1, 3], long=[1]), prompt("abc", [1, 3], long=[1, 3])
    assert reads(LASTING, (0, first), (900, first), (1800, first)) == [0, 10, 10]
    assert play(LASTING, (0, first), (50, again)) == [Served(30, 0, 30, written_long=10), Served(30, 30, 0)]
    assert reads(LASTING, (0, first), (50, again), (500, again)) == [0, 30, 10]


def test_where_a_model_has_no_long_life_a_long_marker_is_as_good_as_a_short_one() -> None:
    first = prompt("abc", [3], long=[3])
    assert reads(Breakpoints(minimum=10, ttl=100.0, long_ttl=None), (0, first), (101, first)) == [0, 0]


def test_a_prefix_below_the_minimum_is_not_kept() -> None:
    rule = Breakpoints(minimum=30)
    assert play(rule, (0, prompt("ab", [2])), (1, prompt("abc", [3]))) == [Served(20, 0, 0), Served(30, 0, 30)]


def test_a_change_loses_all_behind_the_last_entry_before_it() -> None:
    first, second = prompt("abcdef", [2, 6]), prompt("abcXef", [2, 6])
    assert reads(MANUAL, (0, first), (1, second), (2, first)) == [0, 20, 60]


def test_the_provider_marks_the_end_of_each_request_itself_where_the_rule_says_so() -> None:
    assert play(IMPLICIT, (0, prompt("ab")), (1, prompt("abcd"))) == [Served(20, 0, 20), Served(40, 20, 20)]
    assert reads(IMPLICIT, (0, prompt("ab")), (1, prompt("abcde")))[1] == 0


def test_there_an_explicit_marker_is_read_only_where_it_stood_before() -> None:
    first = prompt("abcd", [1])
    assert reads(IMPLICIT, (0, first), (1, prompt("abXYZW", [1])))[1] == 10
    assert reads(IMPLICIT, (0, first), (1, prompt("abXYZW", [2])))[1] == 0


RULES: tuple[CacheRule, ...] = (LongestPrefix(step=4), TokenBlocks(size=4), Units(), MANUAL, IMPLICIT)


@pytest.mark.parametrize("rule", RULES)
@given(words=st.lists(st.text("ab", max_size=9), max_size=8), marked=st.booleans())
def test_no_more_is_read_than_was_ever_sent_before(rule: CacheRule, words: list[str], marked: bool) -> None:
    requests = [prompt(word, [len(word)] if marked and word else ()) for word in words]
    for number, served in enumerate(play(rule, *((float(n), one) for n, one in enumerate(requests)))):
        known = [common(requests[number].chain, earlier.chain) - 1 for earlier in requests[:number]]
        assert 0 <= served.read <= 10 * max(known, default=0)
        assert served.read + served.written <= served.total


@pytest.mark.parametrize("rule", RULES)
def test_trying_a_request_leaves_the_cache_as_it_was(rule: CacheRule) -> None:
    _, cache = serve(rule, (), prompt("ab", [2]), 0.0)
    before = cache
    assert serve(rule, cache, prompt("abc", [3]), 1.0) == serve(rule, cache, prompt("abc", [3]), 1.0)
    assert cache == before

"""What becomes of a list of tools."""

import msgspec
import pytest

from policies.core.profile import Prices
from policies.tools import SESSIONS, Change, Growth, Tools, change_of


def test_lists_are_append_only_unless_a_policy_says_otherwise() -> None:
    assert Tools() == Tools(append_only=True, catalogue=False)
    with pytest.raises(msgspec.ValidationError, match="append"):
        msgspec.convert({"append": True}, Tools)


def test_tools_stay_are_withdrawn_or_come_in() -> None:
    before, after = [("a", 1), ("b", 2), ("c", 3)], [("d", 4), ("c", 3), ("a", 9)]
    assert change_of(before, after) == Change(stay=("a", "c"), withdrawn=("b",), added=("d",))
    assert change_of(before, before) == Change(("a", "b", "c"), (), ())


def test_a_name_that_stands_twice_says_nothing() -> None:
    assert change_of([("a", 1), ("a", 2)], []) is None
    assert change_of([], [("a", 1), ("a", 2)]) is None


def test_definitions_are_listed_from_the_start_where_that_costs_less_than_what_sessions_lose() -> None:
    prices, growth = Prices(input=10, read=1, output=50), Growth().begun().begun().grown(20_000)
    # half of the sessions lose 20,000 tokens: 10,000 at 9 USD a million, against 10 USD once and 1 USD ten times
    assert growth.outweighs(4_499, prices, 10) and not growth.outweighs(4_500, prices, 10)
    assert not Growth().outweighs(0, prices, 10)


def test_what_an_agent_does_now_counts_more_than_what_it_did_once() -> None:
    growth = Growth(SESSIONS - 1, 1_000).begun()
    assert growth == Growth(SESSIONS, 1_000)
    assert growth.begun() == Growth(SESSIONS // 2 + 1, 500)

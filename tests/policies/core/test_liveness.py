"""Which observations are still in use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.conversation import Act, Kind, Message, Role
from policies.core.index import Force, Index
from policies.core.liveness import MOST, TOOLS, Lives, asked_again, counted_again, lives, patience
from tests.policies.building import block, called, message, observed


def known(*messages: Message) -> Lives:
    return lives(Index().extended(messages))


def shown(name: str, *values: int) -> Message:
    return observed(name, values=frozenset(values))


def said(*values: int) -> Message:
    return message(Role.ASSISTANT, block(Kind.TEXT, f"says {values}", values=frozenset(values)))


def test_what_nobody_takes_from_is_as_idle_as_it_is_old() -> None:
    found = known(shown("a", 1), said(9), shown("b"), shown("c"))
    assert [found.age(place) for place in range(3)] == [found.idle(place) for place in range(3)] == [2, 1, 0]
    assert not found.used


def test_what_is_taken_from_is_in_use_again() -> None:
    found = known(shown("a", 1), shown("b", 2), said(1), shown("c"), said(1), shown("d"), shown("e"))
    assert (found.age(0), found.idle(0), found.used) == (4, 2, {0: 3})
    assert (found.age(1), found.idle(1)) == (3, 3)


def test_what_an_answer_takes_from_at_once_is_not_older_than_itself() -> None:
    found = known(shown("a", 1), said(1))
    assert (found.age(0), found.idle(0)) == (0, 0)


def test_what_is_superseded_is_known_as_such() -> None:
    act = Act(b"same")
    again = [part for name in "ab" for part in (called(name, act=act), observed(name))]
    assert known(*again).stale == frozenset({0})


def test_observations_are_counted_from_a_message_on() -> None:
    found = known(shown("a"), said(), shown("b"), shown("c"))
    assert [found.since(message) for message in range(5)] == [3, 2, 2, 1, 0]


@given(st.lists(st.frozensets(st.integers(0, 5), max_size=3), max_size=12))
def test_nothing_is_idle_for_longer_than_it_is_old(values: list[frozenset[int]]) -> None:
    steps = [shown(f"o{n}", *each) if n % 2 else said(*each) for n, each in enumerate(values)]
    found = known(*steps)
    assert all(0 <= found.idle(place) <= found.age(place) for place in range(len(found.observations)))


READ, OTHER = Act(b"read", ("f",), whole=True), Act(b"other", ("f",), whole=True)
MASKED = Force(blocks=frozenset({(1, 0)}))


def twice(again: Act, said: bytes) -> Index:
    first = called("a", act=READ, tool="t"), observed("a", said=b"text")
    return Index().extended([*first, called("b", act=again, tool="t"), observed("b", said=said), observed("c")])


@pytest.mark.parametrize("again", [READ, OTHER])
def test_what_was_masked_and_is_shown_again_as_it_was_was_masked_too_early(again: Act) -> None:
    assert asked_again(twice(again, b"text"), MASKED, 2) == ("t",)
    assert asked_again(twice(again, b"new text"), MASKED, 2) == ()
    assert asked_again(twice(again, b"text"), Force(), 2) == ()
    assert asked_again(twice(again, b"text"), MASKED, 4) == ()


def test_readings_are_counted_by_tool_and_lengthen_its_stay_up_to_a_bound() -> None:
    counts = counted_again(counted_again((), ("a", "b")), ("a",))
    assert counts == (("a", 2), ("b", 1))
    assert [patience(counts, tool) for tool in "abc"] == [3, 2, 1]
    assert patience((("a", 99),), "a") == 1 + MOST
    assert len(counted_again((), map(str, range(99)))) == TOOLS

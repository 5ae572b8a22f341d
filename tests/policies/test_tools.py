"""What becomes of a list of tools."""

import msgspec
import pytest

from policies.tools import Change, Tools, change_of


def test_lists_are_append_only_unless_a_policy_says_otherwise() -> None:
    assert Tools() == Tools(append_only=True)
    with pytest.raises(msgspec.ValidationError, match="append"):
        msgspec.convert({"append": True}, Tools)


def test_tools_stay_are_withdrawn_or_come_in() -> None:
    before, after = [("a", 1), ("b", 2), ("c", 3)], [("d", 4), ("c", 3), ("a", 9)]
    assert change_of(before, after) == Change(stay=("a", "c"), withdrawn=("b",), added=("d",))
    assert change_of(before, before) == Change(("a", "b", "c"), (), ())


def test_a_name_that_stands_twice_says_nothing() -> None:
    assert change_of([("a", 1), ("a", 2)], []) is None
    assert change_of([], [("a", 1), ("a", 2)]) is None

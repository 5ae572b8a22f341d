"""Values are picked out of any JSON without raising."""

import pytest

from proxy.dialects.values import integer, pick


@pytest.mark.parametrize("value", [True, -1, 1.5, "1", None])
def test_an_integer_is_nothing_else(value: object) -> None:
    assert integer(value) is None


def test_a_whole_number_is_one() -> None:
    assert (integer(0), integer(7)) == (0, 7)


def test_a_dotted_name_leads_into_objects_only() -> None:
    assert pick({"a": {"b": 1}}, "a.b") == 1
    assert pick({"a": [1]}, "a.b") is None
    assert pick(None, "a") is None

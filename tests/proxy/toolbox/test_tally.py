"""What definitions take, how often they are called, and what they cost."""

import pytest
from msgspec.structs import replace

from policies.core.usage import Usage
from proxy.toolbox.tally import Toolset, Used, head_price, toolsets

from .building import DEAR, request, session, tool

READ, WRITE = tool("read"), tool("write", 30)


def only(*sessions: object) -> Toolset:
    (found,) = toolsets(sessions)  # type: ignore[arg-type]  # sessions, as `building` makes them
    return found


def used(found: Toolset, name: str) -> Used:
    return next(one for one in found.tools if one.definition.name == name)


@pytest.mark.parametrize(
    ("usage", "first", "cents"),
    [
        (None, True, 2.0),
        (None, False, 0.1),
        (Usage(output=5), False, 0.1),
        (Usage(input=500), True, 1.0),
        (Usage(input=500, cache_read=0), False, 1.0),
        (Usage(input=500, cache_read=400), True, 0.1),
        (Usage(input=500, cache_read=50), False, 0.55),
        (Usage(input=500, cache_read=0, cache_write=400), False, 2.0),
        (Usage(input=500, cache_read=0, cache_write=400, cache_write_long=400), False, 4.0),
        (Usage(input=500, cache_read=50, cache_write=400, cache_write_long=200), False, 1.55),
    ],
)
def test_the_front_of_a_request_is_paid_as_it_was_reported(usage: Usage | None, first: bool, cents: float) -> None:
    assert head_price(DEAR, usage, 100, first=first) == pytest.approx(cents / 100)


def test_a_head_without_tokens_was_not_read() -> None:
    assert head_price(DEAR, Usage(input=500, cache_read=9), 0, first=False) == pytest.approx(0.01)


def test_without_a_fee_what_is_written_is_paid_as_input() -> None:
    free = replace(DEAR, prices=replace(DEAR.prices, write=None, write_long=None))
    assert head_price(free, None, 100, first=True) == pytest.approx(0.01)
    assert head_price(free, Usage(input=9, cache_write=9, cache_write_long=9), 100, first=True) == pytest.approx(0.01)


def test_a_tool_costs_what_its_tokens_cost_in_each_request_that_carries_it() -> None:
    found = only(session(request(READ, head=40), request(), request(READ, WRITE, head=60), calls=(("read", 3),)))
    assert (found.requests, found.head) == (2, 50)
    assert [one.definition.name for one in found.tools] == ["write", "read"]
    read, write = used(found, "read"), used(found, "write")
    assert read.cost == pytest.approx(10 * 0.02 + 10 * 0.001) and write.cost == pytest.approx(30 * 0.02)
    assert (read.requests, read.share, write.share) == (2, 20 / 100, 30 / 60)
    assert (read.calls, read.last, write.calls, write.last) == (1, ("one", 3, 3), 0, None)
    assert found.idle == (write,)


def test_the_last_use_is_of_the_last_session_that_called() -> None:
    one = session(request(READ), request(READ), calls=(("read", 1), ("read", 2)), id="one")
    two = session(request(READ), request(READ), calls=(("read", 1),), id="two")
    read = used(only(one, two, session(request(READ), id="three")), "read")
    assert (read.calls, read.last) == (3, ("two", 1, 2))


def test_a_tool_whose_calls_cannot_be_seen_is_not_called_idle() -> None:
    hidden, late = tool("search", kind="web_search", countable=False), tool("late", deferred=True)
    found = only(session(request(hidden, late)))
    assert found.idle == ()
    assert (used(found, "late").cost, used(found, "late").requests, used(found, "late").share) == (0, 0, None)


def test_where_the_provider_keeps_the_history_no_tool_is_called_idle() -> None:
    found = only(
        session(request(READ), replace(request(), whole=False), calls=(("read", 1),)), session(request(WRITE, READ))
    )
    assert (found.partial, found.idle) == (1, ())


def test_a_definition_that_changes_within_a_session_is_told_and_the_last_form_counts() -> None:
    longer = replace(READ, tokens=20)
    read = used(only(session(request(READ), request(READ), request(longer)), session(request(READ))), "read")
    assert (read.changed, used(only(session(request(READ), request(longer))), "read").definition) == (1, longer)


def test_a_call_of_what_nobody_defines_is_told() -> None:
    found = only(session(request(READ), calls=(("gone", 1), ("read", 1), ("gone", 1))))
    assert found.undefined == (("gone", 2),)


def test_sessions_whose_tools_are_mostly_the_same_are_one_toolset() -> None:
    one, two = session(request(READ, WRITE)), session(request(READ, WRITE, tool("more")))
    other, elsewhere = session(request(tool("book"), READ)), session(request(READ, WRITE), model="cheap")
    assert [found.sessions for found in toolsets([one, two, other, elsewhere, session(request())])] == [2, 1, 1]
    assert toolsets([]) == toolsets([session()]) == ()

"""What each side is told of an end."""

import pytest

from proxy.websocket.ends import Cause, Close, End, for_agent, for_upstream, received


@pytest.mark.parametrize("cause", Cause)
def test_whatever_happens_both_sides_get_a_code_that_may_be_sent(cause: Cause) -> None:
    for close in (for_agent(End(cause)), for_upstream(End(cause))):
        assert close.code in (1001, 1011, 1012)


def test_a_close_of_one_side_is_the_others_as_it_was() -> None:
    close = Close(4000, "why")
    assert for_agent(End(Cause.UPSTREAM, close)) == close
    assert for_upstream(End(Cause.AGENT, close)) == close
    assert for_upstream(End(Cause.UPSTREAM, close)) != close


def test_a_broken_connection_is_no_close_and_a_close_without_a_code_is_one() -> None:
    assert received(1006, "") is None
    assert received(1005, "") == Close(None)
    assert received(1000, "done") == Close(1000, "done")

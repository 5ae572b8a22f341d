"""Each exchange is counted once, under labels that no header chose."""

from metrics.events import Begun, Ended, Event, Relayed, Spent
from metrics.labels import Traffic
from proxy.counting import Counting
from proxy.exchange import Prepared, Request
from proxy.observer import Answered
from tests.proxy.running import dialects

TRAFFIC = Traffic(upstream="up", dialect="anthropic_messages", agent="codex")


def answered(prepared: Prepared | None, status: int = 200) -> Answered:
    return Answered(
        upstream="up",
        dialect="anthropic_messages",
        agent="codex",
        method="POST",
        status=status,
        streamed=True,
        failure="",
        prepared=prepared,
        prepare_seconds=0.25,
        upstream_seconds=2.0,
        first_byte_seconds=1.0,
        relay_seconds=0.5,
    )


def prepared() -> Prepared:
    request = Request("up", dialects()[0], "/v1/messages", b"{}", b"secret", agent="codex")
    return Prepared(request, request.body, ())


def test_a_planned_exchange_moves_its_own_and_holdfasts_times() -> None:
    seen: list[Event] = []
    counting = Counting(seen.append)
    counting.began("up")
    counting.answered(answered(prepared()))
    counting.settled(prepared(), 0.125)
    assert seen == [
        Begun("up"),
        Ended("up"),
        Relayed(TRAFFIC, 200, True, 2.0, 1.0),
        Spent(TRAFFIC, "prepare", 0.25),
        Spent(TRAFFIC, "first_byte", 0.75),
        Spent(TRAFFIC, "settle", 0.125),
    ]


def test_other_requests_are_counted_without_a_plan() -> None:
    seen: list[Event] = []
    Counting(seen.append).answered(answered(None, 499))
    assert seen == [Ended("up"), Relayed(TRAFFIC, 499, True, 2.0, 1.0)]


def test_a_refusal_is_a_request_without_an_upstream() -> None:
    seen: list[Event] = []
    Counting(seen.append).refused(431)
    assert seen == [Relayed(Traffic(), 431, False)]


def test_what_may_hold_a_credential_is_never_shown() -> None:
    assert "secret" not in repr(answered(prepared()))

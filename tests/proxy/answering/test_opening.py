"""Which answers are looked into for calls."""

from collections.abc import Sequence

import httpx
import pytest

from proxy.answering.opening import Kind, Opening, kind_of
from proxy.answering.rounds import Rounds
from proxy.archive.memory import MemoryArchive
from proxy.dialects import Dialect
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.dialects.gemini import GEMINI
from proxy.headers import Pair
from proxy.recall.library import Library
from proxy.tap import Silent

EVENTS = (b"Content-Type", b"text/event-stream; charset=utf-8")
OBJECT = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (200, [EVENTS], "stream"),
        (200, [OBJECT], "whole"),
        (201, [OBJECT, (b"content-encoding", b"identity")], "whole"),
        (200, [EVENTS, (b"content-encoding", b"gzip")], None),
        (200, [(b"content-type", b"application/vnd.amazon.eventstream")], None),
        (200, [], None),
        (429, [OBJECT], None),
        (301, [OBJECT], None),
    ],
)
def test_an_answer_that_succeeded_in_a_form_that_is_known(status: int, headers: list[Pair], kind: Kind | None) -> None:
    assert kind_of(status, headers) == kind


def opened(
    status: int, headers: Sequence[Pair], dialect: Dialect = ANTHROPIC_MESSAGES
) -> tuple[Rounds | None, list[str]]:
    told: list[str] = []

    async def ask(body: bytes) -> httpx.Response:
        raise AssertionError("nothing is asked")

    opening = Opening(
        names=frozenset({"recall"}),
        dialect=dialect,
        body=b"{}",
        tenant=b"tenant",
        library=Library(MemoryArchive(), lambda: 0.0, lambda: None),
        ask=ask,
        tap=lambda status, headers: Silent(),
        owe=lambda text: None,
        told=told.append,
    )
    assert opening(status, headers) is opening.rounds
    return opening.rounds, told


def test_one_that_cannot_be_read_although_it_succeeded_is_counted() -> None:
    assert opened(200, [EVENTS, (b"content-encoding", b"br")]) == (None, ["unreadable"])
    assert opened(200, [EVENTS], GEMINI) == (None, ["unreadable"])
    assert opened(503, [OBJECT]) == (None, [])


@pytest.mark.parametrize("first", [EVENTS, OBJECT])
def test_a_further_answer_has_to_come_in_the_form_of_the_first(first: Pair) -> None:
    rounds, told = opened(200, [first])
    assert rounds and told == []
    forms = [rounds.alike(httpx.Response(200, headers=[header])) for header in (EVENTS, OBJECT)]
    assert forms == [first is EVENTS, first is OBJECT]

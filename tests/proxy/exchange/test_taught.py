"""A new session of an agent begins with the head that the one before was sent, where only a date is another."""

import json

import pytest
from msgspec.structs import replace

from policies.core.profile import Breakpoints, Units
from policies.stabilize import Stabilize
from proxy.errors import StoreError
from proxy.exchange import Prepared
from tests.proxy.driving import ANTHROPIC, CHAT, PROFILES, RESPONSES, WIRES, Replica, Step, Wire, run, turns_of, work
from tests.proxy.exchange.faults import FaultyStore
from tests.proxy.exchange.test_pinned import PINNING, Head, _bare, _head, _notes, _reasons

FIRST, SECOND = turns_of(work(3, name="one")), turns_of(work(3, name="two"))


def _session(replica: Replica, wire: Wire, head: Head, turns: list[list[Step]], key: bytes = b"key") -> list[Prepared]:
    return [run(replica.send(wire, head.body(wire, turn), key=key)) for turn in turns]


def _two(wire: Wire, second: Head, *, wait: float = 0.0, key: bytes = b"key") -> tuple[list[Prepared], list[Prepared]]:
    replica = Replica(PINNING)
    first = _session(replica, wire, Head(), FIRST)
    replica.now += wait
    return first, _session(replica.beside(), wire, second, SECOND, key)


shared_head = pytest.mark.parametrize("wire", [each for each in WIRES if each is not RESPONSES], ids=lambda w: w.name)
"""GPT-6.1 reads only what ends at a breakpoint, and none may stand behind `instructions`."""


@shared_head
def test_another_date_is_told_in_the_first_message_and_the_head_is_shared(wire: Wire) -> None:
    first, second = _two(wire, Head(day=22))
    assert {str(_head(wire, each.body)) for each in second} == {str(_head(wire, first[0].body))}
    assert [len(_notes(each)) for each in second] == [1, 0, 0, 0]
    assert "2026-11-22" in _notes(second[0])[0] and _reasons(second[0]) == {"system": "session"}
    assert all(each.plan and each.plan.prefix in ("first", "kept") for each in second)


@shared_head
def test_a_session_that_began_so_goes_on_so_after_a_restart_and_when_tried_again(wire: Wire) -> None:
    replica, body = Replica(PINNING), Head(day=22).body(wire, SECOND[0])
    _session(replica, wire, Head(), FIRST)
    first = run(replica.send(wire, body))
    assert _bare(run(replica.send(wire, body)).body) == _bare(first.body)
    other = replica.beside()
    assert _bare(run(other.send(wire, body)).body) == _bare(first.body)
    after = run(other.beside().send(wire, Head(day=22).body(wire, SECOND[1])))
    assert _head(wire, after.body) == _head(wire, first.body) and not _notes(after)


@pytest.mark.parametrize(
    ("head", "wait", "key"),
    [
        (Head(folder="/b"), 0.0, b"key"),
        (Head(day=22, end="\nAnother paragraph. " * 40), 0.0, b"key"),
        (Head(day=22, names="abc"), 0.0, b"key"),
        (Head(day=22), 100_000.0, b"key"),
        (Head(day=22), 0.0, b"another tenant"),
        (Head(), 0.0, b"key"),
    ],
    ids=["folder", "paragraph", "tools", "cold", "tenant", "same"],
)
def test_anything_else_begins_with_the_head_of_its_own(head: Head, wait: float, key: bytes) -> None:
    _, second = _two(CHAT, head, wait=wait, key=key)
    assert second[0].body == head.body(CHAT, SECOND[0]) and second[0].plan and not second[0].plan.heads


def test_what_is_no_beginning_learns_nothing() -> None:
    replica = Replica(PINNING)
    _session(replica, CHAT, Head(), FIRST)
    resumed = Head(day=22).body(CHAT, SECOND[2])
    title = Head(day=22, names="").body(CHAT, SECOND[0])
    assert [run(replica.beside().send(CHAT, body)).body for body in (resumed, title)] == [resumed, title]


def test_turned_off_nothing_is_shared() -> None:
    for policy in (replace(PINNING, stabilize=Stabilize(pin_tools=False)), replace(PINNING, mode="shadow")):
        replica = Replica(PINNING)
        _session(replica, CHAT, Head(), FIRST)
        body = Head(day=22).body(CHAT, SECOND[0])
        assert run(replica.beside(policy).send(CHAT, body)).body == body


@pytest.mark.parametrize("rule", [Units(), Breakpoints(minimum=10, automatic=True)], ids=["units", "breakpoints"])
def test_a_cache_that_cannot_be_read_behind_the_head_teaches_nothing(rule: Units | Breakpoints) -> None:
    replica = Replica(replace(PINNING, breakpoints=replace(PINNING.breakpoints, auto=False)))
    profile = replace(next(one for one in PROFILES if one.name == "gpt-4.1"), cache=rule)
    replica.context.profile = lambda model, upstream: profile
    _session(replica, CHAT, Head(), FIRST)
    body = Head(day=22).body(CHAT, SECOND[0])
    assert run(replica.send(CHAT, body)).body == body


def test_a_short_head_is_not_worth_its_note() -> None:
    replica = Replica(PINNING)
    bodies = [ANTHROPIC.body(turns[0], system=f"It is 2026-11-{day}.") for day, turns in ((21, FIRST), (22, SECOND))]
    assert [b"context note" in run(replica.send(ANTHROPIC, body)).body for body in bodies] == [False, False]


@pytest.mark.parametrize("damaged", [False, True], ids=["failing", "damaged"])
def test_a_store_that_teaches_nothing_leaves_the_request_alone(damaged: bool) -> None:
    class Forgetful(FaultyStore):
        async def lesson(self, tenant: bytes, name: str) -> bytes | None:
            if damaged:
                return b"no lesson"
            raise StoreError("as told")

    replica = Replica(PINNING, store=Forgetful())
    _session(replica, CHAT, Head(), FIRST)
    body = Head(day=22).body(CHAT, SECOND[0])
    assert run(replica.send(CHAT, body)).body == body
    assert ("store", "lesson") in replica.witness.degradations
    assert json.loads(body)

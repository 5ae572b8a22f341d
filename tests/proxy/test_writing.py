"""From a plan to bytes: only what the plan names changes, and what was made once is made once."""

import pytest

from policies.core.plan import Marker, Plan
from proxy.writing import Illegal, original, replays, write
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    IDLE,
    RESPONSES,
    WIRES,
    Replica,
    Wire,
    elements,
    large,
    masked,
    texts,
    turns_of,
    work,
)

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@every_wire
def test_an_empty_plan_gives_the_very_same_object(wire: Wire) -> None:
    prepared = Replica(IDLE).turn(wire, work(2))
    assert prepared.planned is not None
    assert write(prepared.planned.seen, prepared.request.body, Plan(), {}) is prepared.request.body
    assert replays(prepared.planned.seen) == ()


@every_wire
def test_the_original_is_what_the_model_would_have_read(wire: Wire) -> None:
    prepared = Replica().turn(wire, work(3))
    assert prepared.planned is not None and prepared.plan is not None
    found = [original(prepared.planned.seen, placed) for placed in prepared.plan.in_force]
    assert found == [large("c0").encode(), large("c1").encode()]


def test_a_message_is_edited_once_and_handed_on() -> None:
    replica = Replica()
    known: dict[int, bytes] = {}
    for turn in turns_of(work(6)):
        prepared = replica.turn(CHAT, turn)
        assert prepared.planned is not None
        edited = dict(prepared.planned.turn.rewritten)
        assert all(edited[index] is raw for index, raw in known.items())
        known = edited
    assert masked(CHAT, prepared.body) == len(known) == 5


@every_wire
def test_only_the_edited_messages_differ(wire: Wire) -> None:
    prepared = Replica().turn(wire, work(3))
    came, went = elements(wire, prepared.request.body), elements(wire, prepared.body)
    assert prepared.plan is not None
    changed = [place for place, (a, b) in enumerate(zip(came, went, strict=True)) if a != b]
    lead = len(wire.lead("x"))
    touched = {placed.message for placed in prepared.plan.in_force} | {m.message for m in prepared.plan.markers}
    assert changed == [lead + message for message in sorted(touched)]


def test_markers_are_refused_where_the_model_takes_none() -> None:
    prepared = Replica(IDLE).turn(CHAT, work(2))
    assert prepared.planned is not None
    with pytest.raises(Illegal) as illegal:
        write(prepared.planned.seen, prepared.request.body, Plan(markers=(Marker(0, 0),)), {})
    assert illegal.value.rule == str(illegal.value) == "marker_not_allowed"


@pytest.mark.parametrize("wire", [ANTHROPIC, RESPONSES], ids=lambda wire: wire.name)
def test_too_many_markers_are_refused(wire: Wire) -> None:
    prepared = Replica(IDLE).turn(wire, work(4))
    assert prepared.planned is not None
    markers = tuple(Marker(0, 0) for _ in range(5))
    with pytest.raises(Illegal, match="too_many_markers"):
        write(prepared.planned.seen, prepared.request.body, Plan(markers=markers), {})


def test_a_marker_where_none_may_stand_is_refused() -> None:
    steps = work(2, thinking=True)
    prepared = Replica(IDLE).turn(ANTHROPIC, steps)
    assert prepared.planned is not None
    with pytest.raises(Illegal, match="not_markable"):
        write(prepared.planned.seen, prepared.request.body, Plan(markers=(Marker(1, 0),)), {})


def test_a_marker_on_a_masked_message_keeps_the_mask() -> None:
    prepared = Replica().turn(ANTHROPIC, work(3))
    assert prepared.planned is not None and prepared.plan is not None
    plan = Plan(in_force=prepared.plan.in_force, markers=(Marker(2, 0, long=True),))
    body = write(prepared.planned.seen, prepared.request.body, plan, {})
    assert b'"ttl":"1h"' in elements(ANTHROPIC, body)[2]
    assert "elided" in texts(ANTHROPIC, body)[0]

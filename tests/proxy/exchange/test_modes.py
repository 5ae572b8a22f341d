"""Shadow, holdout and off: what is planned, counted and measured while the original goes up."""

import pytest
from msgspec.structs import replace

from policies.mask import Mask, MaskForTool
from policies.policy import ForTool, Policy
from policies.routes import OFF, in_holdout
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    IDLE,
    WIRES,
    Replica,
    User,
    Wire,
    headers,
    masked,
    run,
    turns_of,
    work,
)

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
SHADOW = replace(EAGER, mode="shadow")


@every_wire
def test_shadow_sends_the_original_and_plans_as_if_it_did_not(wire: Wire) -> None:
    shadow, real = Replica(SHADOW), Replica(EAGER)
    for turn in turns_of(work(5)):
        planned, enforced = shadow.turn(wire, turn), real.turn(wire, turn)
        assert planned.body is planned.request.body
        assert planned.plan and enforced.plan
        assert planned.plan.decisions == enforced.plan.decisions
        assert planned.plan.in_force == enforced.plan.in_force
        assert headers(planned)["x-holdfast-plan"] == "mode=shadow; " + headers(enforced)["x-holdfast-plan"]
    assert planned.plan and planned.plan.in_force


@every_wire
def test_shadow_archives_nothing(wire: Wire) -> None:
    replica = Replica(SHADOW)
    replica.session(wire, work(5))
    assert run(replica.context.archive.size()) == 0


@every_wire
def test_enforcing_begins_with_what_was_really_sent(wire: Wire) -> None:
    # nothing that was only planned is in force when the policy is switched
    replica, turns = Replica(SHADOW), turns_of(work(6))
    for turn in turns[:5]:
        replica.turn(wire, turn)
    replica.policy = IDLE
    switched = replica.turn(wire, turns[5])
    assert switched.body is switched.request.body
    assert switched.plan and (switched.plan.in_force, switched.plan.ledger.rents) == ((), ())
    replica.policy = EAGER
    after = replica.turn(wire, turns[6])
    assert masked(wire, after.body) == 5
    assert headers(after)["x-holdfast-turn"] == "7"


@every_wire
def test_what_was_enforced_is_not_undone_by_looking_on_for_a_turn_and_back(wire: Wire) -> None:
    replica, turns = Replica(EAGER), turns_of(work(6))
    for turn in turns[:4]:
        replica.turn(wire, turn)
    replica.policy = OFF
    assert replica.turn(wire, turns[4]).body == wire.body(turns[4])
    replica.policy = EAGER
    assert masked(wire, replica.turn(wire, turns[5]).body) == 4


@every_wire
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_holdout_session_runs_in_shadow_from_its_first_turn_to_its_last(wire: Wire, share: float) -> None:
    replica = Replica(replace(EAGER, holdout=share))
    modes = {prepared.planned.mode for prepared in replica.session(wire, work(4)) if prepared.planned}
    assert modes == {"shadow" if share else "enforce"}


@every_wire
def test_a_session_is_held_out_by_its_own_name_on_every_replica(wire: Wire) -> None:
    policy, found = replace(EAGER, holdout=0.5), set()
    for number in range(12):
        steps = [User(f"Task {number}."), *work(3)[1:]]
        first = Replica(policy)
        second = first.beside()
        modes = set()
        for turn_number, turn in enumerate(turns_of(steps)):
            prepared = (second if turn_number % 2 else first).turn(wire, turn)
            assert prepared.planned is not None
            modes.add(prepared.planned.mode)
            root = prepared.planned.turn.record.root
        assert modes == {"shadow" if in_holdout(root.hex(), 0.5) else "enforce"}
        found |= modes
    assert found == {"shadow", "enforce"}


def test_off_is_measured_with_causes() -> None:
    replica, rules = Replica(OFF), "You are careful. " * 3000
    for turn in turns_of(work(3)):
        prepared = replica.turn(ANTHROPIC, turn, system=rules, cache_control={"type": "ephemeral"})
    assert prepared.plan and prepared.plan.prefix == "kept" and prepared.plan.achievable_tokens > 10_000
    prepared = replica.turn(ANTHROPIC, work(4), system=rules + "!", cache_control={"type": "ephemeral"})
    assert prepared.plan and prepared.plan.prefix == "broken:system_changed"
    assert [loss.cause for loss in prepared.plan.losses] == ["system_changed"]
    replica.now += 4000
    prepared = replica.turn(ANTHROPIC, work(5), system=rules + "!", cache_control={"type": "ephemeral"})
    assert prepared.plan and prepared.plan.prefix == "broken:ttl_expired"


def test_settings_of_one_tool_count_for_that_tool() -> None:
    own = replace(EAGER, per_tool={"read_*": ForTool(mask=MaskForTool(when="never"))})
    assert masked(CHAT, Replica(own).session(CHAT, work(3))[-1].body) == 0
    other = replace(EAGER, per_tool={"bash": ForTool(mask=MaskForTool(when="never"))})
    assert masked(CHAT, Replica(other).session(CHAT, work(3))[-1].body) == 2


def test_a_limit_of_the_policy_counts_as_pressure() -> None:
    tight = Policy(name="tight", mask=Mask(1, 61, when="on_pressure"))
    assert masked(CHAT, Replica(tight).session(CHAT, work(4))[-1].body) == 0
    tight = replace(tight, limits=replace(tight.limits, effective=1000))
    assert masked(CHAT, Replica(tight).session(CHAT, work(4))[-1].body) > 0

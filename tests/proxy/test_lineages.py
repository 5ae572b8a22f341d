"""Which conversation a request continues, told by its content alone."""

import pytest

from policies.core.lineage import Record
from policies.mask import Mask
from policies.policy import Policy
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    GEMINI,
    IDLE,
    RESPONSES,
    WIRES,
    Answer,
    Replica,
    Result,
    Results,
    Step,
    User,
    Wire,
    elements,
    headers,
    large,
    listed,
    masked,
    run,
    texts,
    turns_of,
    work,
)

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


def another(name: str) -> list[Step]:
    """One more call with its answer."""
    return [Answer(f"Now {name}.", (name,)), Results((Result(name, large(name)),))]


def record_of(replica: Replica, wire: Wire, steps: list[Step]) -> Record:
    planned = replica.turn(wire, steps).planned
    assert planned is not None
    return planned.turn.record


@every_wire
def test_a_side_call_with_another_head_leaves_the_main_lineage_alone(wire: Wire) -> None:
    # C7: a title is asked for with another system prompt and no tools
    undisturbed, replica, turns = Replica(), Replica(), turns_of(work(4))
    for turn in turns[:4]:
        undisturbed.turn(wire, turn)
        replica.turn(wire, turn)
        replica.turn(wire, work(0), system="Write a title.", tool="")
    expected, found = undisturbed.turn(wire, turns[4]), replica.turn(wire, turns[4])
    assert found.body == expected.body
    assert found.plan and found.plan.prefix == "kept"
    assert headers(found)["x-holdfast-turn"] == "5"


@every_wire
def test_a_side_call_is_not_taken_for_the_newest_turn_after_a_restart(wire: Wire) -> None:
    # C7; its record is the newest of the lineage and shares only the first message
    replica, turns = Replica(), turns_of(work(4))
    for turn in turns[:4]:
        replica.turn(wire, turn)
    replica.turn(wire, work(0), system="Write a title.", tool="")
    found = replica.beside().turn(wire, turns[4])
    assert found.plan and found.plan.prefix == "kept"
    assert found.body == replica.turn(wire, turns[4]).body


@every_wire
def test_sharing_a_first_message_is_not_being_the_same_session(wire: Wire) -> None:
    replica = Replica()
    first = record_of(replica, wire, [User("Here are the rules of this repository."), User("Fix a.py.")])
    second = record_of(replica, wire, [User("Here are the rules of this repository."), User("Fix b.py.")])
    assert (first.root == second.root, first.session == second.session) == (False, False)
    assert (second.parent, second.turn, second.base) == (None, 1, 0)


@every_wire
def test_sharing_a_system_prompt_is_not_being_the_same_session(wire: Wire) -> None:
    replica = Replica()
    assert record_of(replica, wire, [User("Fix a.py.")]).root != record_of(replica, wire, [User("Fix b.py.")]).root


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"model": "claude-opus-4-5"}, "model_changed"),
        ({"tool": "write_file"}, "tools_changed"),
        ({"system": "You are quick."}, "system_changed"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "parameters_changed"),
    ],
)
def test_what_the_client_changed_in_the_head_is_named(change: dict[str, object], cause: str) -> None:
    replica, turns = Replica(IDLE), turns_of(work(6))
    for turn in turns[:6]:
        replica.turn(ANTHROPIC, turn, cache_control={"type": "ephemeral"})
    body = ANTHROPIC.body(turns[6], cache_control={"type": "ephemeral"}, **change)  # type: ignore[arg-type]
    plan = run(replica.send(ANTHROPIC, body)).plan
    assert plan and (cause in plan.prefix or [loss.cause for loss in plan.losses] in ([cause], []))
    found = replica.turn(ANTHROPIC, turns[6], cache_control={"type": "ephemeral"}, **change)
    assert found.planned and found.planned.turn.record.parent is not None


@pytest.mark.parametrize("wire", [CHAT, RESPONSES], ids=lambda wire: wire.name)
def test_a_clock_in_a_leading_system_message_keeps_the_lineage(wire: Wire) -> None:
    replica, turns = Replica(), turns_of(work(3))
    for minute, turn in enumerate(turns):
        clock = wire.say(User(f"It is 12:{minute:02}."))[0] | {"role": "developer"}
        messages = [clock, *wire.messages(turn)]
        found = run(replica.send(wire, wire.body(messages)))
    assert headers(found)["x-holdfast-turn"] == "4"
    assert found.plan and found.plan.prefix in ("broken:system_changed", "kept")
    assert masked(wire, found.body) == 2


@every_wire
def test_a_message_pruned_in_place_keeps_the_edits_before_it(wire: Wire) -> None:
    # opencode clears old tool output in place
    replica, turns = Replica(), turns_of(work(6))
    for turn in turns[:6]:
        replica.turn(wire, turn)
    replica.policy = IDLE
    pruned = list(turns[6])
    pruned[6] = Results((Result("c2", "[Old tool result content cleared]"),))
    found = replica.turn(wire, pruned)
    assert found.plan is not None and found.planned is not None
    assert found.plan.in_force and {p.message for p in found.plan.in_force} == _observations_before(wire, pruned, 6)
    assert found.planned.turn.record.parent is not None
    assert not found.planned.turn.record.edits


def _observations_before(wire: Wire, steps: list[Step], end: int) -> set[int]:
    places, at = set(), 0
    for step in steps[:end]:
        said = len(wire.say(step))
        places |= set(range(at, at + said)) if isinstance(step, Results) else set()
        at += said
    return places


@every_wire
def test_what_stands_behind_the_pruned_message_is_masked_again_in_the_same_words(wire: Wire) -> None:
    replica, turns = Replica(), turns_of(work(6))
    for turn in turns[:6]:
        before = replica.turn(wire, turn)
    pruned = list(turns[6])
    pruned[6] = Results((Result("c2", "[Old tool result content cleared]"),))
    after = replica.turn(wire, pruned)
    kept = [text for text in texts(wire, after.body) if "elided" in text]
    assert [text for text in texts(wire, before.body) if "elided" in text and "c2 " not in text] == kept[:3]


@every_wire
def test_a_pruned_message_is_found_after_a_restart_as_before(wire: Wire) -> None:
    turns = turns_of(work(6))
    pruned = list(turns[6])
    pruned[6] = Results((Result("c2", "[Old tool result content cleared]"),))
    bodies = []
    for restarted in (False, True):
        replica = Replica()
        for turn in turns[:6]:
            replica.turn(wire, turn)
        replica = replica.beside() if restarted else replica
        replica.policy = IDLE
        bodies.append(replica.turn(wire, pruned).body)
    assert bodies[0] == bodies[1]
    assert masked(wire, bodies[0]) == 2


@every_wire
def test_a_fresh_observation_equal_to_an_abandoned_one_is_read_in_full(wire: Wire) -> None:
    # the user goes back and the model reads the same file again; where calls have no ids the blocks are equal
    replica = Replica()
    for turn in turns_of(work(5)):
        replica.turn(wire, turn)
    again: list[Step] = [*work(1), Answer("Once more.", ("c1",)), Results((Result("c1", large("c1")),))]
    for fork in (replica, replica.beside()):
        assert texts(wire, fork.turn(wire, again).body)[-1] == large("c1")


@every_wire
def test_a_retry_gives_the_same_bytes_and_the_same_turn(wire: Wire) -> None:
    replica = Replica()
    first = replica.session(wire, work(5), **_marked(wire))[-1]
    again = replica.turn(wire, work(5), **_marked(wire))
    assert again.body == first.body
    assert again.body is not again.request.body
    assert headers(again)["x-holdfast-turn"] == headers(first)["x-holdfast-turn"] == "6"
    assert first.planned and again.planned and again.planned.turn is first.planned.turn


def _marked(wire: Wire) -> dict[str, object]:
    """Where the model matches by marker, the client has one at the end, so ours have something to keep."""
    return {"cache_control": {"type": "ephemeral"}} if wire is ANTHROPIC else {}


def test_a_retry_gets_the_markers_of_the_first_attempt() -> None:
    # the first attempt may have been refused before anything was cached
    replica = Replica()
    *_, first = replica.session(RESPONSES, work(8))
    again = replica.turn(RESPONSES, work(8))
    assert first.plan and again.plan and first.plan.markers
    assert again.plan.markers == first.plan.markers
    assert again.body == first.body


@every_wire
def test_a_retry_after_a_restart_is_the_same_turn(wire: Wire) -> None:
    replica = Replica()
    first = replica.session(wire, work(4))[-1]
    again = replica.beside().turn(wire, work(4))
    assert headers(again)["x-holdfast-turn"] == headers(first)["x-holdfast-turn"]
    assert texts(wire, again.body) == texts(wire, first.body)


@every_wire
def test_a_subagent_forks_and_both_go_on(wire: Wire) -> None:
    replica, main = Replica(), work(4)
    for turn in turns_of(main):
        replica.turn(wire, turn)
    inner = [*work(2), *another("sub0"), *another("sub1")]
    for turn in turns_of(inner)[3:]:
        side = replica.turn(wire, turn)
    on = replica.turn(wire, [*main, *another("next")])
    assert elements(wire, side.body)[:4] == elements(wire, on.body)[:4]
    assert headers(on)["x-holdfast-turn"] == "6"
    assert on.plan and on.plan.prefix == "kept"
    assert masked(wire, on.body) == 4


@every_wire
def test_one_branch_never_gets_the_words_of_another_after_a_restart(wire: Wire) -> None:
    # C7 opencode-acp#176: the newest record of the lineage stands on the other branch
    replica, main = Replica(), work(3)
    for turn in turns_of(main):
        replica.turn(wire, turn)
    for turn in turns_of([*work(1), *another("z1"), *another("z2")])[2:]:
        replica.turn(wire, turn)
    body = wire.body([*main, *another("n1")])
    found = run(replica.beside().send(wire, body))
    assert b"z1" not in found.body
    assert found.plan and not found.plan.replayed
    assert found.body == run(replica.send(wire, body)).body


@every_wire
def test_what_another_branch_pruned_is_not_pruned_here_after_a_restart(wire: Wire) -> None:
    # the newest turn of the lineage follows this one in the records, but shares only its first messages
    replica, main = Replica(IDLE), work(3)
    for turn in turns_of(main):
        replica.turn(wire, turn)
    pruned = [*main[:2], Results((Result("c0", "[Old tool result content cleared]"),)), *main[3:], *another("z1")]
    replica.turn(wire, pruned)
    found = replica.beside().turn(wire, [*main, *another("n1")])
    assert found.body is found.request.body


@every_wire
def test_a_replica_that_missed_turns_asks_the_store(wire: Wire) -> None:
    turns = turns_of(work(8))
    late = Replica()
    busy = late.beside()
    late.turn(wire, turns[0])
    for turn in turns[1:7]:
        before = busy.turn(wire, turn)
    late.policy, late.now = IDLE, busy.now
    found = late.turn(wire, turns[7])
    assert masked(wire, found.body) == masked(wire, before.body) == 5
    assert headers(found)["x-holdfast-turn"] == "8"
    assert found.plan and found.plan.prefix == "kept"


@every_wire
def test_a_fork_that_comes_first_after_a_restart_does_not_hide_the_rest(wire: Wire) -> None:
    replica, turns = Replica(), turns_of(work(7))
    for turn in turns[:7]:
        before = replica.turn(wire, turn)
    late = replica.beside(IDLE)
    late.turn(wire, [*turns[2], *another("side")])
    found = late.turn(wire, turns[7])
    assert masked(wire, found.body) == masked(wire, before.body)


@every_wire
def test_what_was_only_planned_in_shadow_is_not_in_force_after_a_restart(wire: Wire) -> None:
    # RECOVERABLE: those originals were never archived
    replica, turns = Replica(Policy(name="watch", mode="shadow", mask=EAGER.mask)), turns_of(work(6))
    for turn in turns[:4]:
        replica.turn(wire, turn)
    replica.policy = IDLE
    replica.turn(wire, turns[4])
    found = replica.beside().turn(wire, turns[5])
    assert found.body is found.request.body


@every_wire
def test_messages_merged_otherwise_do_not_confuse_what_the_store_knows(wire: Wire) -> None:
    # the same blocks in fewer messages have the same prefix
    replica = Replica()
    replica.turn(wire, [User("one"), User("two")])
    both = listed(wire, wire.body([User("one"), User("two")]))
    key = "parts" if wire is GEMINI else "content"
    first, second = both[-2:]
    if isinstance(first[key], str):
        merged = {**first, key: [{"type": "text", "text": first[key]}, {"type": "text", "text": second[key]}]}
    else:
        merged = {**first, key: [*first[key], *second[key]]}
    found = run(replica.beside().send(wire, wire.body([merged])))
    assert found.passthrough == ""
    assert replica.witness.degradations == []


def test_a_newer_head_at_the_same_place_is_preferred_when_it_is_the_requests_own() -> None:
    replica = Replica()
    main = record_of(replica, CHAT, work(1))
    replica.turn(CHAT, work(1), tool="")
    again = replica.beside().turn(CHAT, work(1))
    assert again.planned and again.planned.turn.record.key == main.key


def test_a_session_name_is_taken_from_the_client_and_then_kept() -> None:
    replica, turns = Replica(), turns_of(work(2))
    assert headers(run(replica.send(CHAT, CHAT.body(turns[0]), session="mine")))["x-holdfast-session"] == "mine"
    assert headers(replica.turn(CHAT, turns[1]))["x-holdfast-session"] == "mine"
    assert headers(replica.beside().turn(CHAT, turns[2]))["x-holdfast-session"] == "mine"


def test_edits_that_need_no_more_room_stay_when_masking_is_switched_off() -> None:
    replica, turns = Replica(), turns_of(work(4))
    for turn in turns[:4]:
        replica.turn(CHAT, turn)
    replica.policy = Policy(name="later", mask=Mask(when="never"))
    assert masked(CHAT, replica.turn(CHAT, turns[4]).body) == 2

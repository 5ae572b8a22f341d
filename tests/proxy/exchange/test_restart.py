"""What the store knows of a conversation: after a restart, on another replica, beside another branch."""

import pytest

from policies.policy import Policy
from tests.proxy.driving import (
    CHAT,
    EAGER,
    GEMINI,
    IDLE,
    WIRES,
    Answer,
    Replica,
    Result,
    Results,
    Step,
    User,
    Wire,
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
def test_a_retry_after_a_restart_is_the_same_turn(wire: Wire) -> None:
    replica = Replica()
    first = replica.session(wire, work(4))[-1]
    again = replica.beside().turn(wire, work(4))
    assert headers(again)["x-holdfast-turn"] == headers(first)["x-holdfast-turn"]
    assert texts(wire, again.body) == texts(wire, first.body)


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
    main = replica.turn(CHAT, work(1))
    replica.turn(CHAT, work(1), tool="")
    again = replica.beside().turn(CHAT, work(1))
    assert again.planned and main.planned and again.planned.turn.record.key == main.planned.turn.record.key


@every_wire
def test_an_edit_of_what_was_pruned_away_is_not_in_force_after_a_restart(wire: Wire) -> None:
    replica, main = Replica(), work(5)
    for turn in turns_of(main):
        replica.turn(wire, turn)
    replica.policy = IDLE
    pruned = [*main[:4], Results((Result("c1", "[Old tool result content cleared]"),)), *main[5:], *another("z")]
    before = replica.turn(wire, pruned)
    assert masked(wire, before.body) == 1
    after = replica.beside().turn(wire, [*pruned, *another("y")])
    assert texts(wire, after.body)[:-1] == texts(wire, before.body)


@every_wire
def test_a_branch_that_left_earlier_says_nothing_about_this_one(wire: Wire) -> None:
    # it is the newest of the lineage, but it shares less than this request does
    replica, main, cleared = Replica(), work(6), "[Old tool result content cleared]"
    for turn in turns_of(main)[:6]:
        replica.turn(wire, turn)
    replica.policy = IDLE
    replica.turn(wire, [*main[:2], Results((Result("c0", cleared),)), *main[3:11], *another("z")])
    pruned = [*main[:8], Results((Result("c3", cleared),)), *main[9:]]
    assert masked(wire, replica.beside().turn(wire, pruned).body) == 3

"""Which conversation a request continues, told by its content alone."""

import pytest

from policies.core.lineage import Record
from policies.mask import Mask
from policies.policy import Policy
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
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


@every_wire
def test_a_title_asked_for_of_the_same_first_message_is_not_the_turn_before(wire: Wire) -> None:
    # opencode, Claude Code: under one session id, without tools; what it wrote the main loop could never read
    replica, task = Replica(IDLE), User("Please fix this. " * 2000)
    title = replica.turn(wire, [task], system="Write a title.", tool="")
    turns = [replica.turn(wire, [task, *work(turn)[1:]]) for turn in range(3)]
    again = replica.turn(wire, [task], system="Write a title.", tool="")
    assert [headers(found)["x-holdfast-turn"] for found in (title, *turns)] == ["1", "1", "2", "3"]
    assert [found.plan.prefix for found in turns if found.plan] == ["first", "kept", "kept"]
    assert headers(again)["x-holdfast-turn"] == "1"


@every_wire
def test_a_head_that_changes_right_after_the_first_request_is_named(wire: Wire) -> None:
    replica, task = Replica(IDLE), User("Please fix this. " * 2000)
    marked = {"cache_control": {"type": "ephemeral"}} if wire is ANTHROPIC else {}
    replica.turn(wire, [task], system="It is one o'clock.", **marked)
    found = replica.turn(wire, [task, *work(1)[1:]], system="It is two o'clock.", **marked)
    assert headers(found)["x-holdfast-turn"] == "2"
    assert found.plan and [each.cause for each in found.plan.breaks] == ["system_changed"]

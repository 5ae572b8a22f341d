"""Notes at the tail: they cost no cache, stay where they are, and are never put into what was sent before."""

import json

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from policies.core.edits import FIRST_SENDING, compose
from policies.core.plan import Plan
from policies.policy import Policy
from policies.recite import FAILING, RECITED, Recite
from policies.shape import Shape
from proxy.errors import StoreError
from proxy.exchange import Prepared, Settled
from proxy.storytelling import story_of
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    GEMINI,
    RESPONSES,
    UNMARKED,
    WIRES,
    Answer,
    Json,
    Replica,
    Result,
    Results,
    Step,
    User,
    Wire,
    large,
    listed,
    texts,
    turns_of,
    viewed,
    work,
)
from tests.proxy.exchange.faults import FaultyStore
from tests.proxy.exchange.test_append_only import extends, sessions, steps_of

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
OFTEN = Recite(enabled=True, at=0.0, every=800, max_tokens=120, failing_calls=True)
SHAPE = Shape(lossless=True, repeats=True, max_tokens=500)
TALKATIVE = Policy(name="talkative", mask=EAGER.mask, breakpoints=UNMARKED, recite=OFTEN, shape=SHAPE)
ONCE = replace(TALKATIVE, shape=Shape(), recite=replace(OFTEN, every=10**6), mask=replace(EAGER.mask, when="never"))


def plan_of(prepared: Prepared) -> Plan:
    assert prepared.plan is not None
    return prepared.plan


def notes(prepared: Prepared) -> list[str]:
    """The words of the notes that this turn adds."""
    return [decision.edit.text for decision in plan_of(prepared).applied if decision.edit.way == "append"]


@every_wire
@settings(max_examples=8)
@given(session=sessions)
def test_notes_masks_and_originals_compose_and_stay(wire: Wire, session: list[tuple[list[str], bool, float]]) -> None:
    replica, restarted = Replica(TALKATIVE), Replica(TALKATIVE)
    before: Prepared | None = None
    for turn in turns_of(steps_of(session)):
        after, restarted = replica.turn(wire, turn), restarted.beside()
        assert restarted.turn(wire, turn).body == after.body
        assert replica.witness.degradations == []
        _reads_what_was_composed(wire, after)
        known = len(listed(wire, before.body)) if before else 0
        lead = len(wire.lead("x"))
        new = {decision.edit for decision in plan_of(after).applied if decision.reason == FIRST_SENDING}
        assert all(placed.message + lead >= known for placed in plan_of(after).in_force if placed.edit in new)
        if before and len(new) == len(plan_of(after).applied):
            assert extends(wire, before, after)
        before = after
    assert before and any(placed.edit.way == "append" for placed in plan_of(before).in_force)


def _reads_what_was_composed(wire: Wire, prepared: Prepared) -> None:
    assert prepared.planned is not None
    in_force, lead = plan_of(prepared).in_force, prepared.planned.seen.lead
    came, went = (viewed(wire, body).messages for body in (prepared.request.body, prepared.body))
    for number, (one, other) in enumerate(zip(came, went, strict=True)):
        for block in one.blocks:
            here = [item.edit for item in in_force if (item.message + lead, item.block) == (number, block.index)]
            original, read = (wire.dialect.original(side.raw, block.index) for side in (one, other))
            assert read == compose(here).over(original)


@every_wire
def test_a_recitation_stands_behind_the_newest_answer_and_stays_in_a_fork(wire: Wire) -> None:
    replica = Replica(ONCE)
    main = work(2)
    first = replica.turn(wire, main[:3])
    (note,) = notes(first)
    assert note == f'{RECITED}the task as first stated: "Please fix the bug in c."]'
    assert texts(wire, first.body) == [f"{large('c0')}\n\n{note}"]
    second = replica.turn(wire, main)
    fork = replica.turn(wire, [*main[:3], Answer("No."), User("Why not?")])
    assert not notes(second) and not notes(fork)
    assert extends(wire, first, second) and extends(wire, first, fork)


@every_wire
def test_a_retry_brings_the_same_note_again_and_no_other(wire: Wire) -> None:
    replica = Replica(TALKATIVE)
    first = replica.turn(wire, work(1))
    again = replica.turn(wire, work(1))
    assert notes(first) and again.body == first.body


@every_wire
def test_a_call_that_fails_again_in_the_same_words_is_told_so_once(wire: Wire) -> None:
    steps: list[Step] = [User("Fix it.")]
    policy = replace(ONCE, recite=Recite(failing_calls=True))
    replica, told = Replica(policy), []
    for _ in range(4):
        steps += [Answer("Again.", ("same",)), Results((Result("same", "Error: no such file"),))]
        told.append(notes(replica.turn(wire, steps)))
    assert told == [[], [FAILING], [], []]


@every_wire
def test_nothing_is_put_before_an_answer_that_was_given_without_it(wire: Wire) -> None:
    # a client that comes back after turns elsewhere: its newest reasoning may be bound to what stands before
    failed: list[Step] = [Answer("Again.", ("same",), "hm"), Results((Result("same", "Error: no such file"),))]
    replica = Replica(replace(ONCE, recite=Recite(failing_calls=True)))
    replica.turn(wire, [User("Fix it.")])
    steps: list[Step] = [User("Fix it."), *failed, *failed, Answer("Other.", ("c0",)), *work(1)[2:]]
    back = replica.turn(wire, steps)
    assert back.plan and back.plan.prefix == "kept" and back.body == back.request.body


def test_the_evidence_of_a_failing_call_is_in_the_story_of_its_turn() -> None:
    steps: list[Step] = [User("Fix it.")]
    replica = Replica(replace(ONCE, recite=Recite(failing_calls=True)))
    for _ in range(2):
        steps += [Answer("Again.", ("same",)), Results((Result("same", "Error: no such file"),))]
        replica.turn(CHAT, steps)
    settled: Settled = replica.witness.accounts[-1]
    (signal,) = settled.health
    assert (signal.what, signal.messages) == ("same_failure", (3, 5))
    planned = settled.prepared.planned
    assert planned is not None
    (step,) = story_of(planned.plan, planned.seen, 2, None, None).steps
    assert (step.kind, step.reason, step.message, step.tool) == ("recite", FIRST_SENDING, 5, "read_file")
    assert step.removes < 0


def test_the_newest_instruction_and_the_open_items_are_restated() -> None:
    todos = [{"content": "read", "status": "completed"}, {"content": "write", "status": "pending"}]
    call = {"id": "t", "type": "function", "function": {"name": "todowrite", "arguments": json.dumps({"todos": todos})}}
    messages: list[Json] = [
        {"role": "user", "content": "<system-reminder>\nbe brief\n</system-reminder>"},
        {"role": "user", "content": "<environment_context>x</environment_context>\n\nFix the bug."},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And test it."},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t", "content": "ok"},
    ]
    (note,) = notes(Replica(ONCE).turn(CHAT, messages))
    assert note == (
        f'{RECITED}the task as first stated: "Fix the bug."; the newest instruction: "And test it."; open items: write]'
    )


def test_what_the_newest_message_says_itself_is_not_restated() -> None:
    replica = Replica(ONCE)
    assert notes(replica.turn(CHAT, work(0))) == []
    steps: list[Step] = [User("Fix the bug."), Answer("Done."), User("Thanks.")]
    assert notes(replica.turn(CHAT, steps)) == [f'{RECITED}the task as first stated: "Fix the bug."]']


def test_a_note_waits_where_there_is_no_place_for_it() -> None:
    replica = Replica(ONCE)
    begun = [*work(1), Answer("The bug is")]
    prefilled = replica.turn(ANTHROPIC, begun)
    assert prefilled.body == prefilled.request.body
    assert notes(replica.turn(ANTHROPIC, [*begun, User("Go on.")]))


def test_another_spelling_of_the_noted_message_is_the_same_prompt() -> None:
    # Claude Code's marker makes a list of one text of what is a string on the next turn
    replica = Replica(ONCE)
    marked = {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}}
    earlier = ANTHROPIC.messages([*work(1), Answer("Shall I?")])
    first = replica.turn(ANTHROPIC, [*earlier, {"role": "user", "content": [marked]}])
    later: list[Json] = [*earlier, {"role": "user", "content": "Go on."}, {"role": "assistant", "content": "Yes."}]
    second = replica.turn(ANTHROPIC, [*later, {"role": "user", "content": "Well?"}])
    (note,) = notes(first)
    assert extends(ANTHROPIC, first, second)
    assert listed(ANTHROPIC, second.body)[len(earlier)]["content"] == f"Go on.\n\n{note}"


def test_an_answer_of_several_fields_keeps_them_in_front_of_its_note() -> None:
    messages = GEMINI.messages(work(1))
    messages[-1]["parts"][0]["functionResponse"]["response"] = {"status": "ok", "lines": 3}
    prepared = Replica(ONCE).turn(GEMINI, messages)
    (note,) = notes(prepared)
    assert texts(GEMINI, prepared.body) == [f'{{"lines":3,"status":"ok"}}\n\n{note}']


def test_where_the_server_shortens_the_history_nothing_is_added() -> None:
    prepared = Replica(TALKATIVE).turn(RESPONSES, work(1), truncation="auto")
    assert prepared.body is prepared.request.body


def test_shadow_plans_a_note_and_sends_the_original() -> None:
    prepared = Replica(replace(ONCE, mode="shadow")).turn(CHAT, work(1))
    assert notes(prepared)
    assert prepared.body is prepared.request.body


def test_where_the_store_fails_no_note_is_sent() -> None:
    store = FaultyStore()
    store.faults.at["put"] = StoreError
    replica = Replica(ONCE, store=store)
    prepared = replica.turn(CHAT, work(1))
    assert prepared.body == prepared.request.body
    assert ("store", "put") in replica.witness.degradations


def test_a_note_that_would_turn_its_block_into_another_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica(ONCE)
    steps = [*work(1), Answer("And?"), User("Observation:")]
    prepared = replica.turn(CHAT, steps)
    assert prepared.body == prepared.request.body
    assert replica.witness.degradations == [("rule", "note_misplaced")]
    assert "note_misplaced" in caplog.text

"""A client that resumes a session: what it lost on the way is sent as it was first, or is named."""

import json
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from policies.policy import Policy
from policies.stabilize import Stabilize
from proxy.exchange import Prepared
from tests.proxy.driving import (
    ANTHROPIC,
    CONVERSE,
    EAGER,
    GEMINI,
    IDLE,
    WIRES,
    Answer,
    Json,
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
    turns_of,
    work,
)

TURNS = turns_of(work(4, thinking=True))
ON: list[Step] = [*TURNS[-1], Answer("Done."), User("Now the tests.")]
BEGUN = len(TURNS[-1])
"""Messages of the session that is resumed."""

WAIVER = "skip_thought_signature_validator"


def unsigned(content: Json) -> Json:
    parts = [{key: value for key, value in part.items() if key != "thoughtSignature"} for part in content["parts"]]
    return {**content, "parts": parts}


def waived(content: Json) -> Json:
    parts = [{**part, **({"thoughtSignature": WAIVER} if "functionCall" in part else {})} for part in content["parts"]]
    return unsigned(content) if content["role"] == "user" else {**unsigned(content), "parts": parts}


def doubled(content: Json) -> Json:
    again = [part for part in content["parts"] if "functionResponse" in part]
    return {**content, "parts": [*content["parts"], *again]}


def resumed(*changes: Callable[[Json], Json], steps: list[Step] = ON) -> bytes:
    """The session as Gemini CLI 0.61 sends it after `--resume`: only what is new is as it would be."""
    contents = GEMINI.messages(steps)
    for change in changes:
        contents[:BEGUN] = map(change, contents[:BEGUN])
    return GEMINI.body(contents)


def after(replica: Replica, body: bytes) -> Prepared:
    """The session, then this request."""
    for turn in TURNS:
        replica.turn(GEMINI, turn)
    return run(replica.send(GEMINI, body))


@pytest.mark.parametrize("lost", [(unsigned,), (doubled,), (unsigned, doubled), (waived, doubled)])
def test_what_a_resumed_session_lost_is_sent_as_it_was_first(lost: tuple[Callable[[Json], Json], ...]) -> None:
    body = resumed(*lost)
    found = after(Replica(IDLE), body)
    assert elements(GEMINI, found.body) == elements(GEMINI, GEMINI.body(ON)) != elements(GEMINI, body)
    assert found.plan
    assert (found.plan.prefix, found.plan.losses) == ("kept", ())
    assert len(found.plan.replayed) >= 4


def test_it_is_so_on_each_later_turn_and_after_a_restart() -> None:
    replica = Replica(IDLE)
    after(replica, resumed(unsigned, doubled))
    further: list[Step] = [*ON, Answer("I shall.", ("t",), "sure"), Results((Result("t", large("t")),))]
    body, whole = resumed(unsigned, doubled, steps=further), elements(GEMINI, GEMINI.body(further))
    assert elements(GEMINI, run(replica.send(GEMINI, body)).body) == whole
    assert elements(GEMINI, run(replica.beside().send(GEMINI, body)).body) == whole


def test_a_session_is_resumed_although_the_proxy_has_restarted_meanwhile() -> None:
    replica = Replica(IDLE)
    for turn in TURNS:
        replica.turn(GEMINI, turn)
    found = run(replica.beside().send(GEMINI, resumed(unsigned, doubled)))
    assert elements(GEMINI, found.body) == elements(GEMINI, GEMINI.body(ON))
    assert found.planned and found.planned.turn.record.turn == len(TURNS) + 1


def _with(old: str, new: str) -> Callable[[Json], Json]:
    return lambda content: dict(json.loads(json.dumps(content).replace(old, new)))


_other_signature = _with("sig-think", "sig-other")
_other_words = _with("I shall read", "I will read")


def _other_answer(content: Json) -> Json:
    return doubled(_with("quick brown", "slow brown")(content))


@pytest.mark.parametrize("change", [_other_signature, _other_words, _other_answer])
def test_what_says_something_else_goes_out_as_it_came(change: Callable[[Json], Json]) -> None:
    # another signature is another thought of the model's
    body = resumed(change)
    assert after(Replica(IDLE), body).body is body


def test_signatures_of_another_model_are_not_put_back() -> None:
    # T5: they are not valid across models
    replica, contents = Replica(IDLE), GEMINI.messages(ON)
    for turn in TURNS:
        replica.turn(GEMINI, turn)
    contents[:BEGUN] = map(unsigned, contents[:BEGUN])
    body = GEMINI.body(contents, model="gemini-3.1-pro-preview")
    assert run(replica.send(GEMINI, body)).body is body


@pytest.mark.parametrize(
    "policy",
    [
        replace(IDLE, mode="shadow"),
        replace(IDLE, mode="off"),
        replace(IDLE, stabilize=Stabilize(replay=False)),
    ],
    ids=["shadow", "off", "no replay"],
)
@pytest.mark.parametrize("earlier", [False, True], ids=["from the start", "after it was put back"])
def test_where_it_is_relayed_as_it_came_the_loss_is_named_with_its_place(policy: Policy, earlier: bool) -> None:
    replica = Replica(IDLE if earlier else policy)
    for turn in TURNS:
        replica.turn(GEMINI, turn)
    body = resumed(unsigned, doubled)
    found = run(replica.send(GEMINI, body))
    if earlier:
        replica.policy = policy
        body = resumed(unsigned, doubled, steps=[*ON, Answer("Done again."), User("And the rest.")])
        found = run(replica.send(GEMINI, body))
    assert found.body is body
    assert found.plan
    assert found.plan.prefix == "broken:history_edited"
    assert [loss.cause for loss in found.plan.losses] == ["history_edited"]
    assert found.plan.breaks[0].where.index == 1


UNMARKED = (ANTHROPIC, CONVERSE)
"""Where these requests have no marker, nothing is cached that could be lost."""
EARLIER, LATER = "Today is Saturday, November 21, 2026.", "Today is Sunday, November 22, 2026."


def dated(day: str, steps: Sequence[Step]) -> list[Step]:
    """As qwen-code begins: what it knows of the day and the folder, an answer, then the task."""
    return [User(f"This is the context. {day} You are in /work."), Answer("Got it."), *steps]


every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@every_wire
def test_a_first_message_that_tells_another_day_is_the_clients_change_and_no_other_session(wire: Wire) -> None:
    replica = Replica(IDLE)
    for turn in turns_of(dated(EARLIER, work(4))):
        before = replica.turn(wire, turn)
    found = replica.turn(wire, dated(LATER, [*work(4), Answer("Done."), User("Now the tests.")]))
    assert headers(found)["x-holdfast-session"] == headers(before)["x-holdfast-session"]
    assert int(headers(found)["x-holdfast-turn"]) == int(headers(before)["x-holdfast-turn"]) + 1
    assert found.plan
    assert found.plan.prefix == ("kept" if wire in UNMARKED else "broken:history_edited")
    ((where, party),) = [(each.where, each.party) for each in found.plan.breaks]
    assert (where.index, where.way, party) == (len(wire.lead("x")), "changed", "client")
    assert ("Saturday" in where.before, "Sunday" in where.after, where.passing) == (True, True, True)
    assert found.body is found.request.body


def test_what_was_lost_behind_a_first_message_of_another_day_is_sent_as_it_was_first() -> None:
    # Gemini CLI, resumed on the next day: its answers given twice would be refused
    replica, begun = Replica(IDLE), dated(EARLIER, work(4, thinking=True))
    for turn in turns_of(begun):
        replica.turn(GEMINI, turn)
    later = dated(LATER, [*work(4, thinking=True), Answer("Done."), User("Now the tests.")])
    contents = GEMINI.messages(later)
    contents[: len(begun)] = [doubled(waived(content)) for content in contents[: len(begun)]]
    for again in (contents, [*contents, *GEMINI.messages([Answer("Yes."), User("Go on.")])]):
        found = replica.turn(GEMINI, again)
        assert elements(GEMINI, found.body)[: len(later)] == elements(GEMINI, GEMINI.body(later))
        assert found.plan and [each.where.index for each in found.plan.breaks] == [0] * (again is contents)


@every_wire
def test_the_session_goes_on_from_there_and_masks_what_it_had_masked(wire: Wire) -> None:
    replica = Replica(EAGER)
    more: list[Step] = [Answer("Done."), User("Now the tests.")]
    for turn in turns_of(dated(EARLIER, work(4))):
        before = replica.turn(wire, turn)
    first = replica.turn(wire, dated(LATER, [*work(4), *more]))
    on = replica.turn(wire, dated(LATER, [*work(4), *more, Answer("Yes."), User("And the rest.")]))
    assert masked(wire, before.body) == masked(wire, first.body) == masked(wire, on.body) == 3
    assert on.plan and on.plan.prefix == "kept"
    assert elements(wire, on.body)[: len(elements(wire, first.body))] == elements(wire, first.body)


@every_wire
def test_a_run_that_was_alike_and_went_another_way_is_another_session(wire: Wire) -> None:
    # the same task in another folder, where calls happen to have the same ids
    replica = Replica(IDLE)
    one = [headers(replica.turn(wire, turn)) for turn in turns_of(dated(EARLIER, work(4)))]
    two = [headers(replica.turn(wire, turn)) for turn in turns_of(dated(LATER, [*work(2), *work(2, name="d")[1:]]))]
    assert {each["x-holdfast-session"] for each in one}.isdisjoint(each["x-holdfast-session"] for each in two)


@every_wire
def test_another_tenant_is_another_session(wire: Wire) -> None:
    # ISOLATED
    replica = Replica(IDLE)
    for turn in turns_of(dated(EARLIER, work(4))):
        replica.turn(wire, turn)
    body = wire.body(dated(LATER, [*work(4), Answer("Done."), User("Now the tests.")]))
    found = run(replica.send(wire, body, key=b"another"))
    assert headers(found)["x-holdfast-turn"] == "1"


def test_calls_without_ids_do_not_tell_one_run_from_another() -> None:
    def nameless(steps: Sequence[Step]) -> list[Json]:
        contents: list[Json] = json.loads(json.dumps(GEMINI.messages(steps)))
        for part in (part for content in contents for part in content["parts"]):
            part.get("functionCall", part.get("functionResponse", {})).pop("id", None)
        return contents

    replica = Replica(IDLE)
    for turn in turns_of(dated(EARLIER, work(4))):
        replica.turn(GEMINI, nameless(turn))
    found = replica.turn(GEMINI, nameless(dated(LATER, [*work(4), Answer("Done."), User("Now the tests.")])))
    assert headers(found)["x-holdfast-turn"] == "1"

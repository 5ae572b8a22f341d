"""Which requests get the tool `recall`: from the first turn of a lineage on, or never."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from metrics.events import Measured
from policies.core.usage import Usage
from policies.policy import Policy, Recall
from policies.tools import Tools
from proxy.accounting import accounted
from proxy.answering.definition import DEFINITIONS, NAME
from proxy.exchange import Prepared, Request, prepare, settle
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    GEMINI,
    IDLE,
    RESPONSES,
    STEP,
    Replica,
    Step,
    User,
    Wire,
    run,
    turns_of,
    work,
)

WIRES = (ANTHROPIC, CHAT, RESPONSES)
ASKING = replace(EAGER, recall=Recall(inject=True))

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


def turn(
    replica: Replica, wire: Wire, steps: Sequence[Step], *, answers: bool = True, path: str = "", **fields: Any
) -> Prepared:
    """As a front end sends it that can answer calls."""
    replica.now += STEP
    body = wire.body(steps, **fields)
    request = Request("api", wire.dialect, path or wire.path, body, credential=b"key", answers=answers)
    return run(prepare(request, replica.context, replica.now))


def offered(prepared: Prepared) -> bool:
    """The tool is there, and whoever sends this knows that its calls are answered."""
    tools = json.loads(prepared.body).get("tools") or [{}]
    last: str = tools[-1].get("function", tools[-1]).get("name", "")
    assert (last == NAME) == (NAME in prepared.answers)
    return last == NAME


@every_wire
def test_a_new_conversation_has_it_last_on_every_turn_and_nothing_else_changes(wire: Wire) -> None:
    replica, turns = Replica(ASKING), turns_of(work(4))
    bodies = []
    for number, steps in enumerate(turns):
        prepared = turn(replica, wire, steps)
        assert offered(prepared) and prepared.plan
        assert prepared.plan.prefix == ("kept" if number else "first") or prepared.plan.applied
        bodies.append(prepared.body)
    assert bodies[0].replace(b"," + DEFINITIONS[wire.name], b"") == wire.body(turns[0])
    assert all(DEFINITIONS[wire.name] in body for body in bodies)


@every_wire
def test_what_the_tool_costs_is_no_cost_without_holdfast(wire: Wire) -> None:
    told = []
    for policy in (IDLE, replace(IDLE, recall=Recall(inject=True))):
        replica = Replica(policy)
        for usage in (Usage(2000, 0, 0, None, 5), Usage(2100, 1900, 0, None, 5)):
            prepared = turn(replica, wire, work(0))
            run(settle(prepared, replica.context, usage, replica.now))
        told.append(replica.witness.accounts)
    for plain, with_tool in zip(*told, strict=True):
        assert plain.actual == with_tool.actual and plain.direct == plain.actual
        assert with_tool.direct is not None and plain.direct is not None
        assert 0 < plain.direct - with_tool.direct < 0.001


def test_what_further_requests_cost_is_a_cost_of_ours_alone() -> None:
    replica = Replica(replace(IDLE, recall=Recall(inject=True)))
    prepared, usage = turn(replica, ANTHROPIC, work(0)), Usage(2000, 0, 0, None, 5)
    run(settle(prepared, replica.context, usage, replica.now))
    run(settle(dataclasses.replace(prepared, further=(usage, usage)), replica.context, usage, replica.now))
    alone, thrice = replica.witness.accounts
    assert alone.actual and thrice.actual == pytest.approx(3 * alone.actual)
    assert thrice.direct == alone.direct
    spent = [event for event in accounted(thrice) if isinstance(event, Measured)]
    assert [event.input for event in spent] == [2000, 2000, 2000]


@every_wire
def test_it_stays_after_a_restart_and_whatever_the_policy_says_by_then(wire: Wire) -> None:
    replica, turns = Replica(ASKING), turns_of(work(3))
    run(replica.send(wire, wire.body(turns[0])))  # by another front end: nothing is offered
    assert not offered(turn(replica, wire, turns[1]))
    other = [User("Another task."), *work(3)[1:]]
    first = turn(replica, wire, other[:1])
    assert offered(first)
    replica.policy = EAGER
    assert offered(turn(replica, wire, other[:3]))


@every_wire
def test_another_replica_goes_on_with_it(wire: Wire) -> None:
    replica, turns = Replica(ASKING), turns_of(work(2))
    for steps in turns[:2]:
        prepared = turn(replica, wire, steps)
        run(replica.context.store.put(prepared.planned.turn.record)) if prepared.planned else None
    assert offered(turn(replica.beside(EAGER), wire, turns[2]))


@every_wire
def test_a_conversation_first_met_with_a_past_never_gets_it(wire: Wire) -> None:
    replica, turns = Replica(ASKING), turns_of(work(3))
    assert not any(offered(turn(replica, wire, steps)) for steps in turns[2:])


@every_wire
def test_a_side_call_without_tools_decides_nothing(wire: Wire) -> None:
    replica, turns = Replica(ASKING), turns_of(work(2))
    assert not offered(turn(replica, wire, turns[0], tool=""))
    assert all(offered(turn(replica, wire, steps)) for steps in turns)


@every_wire
def test_a_turn_that_cannot_have_it_takes_it_from_no_later_one(wire: Wire) -> None:
    policy = replace(ASKING, tools=Tools(append_only=False))
    replica, turns = Replica(policy), turns_of(work(3))
    assert all(offered(turn(replica, wire, steps)) for steps in turns[:2])
    assert not offered(turn(replica, wire, turns[2], tool=""))
    assert offered(turn(replica, wire, turns[3]))


@every_wire
@pytest.mark.parametrize(
    "policy",
    [EAGER, replace(ASKING, mode="shadow"), replace(ASKING, mode="off"), replace(ASKING, holdout=1.0)],
    ids=["not asked", "shadow", "off", "holdout"],
)
def test_it_is_off_unless_a_policy_that_edits_asks_for_it(wire: Wire, policy: Policy) -> None:
    prepared = turn(Replica(policy), wire, work(0))
    assert prepared.body is prepared.request.body and not prepared.answers


def test_a_front_end_that_cannot_answer_calls_offers_nothing() -> None:
    prepared = turn(Replica(ASKING), CHAT, work(0), answers=False)
    assert prepared.body is prepared.request.body and not prepared.answers


@pytest.mark.parametrize(
    ("wire", "fields"),
    [
        (ANTHROPIC, {"tool": ""}),
        (ANTHROPIC, {"tools": None, "mcp_servers": [{"name": "s", "url": "http://s"}]}),
        (ANTHROPIC, {"tool": NAME}),
        (CHAT, {"tools": "all"}),
        (CHAT, {"tool": "", "functions": [{"name": "f"}]}),
        (ANTHROPIC, {"tool_choice": {"type": "none"}}),
        (ANTHROPIC, {"tool_choice": {"type": "tool", "name": "read_file"}}),
        (ANTHROPIC, {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
        (CHAT, {"tool_choice": "none"}),
        (CHAT, {"tool_choice": "required"}),
        (CHAT, {"n": 2}),
        (CHAT, {"n": "two"}),
        (RESPONSES, {"store": True}),
        (RESPONSES, {"store": None}),
        (RESPONSES, {"background": True}),
        (RESPONSES, {"previous_response_id": "resp_1"}),
        (CHAT, {"model": "gemini-2.5-flash"}),
        (GEMINI, {}),
    ],
)
def test_it_is_not_offered_where_it_could_do_harm(wire: Wire, fields: dict[str, Any]) -> None:
    assert NAME not in turn(Replica(ASKING), wire, work(0), **fields).answers


@pytest.mark.parametrize("choice", ["auto", None])
def test_a_free_choice_does_no_harm(choice: str | None) -> None:
    assert offered(turn(Replica(ASKING), CHAT, work(0), tool_choice=choice))
    assert offered(turn(Replica(ASKING), ANTHROPIC, work(0), tool_choice={"type": "auto"}))


def test_streams_that_are_no_events_are_left_alone() -> None:
    path = "/model/anthropic.claude-sonnet-4-5-v1:0/invoke-with-response-stream"
    version = "bedrock-2023-05-31"
    assert not offered(turn(Replica(ASKING), ANTHROPIC, work(0), path=path, anthropic_version=version))


def test_calls_of_withdrawn_tools_are_answered_too() -> None:
    policy = replace(IDLE, tools=Tools(append_only=True))
    replica, turns = Replica(policy), turns_of(work(6))
    for steps in turns[:6]:
        turn(replica, CHAT, steps)
    prepared = turn(replica, CHAT, turns[6], tool="")
    assert prepared.plan and prepared.plan.withdrawn == ("read_file",)
    assert prepared.answers == {"read_file"}

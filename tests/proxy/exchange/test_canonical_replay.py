"""A client that says the same thing in other bytes: what goes up is what went up first."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from policies.stabilize import Stabilize
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    GEMINI,
    IDLE,
    RESPONSES,
    WIRES,
    Json,
    Replica,
    Wire,
    elements,
    hashes,
    headers,
    masked,
    run,
    texts,
    turns_of,
    work,
)

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


def reordered(value: Any) -> Any:
    """Every object's keys the other way round."""
    if isinstance(value, dict):
        return {key: reordered(item) for key, item in reversed(value.items())}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def respelled(wire: Wire, body: bytes, change: Callable[[Json], Json]) -> bytes:
    """The body with each message of the list changed."""
    whole = json.loads(body)
    whole[wire.dialect.list_key] = [change(message) for message in whole[wire.dialect.list_key]]
    return json.dumps(whole).encode()


@every_wire
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "after a restart"])
def test_reordered_keys_are_sent_in_their_first_order(wire: Wire, restarted: bool) -> None:
    # C2: key order ($15.80 or $1.65 a run)
    replica, turns = Replica(IDLE), turns_of(work(3))
    for turn in turns[:3]:
        before = replica.turn(wire, turn)
    replica = replica.beside() if restarted else replica
    body = respelled(wire, wire.body(turns[3]), reordered)
    found = run(replica.send(wire, body))
    known = len(elements(wire, before.body))
    assert elements(wire, body)[:known] != elements(wire, before.body)
    assert elements(wire, found.body)[:known] == elements(wire, before.body)
    assert elements(wire, found.body)[known:] == elements(wire, body)[known:]
    assert f"stabilize:{known}" in headers(found)["x-holdfast-plan"]


@every_wire
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "after a restart"])
def test_masked_messages_stay_as_they_are_when_respelled(wire: Wire, restarted: bool) -> None:
    replica, turns = Replica(), turns_of(work(4))
    for turn in turns[:4]:
        before = replica.turn(wire, turn)
    replica = replica.beside(IDLE) if restarted else replica
    replica.policy = IDLE
    body = respelled(wire, wire.body(turns[4]), reordered)
    found = run(replica.send(wire, body))
    known = len(elements(wire, before.body))
    assert masked(wire, found.body) == 2
    assert hashes(wire, found.body)[:known] == hashes(wire, before.body)
    assert texts(wire, found.body)[:3] == texts(wire, before.body)


def test_numbers_spelled_otherwise_are_sent_as_first() -> None:
    # C2 routatic/proxy PR#173: numbers that went through a float
    replica = Replica(IDLE)
    first = ANTHROPIC.body(work(1)).replace(b'"path": "src/c0.py"', b'"line": 10, "id": 1234567890123456789')
    run(replica.send(ANTHROPIC, first))
    later = first.replace(b'"line": 10,', b'"line": 1e1,')
    found = run(replica.send(ANTHROPIC, later))
    assert later != first
    assert found.body == first


def test_a_number_that_is_another_one_is_the_clients_change() -> None:
    replica = Replica(IDLE)
    first = ANTHROPIC.body(work(1)).replace(b'"path": "src/c0.py"', b'"id": 1234567890123456789')
    run(replica.send(ANTHROPIC, first))
    later = first.replace(b"1234567890123456789", b"1234567890123456800")
    assert run(replica.send(ANTHROPIC, later)).body is later


@pytest.mark.parametrize("wire", [ANTHROPIC, CHAT, RESPONSES], ids=lambda wire: wire.name)
def test_one_text_block_that_becomes_a_string_is_sent_as_first(wire: Wire) -> None:
    replica, turns = Replica(IDLE), turns_of(work(1))
    replica.turn(wire, turns[0])
    first = elements(wire, wire.body(turns[0]))[-1]
    message = json.loads(first)
    kind = "input_text" if wire is RESPONSES else "text"
    content = message["content"]
    other = [{"type": kind, "text": content}] if isinstance(content, str) else content[0]["text"]
    body = wire.body([{**message, "content": other}, *wire.messages(turns[1][1:])])
    found = run(replica.send(wire, body))
    assert first not in body
    assert first in found.body


def _moving(wire: Wire, steps: list[Json]) -> list[Json]:
    """A marker on the last message, as clients set it on every turn."""
    *before, last = steps
    parts = list(last["content"])
    return [*before, {**last, "content": [*parts[:-1], {**parts[-1], "cache_control": {"type": "ephemeral"}}]}]


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "after a restart"])
def test_markers_that_move_are_left_to_the_client(restarted: bool) -> None:
    # C10: frozen markers, moving markers
    replica, turns = Replica(IDLE), turns_of(work(4))
    for turn in turns:
        body = ANTHROPIC.body(_moving(ANTHROPIC, ANTHROPIC.messages(turn)))
        found = run(replica.send(ANTHROPIC, body))
        assert found.body is body
        assert found.plan and found.plan.prefix in ("first", "kept")
        replica = replica.beside() if restarted else replica


def test_a_message_with_a_marker_is_not_replayed() -> None:
    replica, turns = Replica(IDLE), turns_of(work(2))
    messages = ANTHROPIC.messages(turns[1])
    run(replica.send(ANTHROPIC, ANTHROPIC.body(_moving(ANTHROPIC, messages))))
    body = ANTHROPIC.body([reordered(message) for message in messages] + ANTHROPIC.messages(turns[2])[3:])
    found = run(replica.send(ANTHROPIC, body))
    assert found.plan is not None
    assert 2 not in found.plan.replayed and found.plan.replayed
    assert elements(ANTHROPIC, found.body)[2] == elements(ANTHROPIC, body)[2]


def test_a_marker_that_comes_later_is_not_taken_away() -> None:
    # litellm#40675: the client's own markers are never dropped
    replica = Replica(IDLE)
    replica.turn(ANTHROPIC, work(1))
    body = ANTHROPIC.body([*_moving(ANTHROPIC, ANTHROPIC.messages(work(1))), *ANTHROPIC.messages(work(2))[3:]])
    assert run(replica.send(ANTHROPIC, body)).body is body


@every_wire
def test_replaying_can_be_switched_off(wire: Wire) -> None:
    replica = Replica(replace(IDLE, stabilize=Stabilize(replay=False)))
    replica.turn(wire, work(1))
    body = respelled(wire, wire.body(work(2)), reordered)
    assert run(replica.send(wire, body)).body is body


def test_where_a_gemini_client_changes_its_field_names_they_are_its_own() -> None:
    # camel and snake case are two spellings of one field, but not one canonical form
    replica = Replica(IDLE)
    replica.turn(GEMINI, work(1))
    body = GEMINI.body(work(1)).replace(b"functionResponse", b"function_response")
    assert run(replica.send(GEMINI, body)).body is body


@every_wire
def test_a_fork_gets_the_first_bytes_of_what_it_shares(wire: Wire) -> None:
    replica = Replica(EAGER)
    replica.session(wire, work(3))
    body = respelled(wire, wire.body(work(2)), reordered)
    found = run(replica.send(wire, body))
    lead = len(wire.lead("x"))
    original = elements(wire, run(Replica(EAGER).send(wire, wire.body(work(2)))).body)[lead]
    assert elements(wire, found.body)[lead] == original

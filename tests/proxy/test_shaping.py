"""What is shaped before its first sending: only what was never sent, only what nobody quotes, and then for good."""

import asyncio
import json
import threading

import pytest
from msgspec.structs import replace

from policies.mask import Mask
from policies.policy import ForTool, Policy
from policies.shape import Shape, ShapeForTool, lossless
from proxy.errors import StoreError
from proxy.exchange import tenant_of
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    IDLE,
    RESPONSES,
    WIRES,
    Answer,
    Json,
    Replica,
    Result,
    Results,
    Step,
    User,
    Wire,
    hashes,
    headers,
    large,
    run,
    texts,
    turns_of,
)
from tests.proxy.exchange.faults import FaultyArchive

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)

FILES_TOO = ForTool(shape=ShapeForTool(lossless=True))
TASK = "Go. " * 4500
"""Long enough for every provider to cache what follows: nothing shorter is shaped."""
SHAPING = replace(IDLE, name="shaping", per_tool={"read_file": FILES_TOO})
"""The calls of these sessions are all of `read_file`, so they are told to be shaped."""


def coloured(id: str) -> str:
    return "\n".join(f"\x1b[32m{id}\x1b[0m line {n} of a report" for n in range(40))


def reports(*ids: str, thinking: bool = False) -> list[Step]:
    steps: list[Step] = [User(TASK)]
    for id in ids:
        steps += [Answer("Looking.", (id,), f"think {id}" if thinking else ""), Results((Result(id, coloured(id)),))]
    return steps


@every_wire
def test_what_is_new_is_sent_in_its_shape_and_stays_so_for_good(wire: Wire) -> None:
    replica = Replica(SHAPING)
    steps = reports("a", "b", "c", thinking=True)
    sent = replica.session(wire, steps)
    assert texts(wire, sent[-1].body) == [lossless(coloured(id)) for id in "abc"]
    for before, after in zip(sent, sent[1:], strict=False):
        known = hashes(wire, before.body)
        assert hashes(wire, after.body)[: len(known)] == known
        assert headers(after)["x-holdfast-plan"].endswith("prefix=kept")
    assert replica.beside().turn(wire, steps).body == sent[-1].body, "after a restart, from the store"
    assert replica.turn(wire, steps).body == sent[-1].body, "and when it is sent again"
    assert replica.witness.degradations == []
    assert sent[-1].plan and [decision.reason for decision in sent[-1].plan.applied] == ["first_sending"]


@every_wire
def test_the_text_of_a_file_is_sent_as_it_is(wire: Wire) -> None:
    for prepared in Replica(IDLE).session(wire, reports("a", "b")):
        assert prepared.body is prepared.request.body


def test_of_a_past_that_was_never_seen_only_what_is_unanswered_is_new() -> None:
    steps = reports("a", "b", "c")
    prepared = Replica(SHAPING).turn(CHAT, steps)
    assert texts(CHAT, prepared.body) == [coloured("a"), coloured("b"), lossless(coloured("c"))]


def test_of_steps_that_went_another_way_only_what_is_unanswered_is_new() -> None:
    replica = Replica(SHAPING)
    replica.turn(CHAT, reports("a"))
    prepared = replica.turn(CHAT, reports("a", "b", "c"))
    assert texts(CHAT, prepared.body) == [lossless(coloured("a")), coloured("b"), lossless(coloured("c"))]


def test_what_was_sent_unshaped_once_stays_unshaped() -> None:
    replica = Replica(IDLE)
    replica.turn(CHAT, reports("a"))
    replica.policy = SHAPING
    prepared = replica.turn(CHAT, [*reports("a"), User("Are you there?")])
    assert prepared.body is prepared.request.body
    prepared = replica.turn(CHAT, reports("a", "b"))
    assert texts(CHAT, prepared.body) == [coloured("a"), lossless(coloured("b"))]


def test_where_the_history_is_not_ours_nothing_is_shaped() -> None:
    body = RESPONSES.body(reports("a"), previous_response_id="r1")
    assert run(Replica(SHAPING).send(RESPONSES, body)).body is body


def test_in_shadow_the_original_is_sent() -> None:
    prepared = Replica(replace(SHAPING, mode="shadow")).turn(CHAT, reports("a"))
    assert prepared.body is prepared.request.body
    assert "applied=shape:1" in headers(prepared)["x-holdfast-plan"]


def repeated() -> list[Step]:
    steps: list[Step] = [User(TASK)]
    for id in "abc":
        steps += [Answer("Again.", (id,)), Results((Result(id, large("same")),))]
    return steps


@every_wire
def test_a_pointer_leaves_once_its_original_can_be_read_back(wire: Wire) -> None:
    replica = Replica(IDLE)
    first, second, third = replica.session(wire, repeated())[1:]
    whole, pointer, again = texts(wire, third.body)
    assert whole == again == large("same"), "what is asked for a third time is shown again"
    assert pointer.startswith("[same output as the tool result before this one (40 lines, ")
    identity = pointer.rpartition(" ")[2].rstrip("]")
    tenant = tenant_of(replica.context, b"key")
    assert asyncio.run(replica.context.archive.get(tenant, identity)) == large("same").encode()
    assert first.body is first.request.body and texts(wire, second.body) == [whole, pointer]


def test_where_the_archive_fails_the_original_is_sent() -> None:
    archive = FaultyArchive()
    replica = Replica(IDLE, archive=archive)
    turns = turns_of(repeated())
    replica.turn(CHAT, turns[1])
    archive.faults.at["archive"] = StoreError
    prepared = replica.turn(CHAT, turns[2])
    assert prepared.body == prepared.request.body and replica.witness.degradations


def test_what_is_masked_later_counts_from_its_shape_and_what_is_pointed_to_waits() -> None:
    policy = replace(SHAPING, mask=Mask(keep_newest=1, min_tokens=61, when="always"))
    replica = Replica(policy)
    sent = replica.session(CHAT, reports("a", "b", "c", "d", "e", "f", "g"))
    assert sent[-1].plan
    by_block: dict[tuple[int, int], list[str]] = {}
    for placed in sent[-1].plan.in_force:
        by_block.setdefault((placed.message, placed.block), []).append(placed.edit.kind)
        assert placed.edit.removes > 0
    assert ["shape", "mask"] in by_block.values() and ["shape"] in by_block.values()


def chat(command: str, output: str) -> list[Json]:
    return [
        {"role": "user", "content": TASK},
        {"role": "assistant", "content": f"Let me look.\n\n```bash\n{command}\n```\n" if command else "Hm."},
        {"role": "user", "content": f"<returncode>0</returncode>\n<output>\n{output}\n</output>"},
    ]


@pytest.mark.parametrize(
    ("command", "shaped"),
    [("pytest -q", True), ("sed -n 1,99p a.py", False), ("holdfast archive get hf-a", False), ("", False)],
)
def test_where_no_call_stands_the_fence_before_says_what_was_asked(command: str, shaped: bool) -> None:
    said = chat(command, coloured("a"))
    prepared = run(Replica(IDLE).send(CHAT, CHAT.body(said)))
    assert ("\x1b" not in json.loads(prepared.body)["messages"][-1]["content"]) is shaped
    assert (prepared.body is prepared.request.body) is not shaped


def test_the_numbers_of_a_fence_that_numbers_lines_lose_their_blanks() -> None:
    numbered = "\n".join(f"{n:6}\tx = {n}" for n in range(1, 200))
    replica = Replica(IDLE, count=lambda profile: lambda text: len(text) // 2)
    prepared = run(replica.send(CHAT, CHAT.body(chat("nl -ba a.py", numbered))))
    assert "\n7\tx = 7\n" in json.loads(prepared.body)["messages"][-1]["content"]


def test_an_answer_to_a_call_that_is_nowhere_counts_as_a_file() -> None:
    steps: list[Step] = [User("Go."), Results((Result("gone", coloured("a")),))]
    body = ANTHROPIC.body(steps)
    assert run(Replica(IDLE).send(ANTHROPIC, body)).body is body
    typed: list[Json] = [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "```bash\npytest\n```"},
        {"role": "tool", "tool_call_id": "gone", "name": "run", "content": coloured("a")},
    ]
    body = CHAT.body(typed)
    assert run(Replica(IDLE).send(CHAT, body)).body is body


def test_a_policy_without_shapes_reads_nothing() -> None:
    none = Policy("none", mask=Mask(when="never"), shape=Shape(lossless=False, numbers=False, repeats=False))
    prepared = Replica(replace(none, breakpoints=IDLE.breakpoints)).turn(CHAT, chat("pytest", coloured("a")))
    assert prepared.body is prepared.request.body


def test_a_long_log_is_shaped_in_a_thread() -> None:
    log = "\n".join(f"\x1b[2K\x1b[32mstep {n}\x1b[0m" for n in range(20_000))
    short, where = lossless(log), list[bool]()

    def count(text: str) -> int:
        if text == short:
            where.append(threading.current_thread() is threading.main_thread())
        return len(text) // 4

    steps: list[Step] = [User("Go."), Answer("Looking.", ("a",)), Results((Result("a", log),))]
    prepared = Replica(SHAPING, count=lambda profile: count).turn(CHAT, steps)
    assert texts(CHAT, prepared.body) == [short]
    assert where == [False]

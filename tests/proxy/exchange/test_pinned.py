"""A head that reads nearly the same goes out as the provider holds it, and the model is told what has changed."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.mask import Mask
from policies.policy import Policy
from policies.shape import Shape
from policies.stabilize import AGAIN, Stabilize
from policies.tools import Tools
from proxy.dialects.slices import split
from proxy.errors import StoreError
from proxy.exchange import Prepared
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    CONVERSE,
    RESPONSES,
    WIRES,
    Json,
    Replica,
    Step,
    Wire,
    dump,
    run,
    turns_of,
    work,
)
from tests.proxy.exchange.faults import FaultyStore

PINNING = Policy(name="pinning", mask=Mask(when="never"), shape=Shape(lossless=False, repeats=False))
LOOSE = replace(
    PINNING, stabilize=Stabilize(replay=False, pin_system=False, pin_tools=False), tools=Tools(append_only=False)
)
every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)

RULES = "\n".join(f"Rule {n}: read before you write, and say what you have done." for n in range(400))
TEXT = "Runs a command in a shell of its own and gives back what it printed on both of its outputs. " * 4
STEPS = work(7)


class Head:
    """What a client says in front of its messages on one turn."""

    def __init__(
        self, day: int = 21, folder: str = "/a", model: str = " (1M context)", names: str = "abcd", end: str = ""
    ) -> None:
        self.system = f"It is 2026-11-{day}.\n{RULES}\nThe working directory is {folder}.{end}"
        self.tools = [(name, f"{TEXT}You are Opus 4.8{model if name == 'b' else ''}.") for name in names]

    def body(self, wire: Wire, steps: list[Step], **fields: Any) -> bytes:
        whole = json.loads(wire.body(steps, system=self.system))
        _list(wire, whole, [_tool(wire, *tool) for tool in self.tools])
        return dump({**whole, **fields})


def _tool(wire: Wire, name: str, text: str) -> Json:
    match wire.name:
        case "anthropic_messages":
            return {"name": name, "description": text, "input_schema": {"type": "object"}}
        case "openai_chat":
            return {"type": "function", "function": {"name": name, "description": text}}
        case "openai_responses":
            return {"type": "function", "name": name, "description": text}
        case "gemini":
            return {"name": name, "description": text}
        case _:
            return {"toolSpec": {"name": name, "description": text, "inputSchema": {"json": {"type": "object"}}}}


def _list(wire: Wire, whole: Json, tools: list[Json]) -> None:
    if wire.name == "bedrock_converse":
        whole["toolConfig"] = {"tools": tools}
    else:
        whole["tools"] = [{"functionDeclarations": tools}] if wire.name == "gemini" else tools


def _play(wire: Wire, heads: list[Head], policy: Policy = PINNING, *, restarts: bool = False) -> list[Prepared]:
    replica, found = Replica(policy), []
    for head, turn in zip(heads, turns_of(STEPS), strict=False):
        replica = replica.beside() if restarts else replica
        found.append(run(replica.send(wire, head.body(wire, turn))))
    assert not replica.witness.degradations
    return found


def _bare(body: bytes) -> bytes:
    """Without the markers that Holdfast adds."""
    for marker in (b',"cache_control":{"type":"ephemeral"}', b',{"cachePoint":{"type":"default"}}'):
        body = body.replace(marker, b"")
    return body


def _head(wire: Wire, body: bytes) -> dict[str, bytes]:
    """Tools and system as sent."""
    return wire.dialect.cut_head(split(_bare(body), wire.dialect.list_key), len(wire.lead("x")))


def _notes(found: Prepared) -> list[str]:
    """Those that this turn adds."""
    assert found.plan
    return [decision.edit.text for decision in found.plan.applied if decision.edit.kind == "stabilize"]


def _reasons(found: Prepared) -> dict[str, str]:
    assert found.plan
    return {kept.part: kept.reason for kept in found.plan.heads}


@every_wire
def test_a_drift_of_tools_and_system_is_carried_by_one_note_and_the_prefix_stays(wire: Wire) -> None:
    first, second = Head(), Head(day=22, folder="/b", model="")
    found = _play(wire, [first, first, second, second, first])
    assert {str(_head(wire, each.body)) for each in found} == {str(_head(wire, found[0].body))}
    assert [len(_notes(each)) for each in found] == [0, 0, 1, 0, 1]
    (note,) = _notes(found[2])
    for words in ('tool "b"', "2026-11-21", "2026-11-22", "/a", "/b", "(1M context)"):
        assert words in note
    assert _notes(found[4]) == [AGAIN]
    for each in found[2:]:
        assert msgspec.json.encode(note)[1:-1] in each.body and each.plan and each.plan.prefix == "kept"
    assert _reasons(found[2]) == {"tools": "reworded", "system": "reworded"}
    assert found[2].plan and [broken.party for broken in found[2].plan.breaks] == ["client"]


@every_wire
def test_the_order_of_tools_needs_no_note(wire: Wire) -> None:
    found = _play(wire, [Head(), Head(), Head(names="dbca")])
    assert _head(wire, found[2].body) == _head(wire, found[1].body)
    assert _reasons(found[2]) == {"tools": "reordered"} and not _notes(found[2])


@every_wire
@pytest.mark.parametrize("more", [{"end": "\nOne more rule. " * 40}, {"names": "abx"}], ids=["paragraph", "tools"])
def test_what_the_client_really_changes_is_sent_as_it_says(wire: Wire, more: Any) -> None:
    policy = replace(PINNING, tools=Tools(append_only=False))
    changed = Head(**more)
    found = _play(wire, [Head(), Head(), changed], policy)
    assert _head(wire, found[2].body) == _head(wire, changed.body(wire, turns_of(STEPS)[2]))
    assert found[2].plan and all(kept.verdict == "rejected" for kept in found[2].plan.heads)
    assert found[2].plan.prefix.startswith("broken:")


def _rejected(found: Prepared) -> bool:
    heads = found.plan.heads if found.plan else ()
    return any(kept.verdict == "rejected" or kept.reason == "added" for kept in heads)


DRIFTS = st.fixed_dictionaries(
    {},
    optional={
        "day": st.integers(10, 30),
        "folder": st.sampled_from(["/a", "/b", "/c/d"]),
        "model": st.sampled_from(["", " (1M context)"]),
        "names": st.permutations("abcd").map("".join) | st.sampled_from(["abcde", "abc", "xbcd"]),
        "end": st.sampled_from(["", "\nAnother paragraph. " * 40]),
    },
)


@settings(max_examples=6, deadline=None)
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@given(drifts=st.lists(DRIFTS, min_size=2, max_size=5))
def test_whatever_drifts_the_head_sent_is_the_one_sent_before_or_the_plan_says_why(
    wire: Wire, drifts: list[dict[str, Any]]
) -> None:
    heads = [Head(), *(Head(**drift) for drift in drifts)]
    found = _play(wire, heads)
    sent = {each.planned.turn.record.key: each for each in found if each.planned}
    for now in found[1:]:
        assert now.plan and now.planned
        before = sent[now.planned.turn.record.parent or b""]
        if all(kept.verdict == "applied" and kept.reason != "added" for kept in now.plan.heads):
            assert _head(wire, now.body) == _head(wire, before.body)
            assert now.plan.prefix == "kept"
    # what goes on from a turn before a break is found by a process that was there alone
    upto = next((place for place, each in enumerate(found) if _rejected(each)), len(found)) + 1
    again = _play(wire, heads, restarts=True)
    assert [each.body for each in again][:upto] == [each.body for each in found][:upto]
    for each, head, turn in zip(_play(wire, heads, LOOSE), heads, turns_of(STEPS), strict=False):
        assert _head(wire, each.body) == _head(wire, head.body(wire, turn)) and not _notes(each)


@every_wire
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "after a restart"])
def test_a_retry_of_a_turn_that_was_pinned_sends_the_same_bytes(wire: Wire, restarted: bool) -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    for turn in turns[:2]:
        run(replica.send(wire, Head().body(wire, turn)))
    drifted = Head(day=22, model="").body(wire, turns[2])
    first = run(replica.send(wire, drifted))
    replica = replica.beside() if restarted else replica
    assert _bare(run(replica.send(wire, drifted)).body) == _bare(first.body) != drifted


@every_wire
def test_a_fork_is_sent_under_the_head_that_its_parent_was_sent_under(wire: Wire) -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    heads = [Head(), Head(), Head(day=22), Head(day=22)]
    main = [run(replica.send(wire, head.body(wire, turn))) for head, turn in zip(heads, turns, strict=False)]
    fork = turns_of([*STEPS[:7], *work(1, name="other")])[-1]
    found = run(replica.beside().send(wire, Head(day=22).body(wire, fork)))
    assert _head(wire, found.body) == _head(wire, main[3].body)


@every_wire
def test_once_the_cache_is_cold_the_clients_present_head_is_the_one_that_is_held(wire: Wire) -> None:
    replica, turns, drifted = Replica(PINNING), turns_of(STEPS), Head(day=22, model="")
    for turn in turns[:2]:
        run(replica.send(wire, Head().body(wire, turn)))
    run(replica.send(wire, drifted.body(wire, turns[2])))
    replica.now += 100_000
    cold, warm = (run(replica.send(wire, drifted.body(wire, turn))) for turn in turns[3:5])
    for each, turn in ((cold, turns[3]), (warm, turns[4])):
        assert _head(wire, each.body) == _head(wire, drifted.body(wire, turn)) and not _notes(each)
    assert _reasons(cold) == {"tools": "not_cached", "system": "not_cached"} and not _reasons(warm)


def test_a_first_turn_and_another_model_have_nothing_to_keep() -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    body = Head().body(ANTHROPIC, turns[0], model="claude-opus-4-1")
    assert not (run(replica.send(ANTHROPIC, body)).plan or 0).heads  # type: ignore[union-attr]
    other = run(replica.send(ANTHROPIC, Head(day=22).body(ANTHROPIC, turns[1])))
    assert other.plan and not other.plan.heads and b"2026-11-22" in other.body


def test_where_the_note_cannot_be_kept_the_clients_head_is_sent() -> None:
    store = FaultyStore()
    replica, turns = Replica(PINNING, store=store), turns_of(STEPS)
    for turn in turns[:2]:
        run(replica.send(CHAT, Head().body(CHAT, turn)))
    store.faults.at["put"] = StoreError
    drifted = Head(day=22).body(CHAT, turns[2])
    assert run(replica.send(CHAT, drifted)).body is drifted
    assert ("store", "put") in replica.witness.degradations


def test_where_nothing_at_the_tail_can_carry_a_note_the_clients_head_is_sent() -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    for turn in turns[:2]:
        run(replica.send(CHAT, Head().body(CHAT, turn)))
    whole = json.loads(Head(day=22).body(CHAT, turns[2]))
    whole["messages"].append({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]})
    found = run(replica.send(CHAT, dump(whole)))
    assert found.body == dump(whole) and _reasons(found) == {"system": "no_place"}


def test_a_head_whose_markers_would_be_too_many_now_is_not_put_back() -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)

    def marked(head: Head, turn: list[Step], messages: int) -> bytes:
        whole = json.loads(head.body(ANTHROPIC, turn))
        whole["system"].append({"type": "text", "text": "Go on."})
        for block in whole["system"] if not messages else []:
            block["cache_control"] = {"type": "ephemeral"}
        for message in whole["messages"][-messages:] if messages else []:
            message["content"][-1]["cache_control"] = {"type": "ephemeral"}
        return dump(whole)

    run(replica.send(ANTHROPIC, marked(Head(), turns[0], 0)))
    run(replica.send(ANTHROPIC, marked(Head(), turns[1], 0)))
    drifted = marked(Head(day=22), turns[2], 3)
    assert _bare(run(replica.send(ANTHROPIC, drifted)).body) == _bare(drifted)
    assert replica.witness.degradations == [("rule", "too_many_markers")]


def test_a_head_whose_markers_live_for_another_time_is_not_put_back() -> None:
    replica, bodies = Replica(PINNING), []
    for head, turn, life in zip([Head(), Head(), Head(day=22)], turns_of(STEPS), ["5m", "5m", "1h"], strict=False):
        whole = json.loads(head.body(ANTHROPIC, turn))
        whole["system"][-1]["cache_control"] = {"type": "ephemeral", "ttl": life}
        bodies.append(dump(whole))
    found = [run(replica.send(ANTHROPIC, body)) for body in bodies]
    assert _head(ANTHROPIC, found[2].body) == _head(ANTHROPIC, bodies[2])
    assert replica.witness.degradations == [("rule", "marker_order")]


def test_a_head_that_means_two_things_is_left_alone() -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    for turn in turns[:2]:
        run(replica.send(CONVERSE, Head().body(CONVERSE, turn)))
    odd = Head().body(CONVERSE, turns[2]).replace(b'"toolConfig": {', b'"toolConfig": {"tools": [], ')
    assert _bare(run(replica.send(CONVERSE, odd)).body) == _bare(odd)
    assert replica.witness.degradations == [("rule", "head_unreadable")]


def test_turning_the_setting_off_in_the_middle_is_told_as_our_own_doing() -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    for head, turn in zip([Head(), Head(), Head(day=22)], turns, strict=False):
        run(replica.send(CHAT, head.body(CHAT, turn)))
    replica.policy = LOOSE
    found = run(replica.send(CHAT, Head(day=22).body(CHAT, turns[3])))
    assert found.plan and found.plan.prefix.startswith("broken:system_changed")
    assert [broken.party for broken in found.plan.breaks] == ["stabilize"]


def test_shadow_plans_the_pin_and_sends_the_original() -> None:
    bodies = [
        head.body(CHAT, turn) for head, turn in zip([Head(), Head(), Head(day=22)], turns_of(STEPS), strict=False)
    ]
    replica = Replica(replace(PINNING, mode="shadow"))
    found = [run(replica.send(CHAT, body)) for body in bodies]
    assert [each.body for each in found] == bodies
    assert _reasons(found[2]) == {"system": "reworded"}


@pytest.mark.parametrize("wire", [CHAT, RESPONSES], ids=lambda wire: wire.name)
def test_a_request_without_tools_lists_them_all_and_may_call_none(wire: Wire) -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    for turn in turns[:3]:
        before = run(replica.send(wire, Head().body(wire, turn, parallel_tool_calls=True)))
    none = Head(names="").body(wire, turns[3], parallel_tool_calls=False)
    found = run(replica.send(wire, none))
    assert _head(wire, found.body) == _head(wire, before.body)
    sent = json.loads(found.body)
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("none", True)
    assert found.plan and found.plan.withdrawn == tuple("abcd") and found.plan.prefix == "kept"
    assert run(replica.send(wire, none)).body == found.body
    after = run(replica.send(wire, Head().body(wire, turns[4], parallel_tool_calls=True)))
    assert "tool_choice" not in json.loads(after.body) and after.plan and not after.plan.withdrawn


def test_some_tools_are_disallowed_where_the_model_takes_that_and_new_ones_stand_last() -> None:
    replica, turns = Replica(PINNING), turns_of(STEPS)
    for turn in turns[:3]:
        run(replica.send(RESPONSES, Head().body(RESPONSES, turn)))
    found = run(replica.send(RESPONSES, Head(names="ca").body(RESPONSES, turns[3], tool_choice="required")))
    sent = json.loads(found.body)
    assert [tool["name"] for tool in sent["tools"]] == list("abcd")
    assert sent["tool_choice"]["mode"] == "required"
    assert {tool["name"] for tool in sent["tool_choice"]["tools"]} == {"a", "c"}
    grown = run(replica.send(RESPONSES, Head(names="aebcd").body(RESPONSES, turns[4])))
    assert [tool["name"] for tool in json.loads(grown.body)["tools"]] == list("abcde")
    assert _reasons(grown) == {"tools": "added"}


def test_a_model_that_does_not_take_a_list_of_allowed_tools_gets_the_clients_own_list() -> None:
    found = _play(CHAT, [Head(), Head(), Head(names="ab")])
    assert _reasons(found[2]) == {"tools": "no_restriction"}
    assert [tool["function"]["name"] for tool in json.loads(found[2].body)["tools"]] == list("ab")

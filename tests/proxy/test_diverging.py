"""The explainer names the place that a client changed, in each wire format, however it changed it."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.divergence import HIDDEN, Difference
from policies.core.lineage import Lineage
from policies.core.plan import Break, Plan
from policies.policy import Policy
from proxy.diverging import KEPT, breaks, prompt_of
from proxy.exchange import Prepared
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    CONVERSE,
    EAGER,
    GEMINI,
    RESPONSES,
    WIRES,
    Json,
    Replica,
    Wire,
    dump,
    run,
    work,
)

MEASURING = Policy(name="measuring", mode="off")
STEPS = work(5)
RULES = "Be careful. " * 2000

PARAMETERS: dict[str, tuple[tuple[str, Any, Any], ...]] = {
    "anthropic_messages": (
        ("tool_choice", {"type": "auto"}, {"type": "any"}),
        ("thinking", {"type": "enabled", "budget_tokens": 2000}, {"type": "enabled", "budget_tokens": 4000}),
        ("output_config", {"effort": "low"}, {"effort": "high"}),
    ),
    "openai_chat": (
        ("parallel_tool_calls", True, False),
        ("reasoning_effort", "low", "high"),
        ("verbosity", "low", "high"),
        ("service_tier", "auto", "flex"),
        ("prompt_cache_key", "a", "b"),
    ),
    "openai_responses": (
        ("parallel_tool_calls", True, False),
        ("text", {"verbosity": "low"}, {"verbosity": "high"}),
        ("reasoning", {"effort": "low"}, {"effort": "high"}),
        ("service_tier", "auto", "flex"),
        ("prompt_cache_key", "a", "b"),
    ),
    "gemini": (
        ("toolConfig", {"functionCallingConfig": {"mode": "AUTO"}}, {"functionCallingConfig": {"mode": "ANY"}}),
        ("cachedContent", "a", "b"),
    ),
    "bedrock_converse": (
        ("additionalModelRequestFields", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
        ("performanceConfig", {"latency": "standard"}, {"latency": "optimized"}),
    ),
}
"""Per wire format: parameters that split the cache, before and after."""


@dataclass
class Edited:
    """A request, and where the first change of it stands; None: there is none to a cache."""

    body: Json
    where: tuple[str, int, str, str] | None


Edit = Callable[[Wire, Json, random.Random], Edited | None]


def _first(wire: Wire) -> Json:
    """A request with three tools, every parameter that counts, and a conversation."""
    body: Json = json.loads(wire.body(STEPS, system="You are careful."))
    _tools(wire, body).extend(_tool(wire, name) for name in ("write_file", "run"))
    for name, value, _ in PARAMETERS[wire.name]:
        body[name] = {**body.get(name, {}), **value} if isinstance(value, dict) else value
    return body


def _tool(wire: Wire, name: str) -> Json:
    made: list[Json] = _tools(wire, json.loads(wire.body(STEPS[:1], tool=name)))
    return made[0]


def _tools(wire: Wire, body: Json) -> list[Json]:
    if wire is GEMINI:
        found: list[Json] = body["tools"][0]["functionDeclarations"]
        return found
    listed: list[Json] = body["toolConfig"]["tools"] if wire is CONVERSE else body["tools"]
    return listed


def _tool_place(wire: Wire, number: int, field: str) -> tuple[int, str]:
    """Gemini declares all functions in one tool."""
    if wire is not GEMINI:
        return number, field
    inner = f"functionDeclarations[{number}]"
    return 0, f"{inner}.{field}" if field else inner


def _list(wire: Wire, body: Json) -> list[Json]:
    found: list[Json] = body[wire.dialect.list_key]
    return found


def _lead(wire: Wire) -> int:
    return len(wire.lead("x"))


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where strings stand that a client may change without making something else of the message."""
    match value:
        case dict():
            for key, item in value.items():
                if key not in ("role", "type", "id", "call_id", "tool_use_id", "toolUseId", "tool_call_id"):
                    yield from _leaves(item, (*path, key))
        case list():
            for place, item in enumerate(value):
                yield from _leaves(item, (*path, place))
        case str():
            yield path


def _field(wire: Wire, path: tuple[str | int, ...]) -> str:
    """A text is the same as one text block, where blocks stand."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    blocks = wire not in (GEMINI, CONVERSE) and path[-1] in ("content", "output")
    return f"{steps}[0].text" if blocks else steps


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _some(wire: Wire, body: Json, choose: random.Random) -> int:
    """A message between the first, without which there is nothing to go on from, and the last answer and observation,
    without which it is another conversation that begins like this one."""
    return choose.randrange(_lead(wire) + 1, len(_list(wire, body)) - 3)


def _text_changed(wire: Wire, body: Json, choose: random.Random) -> Edited | None:
    index = _some(wire, body, choose)
    message = _list(wire, body)[index]
    path = choose.choice(list(_leaves(message)))
    parent, key = _at(message, path[:-1]), path[-1]
    place = choose.randrange(len(parent[key]) + 1)
    parent[key] = f"{parent[key][:place]}~{parent[key][place:]}"
    return Edited(body, ("messages", index, _field(wire, path), "changed"))


def _parts(wire: Wire, message: Json) -> tuple[str, list[Any]] | None:
    key = "parts" if wire is GEMINI else "content"
    listed = message.get(key)
    return (key, listed) if isinstance(listed, list) else None


def _part(wire: Wire, message: Json, choose: random.Random) -> Json:
    text = f"a further part {choose.random()}"
    if wire in (GEMINI, CONVERSE):
        return {"text": text}
    kind = {"user": "input_text", "assistant": "output_text"}[message["role"]] if wire is RESPONSES else "text"
    return {"type": kind, "text": text}


def _block_inserted(wire: Wire, body: Json, choose: random.Random) -> Edited | None:
    index = _some(wire, body, choose)
    message = _list(wire, body)[index]
    if (found := _parts(wire, message)) is None:
        return None
    key, listed = found
    # behind the last one it only extends the message, which at the end of a request is no change
    place = choose.randrange(len(listed))
    listed.insert(place, _part(wire, message, choose))
    return Edited(body, ("messages", index, f"{key}[{place}]", "inserted"))


def _block_removed(wire: Wire, body: Json, choose: random.Random) -> Edited | None:
    index = _some(wire, body, choose)
    if (found := _parts(wire, _list(wire, body)[index])) is None or len(found[1]) < 2:
        return None
    key, listed = found
    place = choose.randrange(len(listed))
    del listed[place]
    return Edited(body, ("messages", index, f"{key}[{place}]", "removed"))


def _blocks_swapped(wire: Wire, body: Json, choose: random.Random) -> Edited | None:
    index = _some(wire, body, choose)
    if (found := _parts(wire, _list(wire, body)[index])) is None or len(found[1]) < 2:
        return None
    key, listed = found
    listed[0], listed[1] = listed[1], listed[0]
    return Edited(body, ("messages", index, f"{key}[0]", "reordered"))


def _message_inserted(wire: Wire, body: Json, choose: random.Random) -> Edited:
    index = _some(wire, body, choose)
    (message,) = wire.say(STEPS[0])
    _list(wire, body).insert(index, message)
    return Edited(body, ("messages", index, "", "inserted"))


def _message_removed(wire: Wire, body: Json, choose: random.Random) -> Edited:
    index = _some(wire, body, choose)
    del _list(wire, body)[index]
    return Edited(body, ("messages", index, "", "removed"))


def _messages_swapped(wire: Wire, body: Json, choose: random.Random) -> Edited:
    index, listed = _some(wire, body, choose), _list(wire, body)
    listed[index], listed[index + 1] = listed[index + 1], listed[index]
    return Edited(body, ("messages", index, "", "reordered"))


def _system_changed(wire: Wire, body: Json, choose: random.Random) -> Edited:
    system = f"You are careful. It is {choose.random()}."
    changed = json.loads(wire.body(STEPS, system=system))
    for key in ("system", "instructions", "systemInstruction"):
        if key in changed:
            body[key] = changed[key]
    if _lead(wire):
        body["messages"][0] = changed["messages"][0]
    field = {CHAT.name: "content[0].text", GEMINI.name: "parts[0].text"}.get(wire.name, "text")
    return Edited(body, ("system", 0, field, "changed"))


def _tool_described(wire: Wire, body: Json, choose: random.Random) -> Edited:
    tools = _tools(wire, body)
    number = choose.randrange(len(tools))
    key = {CHAT.name: "function", CONVERSE.name: "toolSpec"}.get(wire.name, "")
    (tools[number][key] if key else tools[number])["description"] = "Do it well."
    field = f"{key}.description" if key else "description"
    return Edited(body, ("tools", *_tool_place(wire, number, field), "inserted"))


def _tool_inserted(wire: Wire, body: Json, choose: random.Random) -> Edited:
    tools = _tools(wire, body)
    number = choose.randrange(len(tools) + 1)
    tools.insert(number, _tool(wire, "search"))
    return Edited(body, ("tools", *_tool_place(wire, number, ""), "inserted"))


def _tool_removed(wire: Wire, body: Json, choose: random.Random) -> Edited:
    tools = _tools(wire, body)
    number = choose.randrange(len(tools))
    del tools[number]
    return Edited(body, ("tools", *_tool_place(wire, number, ""), "removed"))


def _tools_swapped(wire: Wire, body: Json, choose: random.Random) -> Edited:
    tools = _tools(wire, body)
    tools[1], tools[2] = tools[2], tools[1]
    return Edited(body, ("tools", *_tool_place(wire, 1, ""), "reordered"))


def _parameter_changed(wire: Wire, body: Json, choose: random.Random) -> Edited:
    name, before, after = choose.choice(PARAMETERS[wire.name])
    field, value = name, after
    while isinstance(value, dict):
        key = next(key for key in value if value[key] != before[key])
        field, value, before = f"{field}.{key}", value[key], before[key]
    body[name] = after
    return Edited(body, ("parameters", 0, field, "changed"))


def _model_changed(wire: Wire, body: Json, choose: random.Random) -> Edited | None:
    if wire is GEMINI:  # it stands in the path
        return None
    body["model"] = {ANTHROPIC.name: "claude-opus-4-8", CONVERSE.name: "claude-opus-4-8"}.get(wire.name, "gpt-4o")
    return Edited(body, ("model", 0, "", "changed"))


def _marker_moved(wire: Wire, body: Json, choose: random.Random) -> Edited | None:
    listed = _list(wire, body)
    if wire is CONVERSE:
        listed[_some(wire, body, choose)]["content"].append({"cachePoint": {"type": "default"}})
        return Edited(body, None)
    if wire is not ANTHROPIC:
        return None
    _at(listed[_some(wire, body, choose)], ("content", 0))["cache_control"] = {"type": "ephemeral"}
    return Edited(body, None)


def _keys_reordered(wire: Wire, body: Json, choose: random.Random) -> Edited:
    return Edited(_shuffled(body, choose), None)


def _shuffled(value: Any, choose: random.Random) -> Any:
    match value:
        case dict():
            keys = list(value)
            choose.shuffle(keys)
            return {key: _shuffled(value[key], choose) for key in keys}
        case list():
            return [_shuffled(item, choose) for item in value]
        case _:
            return value


EDITS: tuple[Edit, ...] = (
    _text_changed, _block_inserted, _block_removed, _blocks_swapped, _message_inserted, _message_removed,
    _messages_swapped, _system_changed, _tool_described, _tool_inserted, _tool_removed, _tools_swapped,
    _parameter_changed, _model_changed, _marker_moved, _keys_reordered,
)  # fmt: skip


def _breaks(replica: Replica, wire: Wire, body: Json) -> tuple[Break, ...]:
    return _plan(run(replica.send(wire, dump(body)))).breaks


def _found(wire: Wire, edited: Json) -> tuple[Break, ...]:
    """The breaks of a turn that goes on from a session, with this in place of its history."""
    replica, before = Replica(MEASURING), _first(wire)
    for number in range(_lead(wire) + 1, len(_list(wire, before)) + 1):
        _breaks(replica, wire, {**before, wire.dialect.list_key: _list(wire, before)[:number]})
    return _breaks(replica, wire, edited)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32))
def test_the_place_that_was_changed_is_named(wire: Wire, edit: Edit, seed: int) -> None:
    choose = random.Random(seed)
    edited = edit(wire, _first(wire), choose)
    if edited is None:
        return
    _list(wire, edited.body).extend(wire.say(work(6)[-2]))
    found = _found(wire, edited.body)
    if edited.where is None:
        assert found == ()
        return
    (one,) = found
    assert one.party == "client"
    assert (one.where.segment, one.where.index, one.where.field, one.where.way) == edited.where


def _last(wire: Wire, policy: Policy) -> Prepared:
    marks = {"cache_control": {"type": "ephemeral"}} if wire is ANTHROPIC else {}
    return Replica(policy).session(wire, work(8), system=RULES, **marks)[-1]


@pytest.mark.parametrize("wire", (ANTHROPIC, CHAT, GEMINI), ids=lambda wire: wire.name)
def test_what_a_mask_changed_is_said_to_be_ours_and_where(wire: Wire) -> None:
    plan = _last(wire, EAGER).plan
    assert plan is not None and plan.applied
    (found,) = plan.breaks
    placed = next(placed for placed in plan.in_force if placed.edit == plan.applied[0].edit)
    assert (found.cause, found.party) == ("policy_mask", "mask")
    assert (found.where.segment, found.where.index) == ("messages", _lead(wire) + placed.message)
    assert found.where.after.startswith("[previous 40 lines elided") and "line 0: the quick" in found.where.before


def _clocked(hour: int, turns: int, replica: Replica) -> Prepared:
    """A client that writes the time into its system prompt."""
    return replica.turn(
        ANTHROPIC, work(turns), system=f"It is {hour} o'clock. {RULES}", cache_control={"type": "ephemeral"}
    )


def test_the_header_and_the_log_name_cause_and_place(caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica(MEASURING)
    _clocked(1, 2, replica)
    with caplog.at_level("INFO", logger="holdfast.exchange"):
        prepared = _clocked(2, 3, replica)
    said = "mode=off; applied=none; removed=0; prefix=broken:system_changed@system[0].text"
    assert dict(prepared.headers)["x-holdfast-plan"] == said
    (line,) = [message for message in caplog.messages if message.startswith("cached input is lost: session `")]
    assert line.endswith(f"turn 2, {said}")


def test_both_sides_are_shown_without_what_looks_like_a_credential() -> None:
    replica, key = Replica(MEASURING), "sk-ant-api03-abcdefghijklmnop"
    replica.session(ANTHROPIC, work(2), system=f"Use {key} now. {RULES}")
    plan = replica.turn(ANTHROPIC, work(3), system=f"Use {key}x now. {RULES}").plan
    assert plan is not None
    (found,) = plan.breaks
    assert key not in repr(found) and HIDDEN in found.where.before


def test_after_a_restart_the_place_is_known_from_the_store() -> None:
    replica = Replica(MEASURING)
    for turns in (1, 2, 3):
        _clocked(1, turns, replica)
    (found,) = _plan(_clocked(2, 4, replica.beside())).breaks
    assert found.where.place == "system[0].text"
    assert found.where.before.startswith("It is 1 ") and found.where.after.startswith("It is 2 ")


def test_after_a_restart_changed_history_is_compared_with_the_store() -> None:
    replica = Replica(MEASURING)
    replica.session(CHAT, work(4))
    messages = CHAT.messages(work(5))
    messages[4]["content"] = "something else"
    (found,) = _plan(replica.beside().turn(CHAT, messages)).breaks
    assert (found.where.place, found.where.after) == ("messages[5].content[0].text", "something else")
    assert found.where.before.startswith("c1 line 0")


def test_a_head_too_large_to_be_kept_is_named_without_excerpts() -> None:
    replica = Replica(MEASURING)
    replica.turn(CHAT, work(1), system="x" * (KEPT + 1))
    plan = _plan(replica.turn(CHAT, work(2), system="y"))
    assert [found.where for found in plan.breaks] == [Difference("system", 0, "", "changed", "", "")]
    (known,) = _plan(replica.turn(CHAT, work(3), system="z")).breaks
    assert (known.where.before, known.where.after) == ("y", "z")


def test_a_retry_and_a_fork_change_nothing() -> None:
    replica = Replica(MEASURING)
    replica.session(CHAT, work(4))
    assert not _plan(replica.turn(CHAT, work(4))).breaks
    forked = [*work(2), *work(2, name="other")[1:]]
    assert not _plan(replica.turn(CHAT, forked)).breaks


def test_of_a_cache_that_time_has_emptied_nothing_is_said() -> None:
    replica = Replica(MEASURING)
    _clocked(1, 2, replica)
    replica.now += 4000
    plan = _plan(_clocked(2, 3, replica))
    assert (plan.prefix, plan.breaks) == ("broken:ttl_expired", ())


def _picture(wire: Wire) -> Json:
    if wire is CONVERSE:
        return {"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": "aGk="}}}]}
    source = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    return {"role": "user", "content": [{"type": "image", "source": source}]}


@pytest.mark.parametrize("wire", (ANTHROPIC, CONVERSE), ids=lambda wire: wire.name)
def test_the_first_image_splits_the_cache_and_the_next_ones_do_not(wire: Wire) -> None:
    replica, messages = Replica(MEASURING), wire.messages(work(2))
    messages.append({"role": "user", "content": [{"text": 'no {"type": "image", "image": {}} yet', "type": "text"}]})
    replica.turn(wire, messages)
    messages += [*wire.messages(work(3))[-2:], _picture(wire)]
    (found,) = _plan(replica.turn(wire, messages)).breaks
    assert (found.cause, found.party, found.where.place) == ("parameters_changed", "client", "parameters.images")
    messages += [*wire.messages(work(4))[-2:], _picture(wire)]
    assert not _plan(replica.turn(wire, messages)).breaks


def test_an_image_splits_no_cache_that_matches_the_longest_prefix() -> None:
    replica = Replica(MEASURING)
    replica.turn(CHAT, work(2))
    assert not _plan(replica.turn(CHAT, [*CHAT.messages(work(2)), _picture(ANTHROPIC)])).breaks


def test_a_message_that_differs_in_what_is_not_shown_is_named_as_a_whole() -> None:
    replica, messages = Replica(MEASURING), RESPONSES.messages(work(3, thinking=True))
    replica.turn(RESPONSES, messages)
    again = json.loads(json.dumps(messages))
    again[5]["id"] = "rs-other"
    assert again[5]["type"] == "reasoning"
    (found,) = _plan(replica.turn(RESPONSES, [*again, *RESPONSES.messages(work(4))[-3:]])).breaks
    assert found.where == Difference("messages", 5, "", "changed", "", "")


def test_what_was_said_before_is_kept_once_a_change() -> None:
    replica = Replica(MEASURING)
    turns = [_clocked(hour, turn, replica) for turn, hour in enumerate((1, 1, 1, 2, 2), start=1)]
    kept = [sorted(prepared.planned.turn.record.said) for prepared in turns if prepared.planned]
    assert kept == [["parameters", "system", "tools"], [], [], ["system"], []]


def test_an_edit_that_another_replica_planned_first_is_no_change_of_ours() -> None:
    prepared = _last(CHAT, EAGER)
    planned = prepared.planned
    assert planned is not None
    adopted = replace(planned.plan, decisions=(), in_force=())
    assert breaks(planned.seen, Lineage(), planned.turn, adopted) == ()


def _plan(prepared: Prepared) -> Plan:
    assert prepared.plan is not None
    return prepared.plan


def test_what_is_remembered_of_a_head_counts_against_the_memory() -> None:
    def size(system: str) -> int:
        replica = Replica(MEASURING)
        replica.turn(ANTHROPIC, work(1), system=system)
        return replica.context.memo.size

    assert size("x" * 100_000) - size("x") >= 99_999


@pytest.mark.parametrize(
    ("before", "after", "passing"),
    [
        ("Today is 2026-11-21.", "Today is 2026-11-22.", True),
        ("Today is 2026-11-21. Be quick.", "Today is 2026-11-22. Be careful.", False),
    ],
)
def test_a_system_prompt_in_which_only_the_date_differs_is_told_apart(before: str, after: str, passing: bool) -> None:
    replica = Replica(MEASURING)
    replica.turn(CHAT, work(3), system=before)
    (found,) = _plan(replica.turn(CHAT, work(4), system=after)).breaks
    assert (found.cause, found.where.passing) == ("system_changed", passing)


def test_a_head_kept_in_canonical_form_by_an_earlier_version_is_still_compared() -> None:
    old = prompt_of(ANTHROPIC.dialect, "tools", b'[{"name":"a"}]')
    now = prompt_of(ANTHROPIC.dialect, "tools", b'{"tools":[ {"name": "a"} ]}')
    assert old.tools == now.tools == ({"name": "a"},)
    system = prompt_of(CHAT.dialect, "system", b'{"messages":[{"role":"system","content":"x"}]}')
    before = prompt_of(CHAT.dialect, "system", b'[{"content":[{"text":"x","type":"text"}],"role":"system"}]')
    assert system.system == before.system

"""The breakpoints policy through the driver: what is added to the bytes, what stays, and what is called saved."""

import json

import pytest
from msgspec.structs import replace

from policies.breakpoints import Breakpoints
from policies.core.usage import Usage
from policies.mask import Mask
from policies.policy import Policy
from policies.stabilize import Stabilize
from proxy.exchange import passed, settle
from proxy.headers import Pair
from proxy.turns import carried
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    CONVERSE,
    RESPONSES,
    START,
    UNMARKED,
    WIRES,
    Answer,
    Json,
    Replica,
    User,
    Wire,
    dump,
    hashes,
    headers,
    large,
    masked,
    run,
    turns_of,
    work,
)

AUTO = Policy(name="auto", mask=Mask(when="never"))
EAGER = replace(AUTO, mask=Mask(keep_newest=1, min_tokens=61, when="always"))
SYSTEM = large("system") * 8
MARK = {"type": "ephemeral"}
NEWEST = "gpt-5.6-sol"
BREAKPOINT = {"mode": "explicit"}


def rest(wire: Wire, body: bytes) -> Json:
    """All of a body but its messages."""
    return {key: value for key, value in json.loads(body).items() if key != wire.dialect.list_key}


def marks(value: object) -> int:
    """How many markers stand anywhere in a value."""
    if isinstance(value, dict):
        own = sum(key in ("cache_control", "cachePoint", "prompt_cache_breakpoint") for key in value)
        return own + sum(map(marks, value.values()))
    return sum(map(marks, value)) if isinstance(value, list) else 0


def test_a_client_without_markers_gets_them_on_head_and_tail_on_every_turn() -> None:
    replica = Replica(AUTO)
    for turn in turns_of(work(6)):
        prepared = replica.turn(ANTHROPIC, turn, system=SYSTEM)
        body = json.loads(prepared.body)
        assert body["system"][-1]["cache_control"] == MARK
        assert body["messages"][-1]["content"][-1]["cache_control"] == MARK
        assert marks(body) == 2
        assert headers(prepared)["x-holdfast-plan"].startswith("applied=breakpoints:2; removed=0; prefix=")
    assert replica.witness.degradations == []


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_append_only_markers_are_no_part_of_the_prompt(wire: Wire) -> None:
    replica = Replica(AUTO)
    for turn in turns_of(work(4)):
        prepared = replica.turn(wire, turn, system=SYSTEM)
        assert hashes(wire, prepared.body) == hashes(wire, prepared.request.body)
        before, after = (wire.dialect.head(body, wire.path, len) for body in (prepared.request.body, prepared.body))
        assert (after.tools_hash, after.system_hash, after.parameters_hash) == (
            before.tools_hash,
            before.system_hash,
            before.parameters_hash,
        )


@pytest.mark.parametrize("order", [("system", "tools", "messages"), ("messages", "tools", "system")])
@pytest.mark.parametrize("policy", [AUTO, EAGER], ids=["auto", "eager"])
def test_the_head_is_marked_wherever_it_stands_and_not_one_other_byte_changes(
    policy: Policy, order: tuple[str, ...]
) -> None:
    replica = Replica(policy)
    for turn in turns_of(work(4)):
        whole = json.loads(ANTHROPIC.body(turn))
        fields = {"model": whole["model"], "max_tokens": 9, **{key: whole[key] for key in order}, "system": SYSTEM}
        raw = json.dumps(fields, indent=1).encode()
        prepared = run(replica.send(ANTHROPIC, raw))
        block = {"type": "text", "text": SYSTEM, "cache_control": MARK}
        assert rest(ANTHROPIC, prepared.body) == {**rest(ANTHROPIC, raw), "system": [block]}
        text = json.dumps(SYSTEM).encode()
        spliced = b'[{"type":"text","text":%b,"cache_control":{"type":"ephemeral"}}]' % text
        assert prepared.body.count(spliced) == 1
        assert raw[: raw.index(text)] in prepared.body or order[0] == "messages"
    assert masked(ANTHROPIC, prepared.body) == (3 if policy is EAGER else 0)
    assert replica.witness.degradations == []


def test_without_a_system_prompt_the_last_tool_is_marked() -> None:
    names = ("read", "write")
    tools: list[Json] = [{"name": name, "description": large(name) * 8, "input_schema": {}} for name in names]
    body = json.loads(ANTHROPIC.body(work(0), tools=tools))
    del body["system"]
    prepared = run(Replica(AUTO).send(ANTHROPIC, dump(body)))
    assert [tool.get("cache_control") for tool in json.loads(prepared.body)["tools"]] == [None, MARK]


def test_converse_gets_cache_points() -> None:
    replica = Replica(AUTO)
    for turn in turns_of(work(3)):
        body = json.loads(replica.turn(CONVERSE, turn, system=SYSTEM).body)
        assert body["system"][-1] == {"cachePoint": {"type": "default"}}
        assert body["messages"][-1]["content"][-1] == {"cachePoint": {"type": "default"}}
        assert marks(body) == 2


@pytest.mark.parametrize("role", ["system", "developer"])
def test_on_openai_the_end_of_the_system_messages_is_marked_for_other_sessions(role: str) -> None:
    messages = [{"role": role, "content": "Be careful."}, {"role": role, "content": SYSTEM}, *CHAT.messages(work(1))]
    body = json.loads(CHAT.body(messages, model=NEWEST))
    body["messages"] = body["messages"][1:]
    sent = json.loads(run(Replica(AUTO).send(CHAT, dump(body))).body)
    part = {"type": "text", "text": SYSTEM, "prompt_cache_breakpoint": BREAKPOINT}
    assert sent["messages"][1] == {"role": role, "content": [part]}
    assert marks(sent) == 1


def test_instructions_take_no_breakpoint_and_a_client_that_chooses_its_cache_gets_none() -> None:
    prepared = Replica(AUTO).turn(RESPONSES, work(2), system=SYSTEM)
    assert prepared.body is prepared.request.body
    chosen = Replica(AUTO).turn(CHAT, work(2), system=SYSTEM, model=NEWEST, prompt_cache_options={"mode": "explicit"})
    assert chosen.body is chosen.request.body


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_in_shadow_and_off_nothing_is_added(wire: Wire, mode: str) -> None:
    for turn in turns_of(work(2)):
        prepared = Replica(replace(AUTO, mode=mode)).turn(wire, turn, system=SYSTEM)
        assert prepared.body is prepared.request.body


def test_a_client_that_marks_its_messages_is_left_alone_byte_for_byte() -> None:
    replica = Replica(replace(AUTO, stabilize=Stabilize(replay=True)))
    for turn in turns_of(work(5)):
        messages = ANTHROPIC.messages(turn)
        messages[-1]["content"][-1]["cache_control"] = MARK
        system = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
        body = dump({**json.loads(ANTHROPIC.body(messages)), "system": system})
        prepared = run(replica.send(ANTHROPIC, body))
        assert prepared.body is prepared.request.body


def test_a_side_call_without_tools_is_left_alone() -> None:
    prepared = Replica(AUTO).turn(ANTHROPIC, [User(large("title") * 8)], system=SYSTEM, tool="")
    assert prepared.body is prepared.request.body


def test_a_retry_gets_the_same_bytes() -> None:
    replica = Replica(AUTO)
    turn = turns_of(work(3))[-1]
    first, again = (replica.turn(ANTHROPIC, turn, system=SYSTEM) for _ in range(2))
    assert first.body == again.body
    assert b"cache_control" in again.body
    restarted = replica.beside().turn(ANTHROPIC, turn, system=SYSTEM)
    assert b"cache_control" in restarted.body


def test_fail_open_a_head_that_cannot_be_marked_is_sent_as_it_came() -> None:
    replica = Replica(AUTO)
    text = json.dumps(SYSTEM).encode()
    twice = b'[{"type": "text", "type": "text", "text": %b}]' % text  # what this means depends on the reader
    tools = [{"name": "read_file", "description": SYSTEM, "input_schema": {}}]
    plain = ANTHROPIC.body(work(1), tools=tools)
    body = plain.replace(b'[{"type": "text", "text": "You are careful."}]', twice)
    assert twice in body
    prepared = run(replica.send(ANTHROPIC, body))
    assert prepared.body is prepared.request.body
    assert replica.witness.degradations == [("rule", "not_an_object")]


# Pauses


def test_after_some_pauses_the_hour_is_bought_and_the_next_pause_is_outlasted() -> None:
    replica = Replica(AUTO)
    kept = []
    for number, turn in enumerate(turns_of(work(14))):
        replica.now += 400 if number in (3, 6, 9, 12) else 0
        prepared = replica.turn(ANTHROPIC, turn, system=SYSTEM)
        assert prepared.plan
        kept.append((prepared.plan.achievable_tokens > 5000, b'"ttl":"1h"' in prepared.body))
    assert [kept[pause][0] for pause in (3, 12)] == [False, True]
    assert not any(long for _, long in kept[:4])
    assert any(long for _, long in kept[4:12])
    assert replica.witness.degradations == []


# What it saved


def settled(usage: Usage) -> tuple[float, float]:
    """Actual and direct cost of the third turn, for an answer with this usage."""
    replica = Replica(AUTO)
    for turn in turns_of(work(3))[:-1]:
        replica.turn(ANTHROPIC, turn, system=SYSTEM)
    prepared = run(replica.prepare(ANTHROPIC, ANTHROPIC.body(work(3), system=SYSTEM)))
    run(settle(prepared, replica.context, usage, START))
    account = replica.witness.accounts[-1]
    assert account.actual is not None and account.direct is not None
    return account.actual, account.direct


def test_honest_direct_is_what_the_client_would_have_paid_without_our_markers() -> None:
    actual, direct = settled(Usage(input=10_000, cache_read=9_000, cache_write=1_000, output=100))
    assert actual == pytest.approx((9_000 * 0.3 + 1_000 * 3.75 + 100 * 15) / 1e6)
    assert direct == pytest.approx((10_000 * 3.0 + 100 * 15) / 1e6)


def test_honest_a_read_that_did_not_come_is_not_counted_as_saved() -> None:
    actual, direct = settled(Usage(input=10_000, cache_read=0, cache_write=10_000, output=100))
    assert direct == pytest.approx((10_000 * 3.0 + 100 * 15) / 1e6)
    assert actual > direct


# The key of a cache


MISTRAL = "mistral-large-4"


def key(body: bytes) -> str | None:
    found: str | None = json.loads(body).get("prompt_cache_key")
    return found


def test_append_only_a_lineage_keeps_its_key_over_turns_restarts_and_forks() -> None:
    replica = Replica(AUTO)
    turns = turns_of(work(4))
    keys = {key(replica.turn(CHAT, turn, model=MISTRAL).body) for turn in turns[:3]}
    keys.add(key(replica.beside().turn(CHAT, turns[3], model=MISTRAL).body))
    keys.add(key(replica.turn(CHAT, [*turns[1], Answer("No."), User("Otherwise.")], model=MISTRAL).body))
    assert len(keys) == 1 and None not in keys
    assert key(replica.turn(CHAT, work(0, name="other"), model=MISTRAL).body) not in keys


def test_a_key_is_added_at_the_end_and_the_rest_stays_byte_for_byte() -> None:
    prepared = Replica(AUTO).turn(CHAT, work(0), model=MISTRAL)
    added = f',"prompt_cache_key":"{key(prepared.body)}"}}'.encode()
    assert prepared.body == prepared.request.body[:-1] + added
    assert headers(prepared)["x-holdfast-plan"] == "applied=breakpoints:1; removed=0; prefix=first"


def test_append_only_a_lineage_that_began_without_a_key_gets_none() -> None:
    replica = Replica(replace(AUTO, breakpoints=UNMARKED))
    turns = turns_of(work(3))
    replica.turn(CHAT, turns[0], model=MISTRAL)
    replica.policy = AUTO
    assert key(replica.turn(CHAT, turns[1], model=MISTRAL).body) is None
    replica.policy = replace(AUTO, mode="shadow")
    replica.turn(CHAT, work(0, name="shadow"), model=MISTRAL)
    replica.policy = AUTO
    assert key(replica.turn(CHAT, work(1, name="shadow"), model=MISTRAL).body) is None


def test_isolated_two_tenants_that_say_the_same_have_two_keys() -> None:
    replica = Replica(AUTO)
    body = CHAT.body(work(0), model=MISTRAL)
    keys = {key(run(replica.send(CHAT, body, key=tenant)).body) for tenant in (b"one", b"two")}
    assert len(keys) == 2


def test_a_salt_parts_tenants_on_an_engine_that_takes_one() -> None:
    salted = Replica(replace(AUTO, breakpoints=Breakpoints(cache_salt=True)))
    body = CHAT.body(work(0), model="vllm")
    one, two = (json.loads(run(salted.send(CHAT, body, key=tenant)).body) for tenant in (b"one", b"two"))
    assert one["cache_salt"] != two["cache_salt"]
    assert one | two == {**json.loads(body), "cache_salt": two["cache_salt"]}


def test_a_lineage_keeps_the_header_by_which_xai_finds_its_server() -> None:
    replica, turns = Replica(AUTO), turns_of(work(2))
    told = [replica.turn(CHAT, turn, model="grok-4.7") for turn in turns]
    ((name, value),) = {pair for prepared in told if prepared.plan for pair in prepared.plan.headers}
    assert (name, value.startswith("hf-"), len(told)) == ("x-grok-conv-id", True, 3)
    assert all(prepared.body is prepared.request.body for prepared in told)
    later = replica.beside().turn(CHAT, [*turns[2], Answer("Done."), User("And now?")], model="grok-4.7")
    assert later.plan and later.plan.headers == ((name, value),)
    assert "applied=breakpoints:1" in headers(later)["x-holdfast-plan"]


def test_a_header_that_the_client_sends_itself_stays() -> None:
    prepared = Replica(AUTO).turn(CHAT, work(0), model="grok-4.7")
    came: tuple[Pair, ...] = ((b"Authorization", b"Bearer k"),)
    assert [name for name, _ in carried(prepared, came)] == [b"Authorization", b"x-grok-conv-id"]
    own: tuple[Pair, ...] = ((b"X-Grok-Conv-Id", b"mine"),)
    assert carried(prepared, own) == own
    assert carried(passed(prepared.request, "fault"), came) == came

"""LEGAL: a rewritten request keeps its pairs, its reasoning and its markers; one that does not is not sent."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings

from policies.core.conversation import Conversation, Kind, Role
from policies.policy import Policy
from proxy.dialects import Dialect
from proxy.exchange import Request, prepare
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    IDLE,
    RESPONSES,
    WIRES,
    Json,
    Replica,
    Step,
    Wire,
    blocks,
    elements,
    hashes,
    listed,
    masked,
    run,
    texts,
    turns_of,
    viewed,
    work,
)
from tests.proxy.exchange.test_append_only import POLICIES, sessions, steps_of

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@every_wire
@settings(max_examples=20)
@given(session=sessions, policy=POLICIES)
def test_calls_keep_their_answers_and_reasoning_its_bytes(
    wire: Wire, session: list[tuple[list[str], bool, float]], policy: Policy
) -> None:
    # C3, C4
    replica = Replica(policy)
    for turn in turns_of(steps_of(session)):
        prepared = replica.turn(wire, turn)
        came, went = viewed(wire, prepared.request.body).messages, viewed(wire, prepared.body).messages
        assert [message.role for message in went] == [message.role for message in came]
        calls = [block.call_id for block in blocks(went, Kind.CALL)]
        assert calls == [block.call_id for block in blocks(went, Kind.OBSERVATION)]
        assert calls == [block.call_id for block in blocks(came, Kind.CALL)]
        for before, after in zip(came, went, strict=True):
            if before.role is Role.ASSISTANT:
                assert after.raw == before.raw or _only_marked(wire, before.raw, after.raw)


def _only_marked(wire: Wire, before: bytes, after: bytes) -> bool:
    plain = wire.dialect.message(before, len)
    marked = wire.dialect.message(after, len)
    same = [block.hash for block in plain.blocks] == [block.hash for block in marked.blocks]
    return same and sum(block.marked for block in marked.blocks) == 1 + sum(block.marked for block in plain.blocks)


def marker_count(seen: Conversation) -> int:
    return seen.head.markers + sum(block.marked for message in seen.messages for block in message.blocks)


@pytest.mark.parametrize("wire", [ANTHROPIC, RESPONSES], ids=lambda wire: wire.name)
@pytest.mark.parametrize("client", range(5))
def test_there_are_never_more_than_four_markers_with_ours(wire: Wire, client: int) -> None:
    # C10 kern-ai PR#317: one too many is a permanent 400
    rules, seen = "You are careful. " * 3000, 0
    replica = Replica()
    for turn in turns_of(work(8)):
        messages = [json.loads(json.dumps(message)) for message in wire.messages(turn)]
        for message in [one for one in messages if one.get("role") == "user"][-client:] if client else []:
            message["content"][-1]["cache_control"] = {"type": "ephemeral"}
        prepared = run(replica.send(wire, wire.body(messages, system=rules)))
        came, went = (marker_count(viewed(wire, body)) for body in (prepared.request.body, prepared.body))
        automatic = 1 if wire is RESPONSES else 0
        assert went == came or went + automatic <= 4
        assert prepared.plan and went == came + len(prepared.plan.markers)
        seen += len(prepared.plan.markers)
    assert seen > 0 or client in (0, 3, 4)
    assert replica.witness.degradations == []


@dataclass
class Careless:
    """A real dialect whose edits also touch something else."""

    inner: Dialect
    change: str

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def replace(self, raw: bytes, edits: tuple[tuple[int, str], ...]) -> bytes:
        message: Json = json.loads(self.inner.replace(raw, edits))
        match self.change:
            case "role":
                message["role"] = "user"
            case "id":
                message["tool_call_id"] = "other"
            case "block":
                message["role"], message["content"] = "user", [{"type": "text", "text": "a"}] * 2
        return json.dumps(message).encode()

    def mark(self, raw: bytes, index: int, long: bool) -> bytes:
        return raw.replace(b"fox", b"cat") if self.change == "marker" else self.inner.mark(raw, index, long)


def careless(replica: Replica, wire: Wire, steps: list[Step], change: str) -> tuple[bytes, bytes]:
    """What came and what went."""
    replica.now += 10
    body = wire.body(steps)
    request = Request("api", Careless(wire.dialect, change), wire.path, body, credential=b"key")  # type: ignore[arg-type]
    return body, run(prepare(request, replica.context, replica.now)).body


@pytest.mark.parametrize(
    ("change", "rule"), [("role", "role_changed"), ("id", "pairing_broken"), ("block", "role_changed")]
)
def test_a_rewrite_that_breaks_a_rule_is_not_sent(change: str, rule: str) -> None:
    replica = Replica()
    came, went = careless(replica, CHAT, work(3), change)
    assert went is came
    assert replica.witness.degradations == [("rule", rule)]
    replica.policy = IDLE
    assert masked(CHAT, replica.turn(CHAT, work(4)).body) == 0


def test_a_marker_that_changes_content_is_not_sent() -> None:
    replica = Replica()
    replica.session(RESPONSES, work(7))
    came, went = careless(replica, RESPONSES, work(8), "marker")
    assert b"cat" not in went
    assert replica.witness.degradations == [("rule", "marker_changed_content")]
    assert masked(RESPONSES, went) == 6


def test_where_what_is_in_force_cannot_be_made_again_the_original_goes() -> None:
    replica = Replica()
    replica.session(CHAT, work(3))
    restarted = replica.beside(IDLE)
    came, went = careless(restarted, CHAT, work(4), "id")
    assert went is came
    assert restarted.witness.degradations == [("rule", "pairing_broken")]
    assert masked(CHAT, restarted.turn(CHAT, work(5)).body) == 0


def test_where_the_original_goes_nothing_counts_as_kept_out_of_it() -> None:
    replica = Replica()
    known = replica.session(CHAT, work(3))[-1].planned
    assert known is not None and known.plan.in_force
    known.turn.rewritten.clear()
    request = Request("api", Careless(CHAT.dialect, "id"), CHAT.path, CHAT.body(work(4)), credential=b"key")  # type: ignore[arg-type]
    sent = run(prepare(request, replica.context, replica.now + 10))
    assert sent.body is request.body and sent.plan is not None
    assert sent.plan.in_force == () and sent.plan.sent.tokens == sent.plan.sent.received_tokens


def test_a_message_that_cannot_be_replaced_is_not_sent_half_changed() -> None:
    replica = Replica()

    @dataclass
    class Stubborn:
        inner: Dialect

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def replace(self, raw: bytes, edits: tuple[tuple[int, str], ...]) -> bytes:
            return self.inner.replace(raw, ((edits[0][0] + 99, "gone"),))

    body = CHAT.body(work(3))
    request = Request("api", Stubborn(CHAT.dialect), CHAT.path, body)  # type: ignore[arg-type]
    assert run(prepare(request, replica.context, replica.now)).body is body
    assert replica.witness.degradations == [("rule", "no_such_block")]


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5"])
def test_nothing_before_bound_reasoning_is_edited_where_the_provider_checks_it(model: str) -> None:
    replica = Replica()
    *_, prepared = replica.session(ANTHROPIC, work(5, thinking=True), model=model)
    assert prepared.body is prepared.request.body
    assert prepared.plan and {decision.reason for decision in prepared.plan.decisions} == {"bound_reasoning"}


@every_wire
def test_parallel_answers_in_one_message_are_masked_one_by_one(wire: Wire) -> None:
    session = [(["large", "small", "error"], False, 10.0), (["large"], False, 10.0), (["large"], False, 10.0)]
    replica = Replica(EAGER)
    *_, prepared = replica.session(wire, steps_of(session))
    said = texts(wire, prepared.body)
    assert ["elided" in text for text in said] == [True, False, False, True, False]
    assert said[1:3] == texts(wire, prepared.request.body)[1:3]
    assert hashes(wire, prepared.request.body)[0] == hashes(wire, prepared.body)[0]


@every_wire
def test_a_parallel_message_is_made_anew_when_another_of_its_answers_is_masked(wire: Wire) -> None:
    session = [(["large", "error"], False, 10.0), (["large"], False, 10.0), (["large"], False, 10.0)]
    replica, turns = Replica(EAGER), turns_of(steps_of(session))
    replica.turn(wire, turns[0])
    first = [replica.turn(wire, turn) for turn in turns[1:3]][-1]
    assert ["elided" in text for text in texts(wire, first.body)] == [True, False, False]
    replica.policy = Policy(name="all", mask=type(EAGER.mask)(1, 61, keep_errors=False, when="always", liveness=False))
    second = replica.turn(wire, turns[3])
    assert ["elided" in text for text in texts(wire, second.body)] == [True, True, True, False]
    assert texts(wire, second.body)[0] == texts(wire, first.body)[0]
    assert len(elements(wire, second.body)) == len(listed(wire, second.request.body))

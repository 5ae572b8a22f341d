"""TRANSPARENT: what no policy edits goes up as the very same object, with the reason where nothing was planned."""

import json

import pytest

from policies.policy import Policy
from policies.routes import OFF
from proxy.exchange import Context, Request
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    GEMINI,
    RESPONSES,
    START,
    WIRES,
    Replica,
    User,
    Wire,
    dump,
    headers,
    run,
    work,
)

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@every_wire
def test_a_request_with_nothing_to_edit_goes_up_as_it_came(wire: Wire) -> None:
    replica = Replica()
    for prepared in replica.session(wire, work(1)):
        assert prepared.body is prepared.request.body
        assert prepared.passthrough == ""
    assert headers(prepared) == {
        "x-holdfast-session": headers(prepared)["x-holdfast-session"],
        "x-holdfast-turn": "2",
        "x-holdfast-plan": "applied=none; removed=0; prefix=kept",
    }


@every_wire
def test_off_touches_nothing_and_says_so(wire: Wire) -> None:
    replica = Replica(OFF)
    for prepared in replica.session(wire, work(5)):
        assert prepared.body is prepared.request.body
        assert headers(prepared)["x-holdfast-plan"].startswith("mode=off; applied=none; removed=0; ")
    assert prepared.plan and prepared.plan.decisions == ()


CHAT_HEAD = b'{"model":"gpt-4.1","messages":'


@pytest.mark.parametrize(
    ("wire", "body", "reason"),
    [
        (CHAT, b"", "malformed_json"),
        (CHAT, b"{", "malformed_json"),
        (CHAT, CHAT_HEAD + b"[}", "malformed_json"),
        (CHAT, b"[]", "not_an_object"),
        (CHAT, b'"text"', "not_an_object"),
        (CHAT, CHAT_HEAD + b"null}", "not_a_list"),
        (CHAT, CHAT_HEAD + b'"hi"}', "not_a_list"),
        (CHAT, b'{"model":"gpt-4.1"}', "no_messages"),
        (ANTHROPIC, b'{"model":"claude-sonnet-4-5"}', "no_messages"),
        (RESPONSES, b'{"model":"gpt-6.1-sol","previous_response_id":"r"}', "no_input"),
        (RESPONSES, b'{"model":"gpt-6.1-sol","input":"hi"}', "not_a_list"),
        (GEMINI, b"{}", "no_contents"),
        (CHAT, CHAT_HEAD + b'[{"role":"user","content":"a"}],"messages":[]}', "duplicate_keys"),
        (CHAT, b'{"model":"a","messages":[{"role":"user"}],"model":"b"}', "duplicate_keys"),
        (CHAT, b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (CHAT, CHAT_HEAD + b"[]}", "no_messages"),
        (ANTHROPIC, b'{"model":"claude-sonnet-4-5","messages":[]}', "no_messages"),
        (RESPONSES, b'{"model":"gpt-6.1-sol","input":[]}', "no_messages"),
        (GEMINI, b'{"contents":[]}', "no_messages"),
        (CHAT, CHAT_HEAD + b'[{"role":"system","content":"only this"}]}', "no_messages"),
    ],
)
def test_a_body_that_cannot_be_planned_goes_up_as_it_came_with_the_reason(wire: Wire, body: bytes, reason: str) -> None:
    replica = Replica()
    prepared = run(replica.send(wire, body))
    assert prepared.body is body
    assert (prepared.passthrough, prepared.headers) == (reason, (("x-holdfast-passthrough", reason),))
    assert prepared.plan is None and prepared.planned is None
    assert replica.witness.degradations == []
    assert [account.prepared for account in replica.witness.accounts] == [prepared]
    assert replica.context.memo.size == 0


@every_wire
def test_only_what_is_edited_differs_from_what_came(wire: Wire) -> None:
    # C2: key order, escapes, number formats, unknown fields, white space around what is replaced
    replica = Replica()
    replica.session(wire, work(3))
    body = wire.body(work(3), zzz={"b": 1e2, "a": "\\u00e9", "big": 12345678901234567890123})
    body = body.replace(b'"zzz": {', b'"zzz" :\t{ "dup": 1, "dup": 2,')
    prepared = run(replica.send(wire, body))
    assert prepared.body != body
    at, end = _changed(body, prepared.body)
    assert prepared.body[:at] == body[:at]
    assert prepared.body.endswith(body[end:])
    assert b'"zzz" :\t{ "dup": 1, "dup": 2,' in prepared.body
    json.loads(prepared.body)


def _changed(before: bytes, after: bytes) -> tuple[int, int]:
    """Where two bodies begin to differ, and where in the first they are equal again to the end."""
    at = next(place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    tail = next(n for n, (a, b) in enumerate(zip(reversed(before), reversed(after), strict=False)) if a != b)
    return at, len(before) - tail


@pytest.mark.parametrize(
    "message",
    [
        {"role": "wizard", "content": "?"},
        {"role": "user", "content": [{"type": "hologram", "data": 1}]},
        {"content": 5},
        {},
    ],
)
def test_messages_of_no_known_kind_are_planned_around(message: dict[str, object]) -> None:
    replica = Replica()
    prepared = run(replica.send(CHAT, CHAT.body([message, *CHAT.messages(work(3))])))
    assert prepared.passthrough == ""
    assert dump(message) in prepared.body


@pytest.mark.parametrize("element", [b"null", b"5", b'"text"', b"[1]", b'{"a":1,"a":2}', b'"\xff"'])
def test_elements_that_are_no_messages_survive(element: bytes) -> None:
    body = CHAT_HEAD + b'[{"role":"user","content":"hi"}, ' + element + b"]}"
    prepared = run(Replica().send(CHAT, body))
    assert (prepared.body is body, prepared.passthrough) == (True, "")


def test_a_history_that_the_server_keeps_is_left_alone() -> None:
    replica = Replica()
    for prepared in replica.session(RESPONSES, work(4), previous_response_id="resp_1"):
        assert prepared.body is prepared.request.body
    assert prepared.plan and {decision.reason for decision in prepared.plan.decisions} == {"stand_down"}


def test_nothing_shows_a_body_or_a_credential() -> None:
    # canary in every value that may end in a log line
    replica = Replica(EAGER)
    body = CHAT.body([*work(3), User("canary-body")])
    prepared = run(replica.send(CHAT, body, key=b"canary-key"))
    context: Context = replica.context
    assert prepared.planned is not None
    shown = [prepared.request, prepared, prepared.planned, context, *replica.witness.accounts, prepared.planned.seen]
    shown += [prepared.planned.turn, context.memo, prepared.planned.seen.trail, *prepared.planned.seen.trail.nodes]
    assert "canary" not in " ".join(f"{value!r}{value!s}" for value in shown)
    assert "canary" not in repr(Request("api", CHAT.dialect, CHAT.path, body, b"canary-key"))
    assert "canary" not in str(prepared.headers)


def test_a_session_name_becomes_a_header_value_that_is_one() -> None:
    name = "a\r\nset-cookie: b\x7fé" + "x" * 300
    prepared = run(Replica().send(CHAT, CHAT.body(work(1)), session=name))
    assert headers(prepared)["x-holdfast-session"] == ("a??set-cookie: b??" + "x" * 300)[:200]


def test_a_policy_in_another_mode_takes_effect_on_the_next_turn() -> None:
    replica = Replica(OFF)
    replica.session(CHAT, work(4))
    replica.policy = EAGER
    assert replica.now > START
    prepared = replica.turn(CHAT, work(5))
    assert prepared.body is not prepared.request.body
    replica.policy = Policy(name="off again", mode="off")
    prepared = replica.turn(CHAT, work(6))
    assert prepared.body is prepared.request.body

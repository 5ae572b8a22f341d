"""From sessions to requests."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from policies.core.conversation import Kind
from policies.core.usage import Usage
from proxy.dialects.slices import split
from proxy.replay.gaps import START, USUAL, Constant, Recorded
from proxy.replay.trace import Exchange, Recording, Trace
from proxy.replay.wire import Script, script

from .sessions import count, marked_profile, profile, trace, untyped

PROFILES = {"openai_chat": profile(), "anthropic_messages": marked_profile()}


def bodies(made: Script) -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in made.calls]


def without_markers(value: Any) -> Any:
    if isinstance(value, list):
        return [without_markers(item) for item in value]
    if isinstance(value, dict):
        return {key: without_markers(item) for key, item in value.items() if key != "cache_control"}
    return value


@pytest.mark.parametrize("dialect", PROFILES)
@given(sizes=st.lists(st.integers(1, 50), max_size=6))
def test_a_call_gets_all_before_its_answer_and_extends_the_call_before(dialect: str, sizes: list[int]) -> None:
    made = script(trace(sizes), PROFILES[dialect])
    assert made.dialect.name == dialect and len(made.calls) == len(sizes) + 1
    sent = [without_markers(body["messages"]) for body in bodies(made)]
    for before, after, call in zip(sent, sent[1:], made.calls, strict=False):
        assert after[: len(before)] == before
        assert after[len(before)] == json.loads(call.answer[0])


def test_an_assistant_message_at_the_very_front_is_no_call() -> None:
    session = Trace("t", [{"role": "assistant", "content": "hi"}, {"role": "user", "content": "x"}])
    assert script(session, profile()).calls == ()
    assert script(Trace("t", []), marked_profile()).calls == ()


def test_the_client_marks_the_end_of_the_system_prompt_and_the_last_message_and_nothing_else() -> None:
    for body in bodies(script(trace([4, 4]), marked_profile())):
        blocks = [block for message in body["messages"] for block in message["content"]]
        assert [block for block in blocks if "cache_control" in block] == blocks[-1:]
        assert "cache_control" in body["system"][-1]


def test_without_a_system_prompt_the_end_of_the_tools_is_marked() -> None:
    messages = trace([4]).messages[1:]
    tools = [{"name": "a"}, {"name": "b"}]
    (body, _) = bodies(script(Trace("t", messages, tools=tools), marked_profile()))
    assert "system" not in body
    assert ["cache_control" in tool for tool in body["tools"]] == [False, True]


def test_a_marker_never_stands_on_thinking() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "b", "signature": "s"}]
    session = Trace(
        "t",
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": blocks},
            {"role": "assistant", "content": blocks[1:]},
            {"role": "assistant", "content": "end"},
        ],
        format="anthropic",
    )
    marked = [body["messages"][-1]["content"] for body in bodies(script(session, marked_profile()))]
    assert [["cache_control" in block for block in content] for content in marked] == [[True], [True, False], [False]]


@pytest.mark.parametrize("dialect", PROFILES)
def test_what_the_trace_marks_as_an_observation_is_one(dialect: str) -> None:
    made = script(untyped([40, 40]), PROFILES[dialect])
    last = made.calls[-1]
    messages = [made.dialect.message(bytes(raw), count) for raw in split(last.body, "messages").elements]
    assert [message.blocks[0].kind for message in messages] == [
        Kind.TEXT,
        Kind.TEXT,
        Kind.OBSERVATION,
        Kind.TEXT,
        Kind.OBSERVATION,
    ]
    assert all(message.blocks[0].editable for message in messages[2::2])


def test_the_clock_advances_by_the_gap() -> None:
    assert [call.now for call in script(trace([1]), profile(), Constant(70.0)).calls] == [START, START + 70.0]
    assert [call.now for call in script(trace([1]), profile()).calls] == [START, START + USUAL]


def recording(*bodies: str) -> Recording:
    exchanges = [
        Exchange(100.0 + number * 7, "openai_chat", "/v1/chat/completions", Raw(body.encode()), usage=Usage(output=9))
        for number, body in enumerate(bodies)
    ]
    return Recording("r", "m", tuple(exchanges))


FIRST = '{"messages": [ {"role":"user","content":"a"} ], "model":"m"}'
SECOND = (
    '{"messages":[{"role":"user","content":"a"}, {"role":"assistant","content":"b"},'
    '{"role":"user","content":"c"}],"model":"m"}'
)


def test_a_recorded_request_is_sent_byte_for_byte_at_its_time() -> None:
    made = script(recording(FIRST, SECOND), profile())
    assert [call.body for call in made.calls] == [FIRST.encode(), SECOND.encode()]
    assert [call.now for call in made.calls] == [100.0, 107.0]
    assert [call.now for call in script(recording(FIRST, SECOND), profile(), Constant(1.0)).calls] == [
        START,
        START + 1.0,
    ]


def test_a_recorded_answer_is_what_the_next_request_has_more() -> None:
    made = script(recording(FIRST, SECOND), profile())
    assert [call.answer for call in made.calls] == [(b'{"role":"assistant","content":"b"}',), ()]
    assert [call.output_tokens for call in made.calls] == [9, 9]


def test_a_recorded_answer_may_be_the_last_thing_that_the_next_request_holds() -> None:
    third = SECOND.replace(',{"role":"user","content":"c"}', "")
    assert script(recording(FIRST, third), profile()).calls[0].answer == (b'{"role":"assistant","content":"b"}',)


def test_output_that_was_not_reported_costs_nothing() -> None:
    exchange = Exchange(1.0, "openai_chat", "/v1/chat/completions", Raw(FIRST.encode()))
    assert [call.output_tokens for call in script(Recording("r", "m", (exchange,)), profile()).calls] == [0]


def test_recorded_times_are_those_of_the_calls_also_where_the_session_opens_with_an_answer() -> None:
    session = trace([1, 1])
    answers = [index for index, message in enumerate(session.messages) if message["role"] == "assistant"]
    usage = [{"msg": index, "ts": 100.0 + index} for index in answers]
    known = replace(session, meta={"call_usage": usage})
    assert [call.now for call in script(known, profile(), Recorded()).calls] == [100.0 + index for index in answers]
    opened = replace(session, messages=session.messages[2:], meta={"call_usage": usage})
    assert len(script(opened, profile(), Recorded()).calls) == len(answers) - 1

"""What every splicer promises, in whatever dialect, for events and for one object. The vendors' SDKs are the judge."""

import json
from typing import Any

import pytest

from proxy.answering.opening import SPLICERS, Kind
from tests.proxy.answering.parsing import PARSERS, Parsed
from tests.proxy.answering.worded import Said, calling, spoken, thought, worded

NAMES = frozenset({"recall"})
NOTE = "(over)"
ASKS = Said("one", (thought("hm"), spoken("Let me look."), calling("recall")), "calls")
TELLS = Said("two", (thought("ah"), spoken("It is 4711.")))

every = pytest.mark.parametrize("dialect, kind", SPLICERS)


def joined(dialect: str, kind: Kind, *answers: Said, size: int = 11) -> tuple[bytes, list[str]]:
    """What the agent gets of these, and the tools that were answered before each further one."""
    splicer, given, called = SPLICERS[dialect, kind](NAMES), [], []
    for number, said in enumerate(answers):
        if number:
            calls = splicer.pending()
            called += [one.name for one in calls]
            splicer.said(["ok"] * len(calls))
            splicer.go_on()
        body = worded(dialect, said, kind == "stream")
        given += [splicer.feed(body[start : start + size]) for start in range(0, len(body), size)]
    splicer.pending()
    return b"".join([*given, splicer.finish(NOTE)]), called


def seen(dialect: str, kind: Kind, *answers: Said) -> Parsed:
    return PARSERS[dialect](joined(dialect, kind, *answers)[0], kind == "stream")


def texts(answer: Parsed) -> list[str]:
    if "content" in answer:
        return [block["text"] for block in answer["content"] if block["type"] == "text"]
    if "output" in answer:
        return [item["content"][0]["text"] for item in answer["output"] if item["type"] == "message"]
    return str(answer["choices"][0]["message"]["content"]).split("\n\n")


def roles(answer: Parsed) -> set[str]:
    if "output" in answer:
        return {item["role"] for item in answer["output"] if item["type"] == "message"}
    return {answer.get("role") or answer["choices"][0]["message"]["role"]}


def calls(answer: Parsed) -> list[tuple[str, Any]]:
    if "content" in answer:
        return [(block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]
    if "output" in answer:
        found = [item for item in answer["output"] if item["type"] == "function_call"]
        return [(item["name"], json.loads(item["arguments"])) for item in found]
    found = [call["function"] for call in answer["choices"][0]["message"].get("tool_calls", ())]
    return [(call["name"], json.loads(call["arguments"])) for call in found]


def thoughts(answer: Parsed) -> list[str]:
    if "content" in answer:
        return [block["thinking"] for block in answer["content"] if block["type"] == "thinking"]
    if "output" in answer:
        sealed = [item["encrypted_content"] for item in answer["output"] if item["type"] == "reasoning"]
        return [text.removeprefix("sealed ") for text in sealed]
    return [answer["choices"][0]["message"]["reasoning_content"]]


def ending(answer: Parsed) -> str:
    """Why it ended. Responses do not say more than that they did."""
    if "stop_reason" in answer:
        return {"end_turn": "end", "tool_use": "calls", "max_tokens": "length"}[answer["stop_reason"]]
    if "output" in answer:
        return {"completed": "calls" if calls(answer) else "end", "incomplete": "length"}[answer["status"]]
    return {"stop": "end", "tool_calls": "calls", "length": "length"}[answer["choices"][0]["finish_reason"]]


def usage(answer: Parsed) -> tuple[int, int, int]:
    """Input, of which from the cache, and output."""
    used = answer["usage"]
    if "prompt_tokens" in used:
        return used["prompt_tokens"], used["prompt_tokens_details"]["cached_tokens"], used["completion_tokens"]
    if "input_tokens_details" in used:
        return used["input_tokens"], used["input_tokens_details"]["cached_tokens"], used["output_tokens"]
    read = used["cache_read_input_tokens"]
    return used["input_tokens"] + read + used["cache_creation_input_tokens"], read, used["output_tokens"]


@every
def test_two_answers_are_one_without_the_call(dialect: str, kind: Kind) -> None:
    answer = seen(dialect, kind, ASKS, TELLS)
    assert texts(answer) == ["Let me look.", "It is 4711."]
    assert calls(answer) == [] and ending(answer) == "end"
    alone = PARSERS[dialect](worded(dialect, ASKS, kind == "stream"), kind == "stream")
    assert answer["id"] == alone["id"] and roles(answer) == {"assistant"}


def test_events_of_responses_are_counted_and_placed_without_a_gap() -> None:
    stream, _ = joined("openai_responses", "stream", ASKS, Said("two", (spoken("It is 4711."), calling("read", "{}"))))
    events = [json.loads(line[6:]) for line in stream.decode().splitlines() if line.startswith("data: ")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert added == list(range(4))


@every
def test_usage_adds_up_and_is_stated_once(dialect: str, kind: Kind) -> None:
    assert usage(seen(dialect, kind, ASKS, TELLS)) == (200, 120, 20)
    assert usage(seen(dialect, kind, ASKS, ASKS, TELLS)) == (300, 180, 30)


@every
def test_the_agents_own_call_in_a_later_answer_reaches_it(dialect: str, kind: Kind) -> None:
    read = Said("two", (spoken("Now."), calling("read", '{"path": "/a b"}'), calling("read", "{}")), "calls")
    answer = seen(dialect, kind, ASKS, read)
    assert calls(answer) == [("read", {"path": "/a b"}), ("read", {})]
    assert texts(answer) == ["Let me look.", "Now."] and ending(answer) == "calls"


@every
@pytest.mark.parametrize("first", [True, False])
def test_beside_calls_of_the_agent_ours_is_dropped_and_nothing_waits(dialect: str, kind: Kind, first: bool) -> None:
    both = (calling("recall"), calling("read", '{"path": "/x"}'))
    said = Said("one", (thought("hm"), spoken("Both."), *(both if first else both[::-1])), "calls")
    splicer = SPLICERS[dialect, kind](NAMES)
    given = splicer.feed(worded(dialect, said, kind == "stream"))
    assert splicer.pending() == () and splicer.dropped()
    answer = PARSERS[dialect](given + splicer.finish(NOTE), kind == "stream")
    assert calls(answer) == [("read", {"path": "/x"})] and ending(answer) == "calls"
    assert texts(answer) == ["Both."] and thoughts(answer) == ["hm"] and usage(answer) == (100, 60, 10)


@every
def test_reasoning_behind_a_call_of_ours_is_left_out_where_it_is_sealed(dialect: str, kind: Kind) -> None:
    kept = thoughts(seen(dialect, kind, ASKS, TELLS))
    assert "".join(kept) in ("hm", "hmah", "hm\n\nah")
    assert (kept == ["hm"]) == (dialect != "openai_chat")  # where it is plain text


@every
def test_a_call_that_was_cut_off_is_not_answered(dialect: str, kind: Kind) -> None:
    cut = Said("one", (spoken("Let me"), calling("recall")), "length")
    splicer = SPLICERS[dialect, kind](NAMES)
    given = splicer.feed(worded(dialect, cut, kind == "stream"))
    assert splicer.pending() == ()
    given += splicer.finish(NOTE)  # which the SDKs call an error
    assert b"recall" not in given and NOTE.encode() not in given
    assert any(word in given for word in (b'"max_tokens"', b'"length"', b'"incomplete"'))


@every
def test_an_unanswered_call_leaves_a_regular_end_that_says_so(dialect: str, kind: Kind) -> None:
    answer = seen(dialect, kind, ASKS)
    assert texts(answer) == ["Let me look.", NOTE]
    assert calls(answer) == [] and ending(answer) == "end" and usage(answer) == (100, 60, 10)
    alone = seen(dialect, kind, Said("one", (calling("recall"),), "calls"))
    assert texts(alone) == [NOTE] and ending(alone) == "end"


@every
def test_what_is_said_before_a_call_passes_at_once_and_untouched(dialect: str, kind: Kind) -> None:
    if kind == "whole":
        return
    body = worded(dialect, ASKS, True)
    at = body.index(b'"recall"')
    start = body.rindex(b"\n\n", 0, at) + 2
    splicer = SPLICERS[dialect, kind](NAMES)
    assert splicer.feed(body[:at]) == body[:start]


@every
def test_several_calls_are_answered_in_their_order(dialect: str, kind: Kind) -> None:
    said = Said("one", (calling("recall", '{"id": "hf-a"}'), calling("recall", '{"id": "hf-b"}')), "calls")
    splicer = SPLICERS[dialect, kind](NAMES)
    splicer.feed(worded(dialect, said, kind == "stream"))
    assert [json.loads(one.arguments)["id"] for one in splicer.pending()] == ["hf-a", "hf-b"]
    again = b"".join(splicer.said(["first", "second"]))
    assert again.index(b"first") < again.index(b"second")


@pytest.mark.parametrize("dialect", dict(SPLICERS))
def test_events_that_nobody_knows_pass_as_they_came(dialect: tuple[str, Kind]) -> None:
    if dialect[1] == "whole":
        return
    odd = b': a comment\n\nevent: new\ndata: {"type": "new", "index": 7}\n\ndata: nonsense\n\ndata: [1]\n\n'
    splicer = SPLICERS[dialect](NAMES)
    assert splicer.feed(odd) == odd
    splicer.feed(worded(dialect[0], ASKS, True))
    assert splicer.pending()


@every
def test_a_later_answer_that_cannot_be_read_leaves_a_regular_end(dialect: str, kind: Kind) -> None:
    splicer = SPLICERS[dialect, kind](NAMES)
    given = splicer.feed(worded(dialect, ASKS, kind == "stream"))
    splicer.pending()
    splicer.go_on()
    given += splicer.feed(b"nonsense\n\n") if kind == "whole" else b""
    splicer.pending()
    end = splicer.finish(NOTE)
    if kind == "whole":
        answer = PARSERS[dialect](given + end, False)
        assert texts(answer) == ["Let me look.", NOTE] and ending(answer) == "end"
    else:
        assert end == b""  # it broke off, and so does what the agent gets

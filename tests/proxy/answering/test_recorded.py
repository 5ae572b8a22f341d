"""The splicers over recorded answers of real providers.

Without a call of ours not a byte differs, in whatever chunks an answer comes. With the tools that a model called
taken for ours, the SDKs see the same answer less those calls, and what is said again to the provider is what the
SDK would have sent back.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.answering.calls import Splicer
from proxy.answering.opening import SPLICERS, Kind
from proxy.dialects.registry import recognise
from tests.end_to_end.recorded import Line, lines
from tests.proxy.answering.parsing import PARSERS, Parsed

FILES = {
    "anthropic_messages": ("anthropic", "anthropic-vertex"),
    "openai_chat": ("openai-chat", "openai-chat-compatible"),
    "openai_responses": ("openai-responses", "openai-responses-compatible"),
}
SIZES = (3, 1000)


def answers(shared: Path, dialect: str) -> Iterator[Line]:
    for file in FILES[dialect]:
        for line in lines(shared, f"cassettes/{file}"):
            found = recognise(line.path)
            if found and found.name == dialect and line.status == 200 and line.answer:
                yield line


def opened(dialect: str, line: Line, names: frozenset[str]) -> Splicer:
    kind: Kind = "stream" if line.streamed else "whole"
    return SPLICERS[dialect, kind](names)


def through(splicer: Splicer, answer: bytes, size: int) -> bytes:
    """What the agent gets of it, up to its end."""
    return b"".join(splicer.feed(answer[start : start + size]) for start in range(0, len(answer), size))


@pytest.mark.parametrize("dialect", FILES)
def test_an_answer_without_a_call_of_ours_passes_byte_for_byte(shared: Path, dialect: str) -> None:
    seen = 0
    for line in answers(shared, dialect):
        assert line.answer
        for size in SIZES:
            splicer = opened(dialect, line, frozenset({"recall"}))
            given = through(splicer, line.answer, size)
            assert splicer.pending() == ()
            assert given + splicer.finish("never said") == line.answer, line.number
            seen += 1
    assert seen > 100


@pytest.mark.parametrize("dialect", FILES)
def test_calls_taken_out_are_all_that_an_sdk_misses(shared: Path, dialect: str) -> None:
    seen = 0
    for line in answers(shared, dialect):
        assert line.answer
        before = PARSERS[dialect](line.answer, line.streamed)
        names = frozenset(called(before))
        if not names:
            continue
        seen += 1
        splicer = opened(dialect, line, names)
        given = through(splicer, line.answer, 50)
        assert [one.name for one in splicer.pending()] == called(before)
        assert_said_again(before, splicer.said(["ok"] * len(splicer.pending())))
        after = PARSERS[dialect](given + splicer.finish("(over)"), line.streamed)
        assert called(after) == []
        assert text(after) == "\n\n".join(filter(None, (text(before), "(over)")))
        assert after.get("usage") == before.get("usage") and after["id"] == before["id"]
    assert seen > 10


def called(answer: Parsed) -> list[str]:
    """Names of the calls that the agent is to answer."""
    if "content" in answer:
        return [block["name"] for block in answer["content"] if block["type"] == "tool_use"]
    if "output" in answer:
        return [item["name"] for item in answer["output"] if item["type"] == "function_call"]
    return [call["function"]["name"] for call in _spoken(answer).get("tool_calls", ())]


def text(answer: Parsed) -> str:
    if "content" in answer:
        return "\n\n".join(block["text"] for block in answer["content"] if block["type"] == "text")
    if "output" in answer:
        parts = [part for item in answer["output"] if item["type"] == "message" for part in item["content"]]
        return "\n\n".join(part["text"] for part in parts)
    return str(_spoken(answer).get("content") or "")


def _spoken(answer: Parsed) -> dict[str, Any]:
    message: dict[str, Any] = answer["choices"][0]["message"]
    return message


def assert_said_again(answer: Parsed, said: tuple[bytes, ...]) -> None:
    """As whoever keeps the SDK's object would send it, then one result for each call."""
    first, *results = map(json.loads, said)
    if "content" in answer:
        assert [pruned(block) for block in first["content"]] == [pruned(block) for block in answer["content"]]
        ids = [block["id"] for block in answer["content"] if block["type"] == "tool_use"]
        assert [one["tool_use_id"] for one in results[0]["content"]] == ids
    elif "output" in answer:
        sealed = [item for item in answer["output"] if item["type"] != "reasoning" or "encrypted_content" in item]
        again = [first, *results]
        for item in (*again, *sealed):
            item.pop("encrypted_content", None)  # the provider encrypts it anew for the last event
        assert [pruned(item) for item in again[: len(sealed)]] == [pruned(item) for item in sealed]
        ids = [item["call_id"] for item in answer["output"] if item["type"] == "function_call"]
        assert [one["call_id"] for one in again[len(sealed) :]] == ids
    else:
        spoken = _spoken(answer)
        assert (first["content"] or "") == (spoken.get("content") or "")
        assert list(map(call, first["tool_calls"])) == list(map(call, spoken["tool_calls"]))
        assert [one["tool_call_id"] for one in results] == [one["id"] for one in spoken["tool_calls"]]


def call(fields: dict[str, Any]) -> tuple[str, str, str]:
    return fields["id"], fields["function"]["name"], fields["function"]["arguments"]


def pruned(value: Any) -> Any:
    """Without what is not stated, and what the SDK has put in."""
    if isinstance(value, list):
        return [pruned(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: pruned(v) for k, v in value.items() if v is not None and k not in ("parsed_output", "parsed_arguments")}

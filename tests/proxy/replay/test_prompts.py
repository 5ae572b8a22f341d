"""Requests as a cache sees them."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.replay.prompts import Reader
from proxy.replay.wire import script

from .sessions import count, marked_profile, profile, trace


def reader() -> Reader:
    return Reader(ANTHROPIC_MESSAGES, "/v1/messages", count)


def body(*messages: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields, "messages": list(messages)}).encode()


def user(*texts: str, marked: bool = False) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
    if marked:
        blocks[-1]["cache_control"] = {"type": "ephemeral"}
    return {"role": "user", "content": blocks}


@given(st.lists(st.integers(1, 60), max_size=5))
def test_reading_on_from_a_request_is_reading_it_anew(sizes: list[int]) -> None:
    for made in (script(trace(sizes), profile()), script(trace(sizes), marked_profile())):
        going, before = Reader(made.dialect, made.path, count), None
        for call in made.calls:
            before = going.read(call.body, before)
            assert before == Reader(made.dialect, made.path, count).read(call.body)


def test_tokens_add_up_to_those_of_head_and_messages() -> None:
    sent = reader().read(body(user("a" * 40, "b" * 20), {"role": "user", "content": []}, system="s" * 80))
    assert sent.prompt.tokens[0] == sent.head.tokens > 0
    assert sent.prompt.total == sent.head.tokens + sum(message.tokens for message in sent.messages)
    assert sent.prompt.ends == (0, 2, 3)


def test_a_marker_is_no_content() -> None:
    plain, marked = reader().read(body(user("a"))), reader().read(body(user("a", marked=True)))
    assert plain.prompt.chain == marked.prompt.chain
    assert (plain.prompt.marks, marked.prompt.marks) == ((), (1,))


def test_a_marker_in_the_head_stands_at_its_end_and_all_are_counted() -> None:
    system = [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}] * 2
    sent = reader().read(body(user("a", "b", marked=True), system=system))
    assert sent.prompt.marks == (0, 2) and sent.markers == 3


def test_the_automatic_marker_stands_at_the_end_and_counts_as_one() -> None:
    automatic = {"cache_control": {"type": "ephemeral"}}
    alone = reader().read(body(user("a", "b"), **automatic))
    assert (alone.prompt.marks, alone.markers) == ((2,), 1)
    beside = reader().read(body(user("a", "b", marked=True), **automatic))
    assert (beside.prompt.marks, beside.markers) == ((2,), 2)


def test_markers_that_ask_for_the_long_life_are_told_apart_wherever_they_stand() -> None:
    long = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    system = [{"type": "text", "text": "s", **long}]
    block = {"type": "text", "text": "a", **long}
    sent = reader().read(body({"role": "user", "content": [block]}, user("b", marked=True), system=system))
    assert (sent.prompt.marks, sent.prompt.long) == ((0, 1, 2), (0, 1))
    automatic = reader().read(body(user("a"), **long))
    assert (automatic.prompt.marks, automatic.prompt.long) == ((1,), (1,))


def test_an_automatic_marker_of_the_request_before_has_moved_on() -> None:
    automatic = {"cache_control": {"type": "ephemeral"}}
    one = reader()
    before = one.read(body(user("a"), **automatic))
    assert one.read(body(user("a"), user("b"), **automatic), before).prompt.marks == (2,)
    before = one.read(body(user("a", marked=True), **automatic))
    assert one.read(body(user("a", marked=True), user("b"), **automatic), before).prompt.marks == (1, 2)


def test_whatever_the_head_holds_is_in_every_link() -> None:
    chains = [
        reader().read(body(user("a"), **fields)).prompt.chain
        for fields in (
            {},
            {"system": "s"},
            {"tools": [{"name": "t"}]},
            {"model": "n"},
            {"tool_choice": {"type": "any"}},
        )
    ]
    assert len({chain[0] for chain in chains}) == len({chain[-1] for chain in chains}) == len(chains)


def test_a_run_of_calls_or_of_results_is_one_position() -> None:
    calls = [{"type": "tool_use", "id": str(n), "name": "t", "input": {}} for n in range(3)]
    results = [{"type": "tool_result", "tool_use_id": str(n), "content": str(n)} for n in range(3)]
    sent = reader().read(
        body(user("a", "b"), {"role": "assistant", "content": calls}, {"role": "user", "content": results})
    )
    assert sent.prompt.places == (0, 1, 2, 3, 3, 3, 4, 4, 4)


def test_equal_bytes_are_read_once() -> None:
    one = reader()
    first, second = one.read(body(user("a"))), one.read(body(user("a"), user("b")))
    assert first.messages[0] is second.messages[0]

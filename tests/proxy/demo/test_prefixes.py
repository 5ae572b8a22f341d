"""What counts as a break of the prefix, and which ones are explained."""

import json
from typing import Any

from policies.core.usage import Usage
from proxy.demo.agent import Answer
from proxy.demo.prefixes import Break, Said, breaks, said
from proxy.simulator.records import Record

USER = {"role": "user", "content": "do it"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "read", "input": {}}]}


def result(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": text, **more}]}


def record(*messages: dict[str, Any]) -> Record:
    body = json.dumps({"tools": [{"name": "read"}], "system": "be brief", "messages": messages})
    return Record(0, "POST", "/v1/messages", "", (), body.encode(), 0.0)


def answer(total: int, read: int, plan: str = "applied=none; removed=0; prefix=kept") -> Answer:
    usage = Usage(input=total, cache_read=read, cache_write=total - read)
    return Answer(200, (), "end_turn", usage, {"x-holdfast-plan": plan})


MASKED = "applied=mask:1,stabilize:2; removed=400; prefix=broken:policy_mask@messages[3]"


def found(second: Record, reply: Answer) -> tuple[Break, ...]:
    first = record(USER, CALL, result("long"))
    return breaks((first, second), (answer(1000, 0), reply), (1000, 50))


def test_the_header_says_how_many_were_masked_and_what_became_of_the_prefix() -> None:
    assert said(answer(1, 0, MASKED)) == Said(1, "broken:policy_mask@messages[3]")
    assert said(answer(1, 0, MASKED)).cause == "policy_mask"
    assert said(Answer(200, (), "", Usage(), {})) == Said()


def test_a_request_that_only_grows_is_no_break() -> None:
    assert found(record(USER, CALL, result("long"), CALL), answer(1050, 1000)) == ()


def test_a_moved_marker_and_a_text_in_a_block_of_its_own_are_no_break() -> None:
    marked = {"role": "user", "content": [{"type": "text", "text": "do it", "cache_control": {"type": "ephemeral"}}]}
    assert found(record(marked, CALL, result("long"), CALL), answer(1050, 1000)) == ()


def test_a_planned_mask_is_a_break_that_is_explained() -> None:
    (one,) = found(record(USER, CALL, result("short"), CALL), answer(650, 200, MASKED))
    assert one == Break(turn=2, changed=1, again_tokens=400, masked=1, cause="policy_mask")
    assert one.explained


def test_a_change_that_no_plan_names_is_not_explained() -> None:
    (one,) = found(record(USER, CALL, result("short"), CALL), answer(650, 200))
    assert not one.explained


def test_more_changed_than_planned_is_not_explained() -> None:
    other = {"role": "user", "content": "do that"}
    (one,) = found(record(other, CALL, result("short")), answer(650, 200, MASKED))
    assert one.changed == 2 and not one.explained


def test_a_shorter_request_is_a_break() -> None:
    (one,) = found(record(USER), answer(300, 100))
    assert one.changed == 2


def test_tokens_that_were_cached_and_are_not_read_are_a_break_although_nothing_changed() -> None:
    (one,) = found(record(USER, CALL, result("long"), CALL), answer(1050, 200))
    assert (one.changed, one.again_tokens, one.explained) == (0, 800, False)

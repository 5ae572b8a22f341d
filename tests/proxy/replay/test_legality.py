"""Every way in which a sent request could break a rule is noticed."""

import json
from typing import Any

import pytest

from policies.core.conversation import BlockHash
from policies.core.edits import Anchor, Decision, Edit, Placed
from policies.core.plan import Plan
from policies.core.profile import Breakpoints, Profile
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.replay.legality import breaks, violations
from proxy.replay.prompts import Reader, Sent

from .sessions import count, marked_profile, profile

MARKER = {"type": "ephemeral"}
BINDS = marked_profile(binds_reasoning="rejects")
Messages = list[dict[str, Any]]


def messages() -> Messages:
    return [
        {"role": "user", "content": [{"type": "text", "text": "go"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "tool_use", "id": "1", "name": "read", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "long " * 99}]},
        {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
        {"role": "user", "content": [{"type": "text", "text": "on", "cache_control": MARKER}]},
    ]


def sent(content: Messages, **fields: Any) -> Sent:
    body = json.dumps({"model": "m", **fields, "messages": content}).encode()
    return Reader(ANTHROPIC_MESSAGES, "/v1/messages", count).read(body)


def found(change: Any, profile: Profile | None = None) -> tuple[str, ...]:
    after = messages()
    fields = change(after) or {}
    return violations(sent(messages()), sent(after, **fields), profile or marked_profile())


def masked(after: Messages) -> None:
    after[2]["content"][0]["content"] = "[gone]"


def test_a_masked_result_and_a_marker_of_ours_are_legal() -> None:
    def change(after: Messages) -> None:
        masked(after)
        after[1]["content"][1]["cache_control"] = MARKER

    assert found(change) == ()


CHANGES: dict[str, Any] = {
    "messages": lambda after: after.pop(),
    "roles": lambda after: after[3].update(role="user"),
    "pairs": lambda after: after[2]["content"][0].update(tool_use_id="2"),
    "reasoning": lambda after: after[1]["content"][0].update(thinking="ha"),
    "content": lambda after: after[0]["content"][0].update(text="stop"),
    "client_markers": lambda after: after[4]["content"][0].pop("cache_control"),
}


@pytest.mark.parametrize("rule", CHANGES)
def test_every_other_change_is_a_violation(rule: str) -> None:
    def change(after: Messages) -> None:
        CHANGES[rule](after)

    assert rule in found(change)


def test_a_note_behind_the_users_text_is_legal_and_a_cut_or_a_note_behind_the_models_is_not() -> None:
    def change(after: Messages, place: int, text: str) -> None:
        after[place]["content"][0]["text"] = text

    assert found(lambda after: change(after, 4, "on\n\n[context note]")) == ()
    assert found(lambda after: change(after, 4, "")) == ("content",)
    assert found(lambda after: change(after, 3, "so\n\n[context note]")) == ("content",)


def test_a_changed_head_is_a_violation() -> None:
    assert found(lambda after: {"system": "other"}) == ("head",)


def test_a_longer_text_that_is_no_note_is_a_violation() -> None:
    assert found(lambda after: after[0]["content"][0].update(text="go on, and more than ever")) == ("content",)


TOOLS = [{"name": "read", "input_schema": {}}, {"name": "write", "input_schema": {}}]


def test_a_head_may_go_out_as_on_the_call_before_and_tools_may_be_more_but_nothing_else() -> None:
    def wrong(was: dict[str, Any], came: dict[str, Any], went: dict[str, Any]) -> tuple[str, ...]:
        last, received, now = (sent(messages(), **fields) for fields in (was, came, went))
        return violations(received, now, marked_profile(), last)

    assert wrong({"system": "it is 9:00"}, {"system": "it is 9:01"}, {"system": "it is 9:00"}) == ()
    assert wrong({"system": "it is 9:00"}, {"system": "it is 9:01"}, {"system": "it is 9:02"}) == ("head",)
    choice = {"tool_choice": {"type": "none"}}
    assert wrong({"tools": TOOLS}, {"tools": TOOLS[:1]}, {"tools": TOOLS, **choice}) == ()
    assert wrong({"tools": TOOLS[:1]}, {"tools": TOOLS[1:]}, {"tools": TOOLS}) == ()
    assert wrong({}, {"tools": TOOLS}, {"tools": TOOLS[:1]}) == ("head",)
    assert wrong({}, {"tools": TOOLS}, {"tools": TOOLS, **choice}) == ("head",)


@pytest.mark.parametrize(("limit", "expected"), [(1, ("markers",)), (2, ())])
def test_markers_are_at_most_what_the_model_takes(limit: int, expected: tuple[str, ...]) -> None:
    def change(after: Messages) -> None:
        after[0]["content"][0]["cache_control"] = MARKER

    assert found(change, marked_profile().__class__(**fields(limit))) == expected


def fields(limit: int) -> dict[str, Any]:
    known = marked_profile()
    kept = {name: getattr(known, name) for name in known.__struct_fields__}
    return {**kept, "cache": Breakpoints(limit=limit)}


def test_a_model_that_takes_no_markers_gets_none() -> None:
    def change(after: Messages) -> None:
        after[0]["content"][0]["cache_control"] = MARKER

    assert found(change, profile()) == ("markers",)


def planned(*places: int) -> Plan:
    edits = [Edit("mask", Anchor(BlockHash(b"%d" % place)), "[gone]", 9) for place in places]
    return Plan(
        decisions=tuple(Decision(edit, "applied", "pays") for edit in edits),
        in_force=tuple(Placed(edit, place, 0) for edit, place in zip(edits, places, strict=True)),
    )


def pair(change: Any = None) -> tuple[Sent, Sent]:
    after = messages()
    if change:
        change(after)
    return sent(messages()), sent(after)


def test_a_request_that_goes_on_from_the_one_before_breaks_nothing() -> None:
    assert breaks(pair(), pair(), Plan(), 0, BINDS) == ()
    assert breaks(pair(masked), pair(masked), Plan(), 0, BINDS) == ()


def test_a_prefix_that_changed_without_a_plan_is_a_violation() -> None:
    assert breaks(pair(), pair(masked), None, 0, BINDS) == ("append_only",)
    assert breaks(pair(masked), pair(), Plan(), 0, BINDS) == ("append_only",)


def test_a_plan_excuses_a_change_where_it_edits_and_not_before() -> None:
    assert breaks(pair(), pair(masked), planned(2), 0, BINDS) == ()
    assert breaks(pair(), pair(masked), planned(3), 0, BINDS) == ("append_only",)
    assert breaks(pair(), pair(masked), planned(1), 1, BINDS) == ()


def test_a_prefix_that_the_agent_changed_is_no_violation() -> None:
    other = messages()
    other[0]["content"][0]["text"] = "other"
    now = sent(other), sent(other)
    assert breaks(pair(), now, Plan(), 0, BINDS) == ()


def test_an_edit_before_reasoning_that_the_provider_has_bound_is_a_violation() -> None:
    def change(after: Messages) -> None:
        after[0]["content"][0]["text"] = "edited"

    assert "bound_reasoning" in breaks(pair(), pair(change), planned(0), 0, BINDS)
    assert breaks(pair(), pair(change), planned(0), 0, marked_profile()) == ()
    assert breaks(pair(), pair(masked), planned(2), 0, BINDS) == ()

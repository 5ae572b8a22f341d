"""The short form of a plan, and what counts as applied."""

import pytest
from msgspec.structs import replace

from policies.core.divergence import Difference
from policies.core.edits import Anchor, Decision, Edit, EditKind, Verdict
from policies.core.lineage import Sent
from policies.core.plan import Break, Kept, Plan
from tests.policies.building import block_hash

KINDS: tuple[EditKind, ...] = ("recite", "tools", "stabilize", "shape", "mask")


def decision(verdict: Verdict, kind: EditKind = "mask") -> Decision:
    return Decision(Edit(kind, Anchor(block_hash("a")), "placeholder", 10), verdict, "word")


def test_only_what_is_applied_is_added_by_the_turn() -> None:
    applied, deferred, rejected = decision("applied"), decision("deferred"), decision("rejected")
    assert Plan((rejected, deferred, applied, applied)).applied == (applied, applied)


HEADS = (
    Kept("stabilize", "system", "applied", "reworded"),
    Kept("tools", "tools", "applied", "withdrawn"),
    Kept("stabilize", "system", "rejected", "long_change"),
)
PLAN = Plan(sent=Sent(0.0, tokens=700, received_tokens=1000))


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (Plan(), "applied=none; removed=0; prefix=kept"),
        (PLAN, "applied=none; removed=300; prefix=kept"),
        (replace(PLAN, decisions=(decision("deferred"),)), "applied=none; removed=300; prefix=kept"),
        (
            replace(PLAN, decisions=(decision("deferred"), decision("applied")), prefix="broken:policy_mask"),
            "applied=mask:1; removed=300; prefix=broken:policy_mask",
        ),
        (replace(PLAN, heads=HEADS), "applied=stabilize:1,tools:1; removed=300; prefix=kept"),
        (replace(PLAN, replayed=(1, 4), prefix="first"), "applied=stabilize:2; removed=300; prefix=first"),
        (
            replace(PLAN, decisions=(decision("applied"),) * 3, replayed=(1,)),
            "applied=mask:3,stabilize:1; removed=300; prefix=kept",
        ),
        (
            replace(
                PLAN,
                decisions=(*(decision("applied", kind) for kind in KINDS), decision("applied", "shape")),
                replayed=(1,),
            ),
            "applied=mask:1,shape:2,stabilize:2,tools:1,recite:1; removed=300; prefix=kept",
        ),
    ],
)
def test_the_summary_says_what_was_applied_what_was_removed_and_whether_the_prefix_held(plan: Plan, text: str) -> None:
    assert plan.summary() == text


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (Difference("system", 1, "text", "changed", "a", "b"), "@system[1].text"),
        (Difference("model", 0, "", "changed", "a", "b"), "@model"),
        (Difference("parameters", 0, "tool_choice.type", "changed", "a", "b"), "@parameters.tool_choice.type"),
        (Difference("parameters", 0, "", "changed", "", ""), "@parameters"),
        (Difference("tools", 3, "", "inserted", "", "b"), "@tools[3]"),
        (
            Difference("messages", 4, "content[0].input.a; b\nc", "changed", "a", "b"),
            "@messages[4].content[0].input.a??b?c",
        ),
        (Difference("messages", 4, "x" * 200, "changed", "a", "b"), "@messages[4]." + "x" * 68),
    ],
)
def test_the_summary_names_the_place_of_the_break_in_plain_characters(where: Difference, place: str) -> None:
    broken = replace(PLAN, prefix="broken:tools_changed")
    other = Break("policy_mask", "mask", Difference("messages", 9, "", "changed", "", ""))
    assert replace(broken, breaks=(other,)).summary().endswith("prefix=broken:tools_changed")
    found = replace(broken, breaks=(Break("tools_changed", "client", where), other))
    assert found.summary().endswith(f"prefix=broken:tools_changed{place}")

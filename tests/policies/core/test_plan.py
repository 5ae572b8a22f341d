"""The short form of a plan, and what counts as applied."""

import pytest
from msgspec.structs import replace

from policies.core.edits import Anchor, Decision, Edit, Verdict
from policies.core.lineage import Sent
from policies.core.plan import Plan
from tests.policies.building import block_hash


def decision(verdict: Verdict) -> Decision:
    return Decision(Edit("mask", Anchor(block_hash("a")), "placeholder", 10), verdict, "word")


def test_only_what_is_applied_is_added_by_the_turn() -> None:
    applied, deferred, rejected = decision("applied"), decision("deferred"), decision("rejected")
    assert Plan((rejected, deferred, applied, applied)).applied == (applied, applied)


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
        (replace(PLAN, replayed=(1, 4), prefix="first"), "applied=stabilize:2; removed=300; prefix=first"),
        (
            replace(PLAN, decisions=(decision("applied"),) * 3, replayed=(1,)),
            "applied=mask:3,stabilize:1; removed=300; prefix=kept",
        ),
    ],
)
def test_the_summary_says_what_was_applied_what_was_removed_and_whether_the_prefix_held(plan: Plan, text: str) -> None:
    assert plan.summary() == text

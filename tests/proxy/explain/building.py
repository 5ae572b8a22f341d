"""Turns for the tests of what is shown: made from a few figures."""

from typing import Any

from policies.core.divergence import Difference
from policies.core.edits import Arithmetic
from policies.core.outcome import Lost, Outcome, Step, Story, Tally
from policies.core.plan import Break
from proxy.explain.looking import Turn
from tests.proxy.store.records import record

WHERE = Difference("system", 1, "text", "changed", "It is one o'clock", "It is two o'clock")
CHANGED = Story(
    agent="claude-code",
    upstream="anthropic",
    policy="default",
    prefix="broken:system_changed",
    tokens=9_000,
    received=10_000,
    cached=8_000,
    age=12.0,
    lives=300.0,
    achievable=1_000,
    losses=(Lost("system_changed", "client", 7_000, 0.02),),
    breaks=(Break("system_changed", "client", WHERE),),
)
MASKING = Story(
    prefix="broken:policy_mask",
    policy="default",
    tallies=(Tally("mask", "rejected", "bound_reasoning", 1, 50), Tally("mask", "applied", "pays", 2, 400)),
    steps=(
        Step("mask", "rejected", "bound_reasoning", 50),
        Step("mask", "applied", "pays", 100, 7, "read_file"),
        Step("mask", "applied", "pays", 300, 9, "run"),
    ),
    arithmetic=Arithmetic(removed_tokens=400, price_usd=0.08, saving_usd=0.02, rent_usd=0.03),
    losses=(Lost("policy_mask", "mask", 4_000, 0.08),),
    turns=14.0,
)


def turn(number: int = 1, story: Story | None = CHANGED, **outcome: Any) -> Turn:
    """One turn; `outcome` overrides what was reported."""
    reported = {"status": 200, "input": 10_000, "cache_read": 1_000, "cache_write": 9_000, "output": 50}
    costs = {"cost_usd": 0.05, "direct_usd": 0.07}
    return Turn(number, record(number), Outcome(**{**reported, **costs, **outcome, "story": story}))

"""What is kept of a plan survives its way into a store and back, and what was kept before it was told still reads."""

import msgspec

from policies.core.divergence import Difference
from policies.core.edits import Arithmetic
from policies.core.outcome import Lost, Outcome, Step, Story, Tally
from policies.core.plan import Break

STORY = Story(
    prefix="broken:policy_mask",
    losses=(Lost("policy_mask", "mask", 100, 0.25),),
    breaks=(Break("policy_mask", "mask", Difference("messages", 3, "content", "changed", "long", "short")),),
    tallies=(Tally("mask", "applied", "pays", 1, 90),),
    steps=(Step("mask", "applied", "pays", 90, 3, "read_file"),),
    arithmetic=Arithmetic(price_usd=0.25),
)


def test_a_story_is_the_same_after_the_store() -> None:
    outcome = Outcome(200, input=9, story=STORY)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome), type=Outcome) == outcome


def test_an_outcome_of_an_earlier_version_has_no_story() -> None:
    packed = msgspec.msgpack.encode({"status": 200, "input": 9, "cost_usd": 0.5})
    assert msgspec.msgpack.decode(packed, type=Outcome) == Outcome(200, input=9, cost_usd=0.5)

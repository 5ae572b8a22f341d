"""Comparisons made of a few figures."""

from policies.core.profile import LongestPrefix, Prices, Profile
from policies.core.usage import Usage
from proxy.demo.agent import Answer
from proxy.demo.figures import Comparison, totals, turns
from proxy.demo.prefixes import Break

PROFILE = Profile(
    name="a",
    provider="test",
    match=("a",),
    prices=Prices(input=1.0, read=0.1, write=1.25, output=5.0),
    cache=LongestPrefix(),
    context_limit=1_000_000,
    sources=(),
)
PLANNED = Break(turn=2, changed=3, again_tokens=1_000, masked=3, cause="policy_mask")


def answer(total: int, read: int, status: int = 200) -> Answer:
    return Answer(status, (), "end_turn", Usage(input=total, cache_read=read, cache_write=total - read, output=10), {})


DIRECT = (answer(10_000, 0), answer(30_000, 10_000), answer(60_000, 30_000))


def comparison(
    *ours: Answer, found: tuple[Break, ...] = (PLANNED,), different: int = 0, direct: tuple[Answer, ...] = DIRECT
) -> Comparison:
    return Comparison(
        session="s",
        model="a",
        direct=totals(direct, PROFILE),
        holdfast=totals(ours, PROFILE),
        turns=turns(direct, ours, found, PROFILE),
        breaks=found,
        direct_breaks=0,
        different_answers=different,
    )


GOOD = comparison(answer(10_000, 0), answer(12_000, 8_000), answer(42_000, 12_000))

"""Near the smallest prefix that is cached: which shapes are made and which are left out."""

import pytest
from msgspec.structs import replace

from policies.core.conversation import Conversation
from policies.core.edits import Placed
from policies.core.index import Index
from policies.core.lineage import Lineage, with_fresh
from policies.core.minimum import cacheable
from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, TokenBlocks, Units
from tests.policies.building import asked, conversation, observed, placed, profile, seen, steps

WHOLE = conversation(asked(), *steps(400, 600), observed("o2", 300))
"""1,000 tokens of head, 100 + 450 + 650 + 300."""
FIRST, SECOND = placed(WHOLE, 4, 200), placed(WHOLE, 5, 100)
SENT = seen(WHOLE, 3)


def made(minimum: int, *fresh: Placed, past: Lineage = SENT, whole: Conversation = WHOLE) -> tuple[Placed, ...]:
    known = profile(LongestPrefix(minimum=minimum))
    found, left = cacheable(whole, past, fresh, known)
    assert (found, left) == cacheable(whole, past, fresh, known, Index().extended(whole.messages))
    assert {decision.edit for decision in left} == {each.edit for each in fresh if each not in found}
    assert all((decision.verdict, decision.reason) == ("rejected", "below_minimum") for decision in left)
    return found


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [
        (0, (FIRST, SECOND)),
        (2000, (FIRST, SECOND)),  # 2,200 - 200 tokens end with the first shape
        (2001, (SECOND,)),  # without the first, 2,500 - 100 end with the second
        (2400, (SECOND,)),
        (2401, ()),
    ],
)
def test_a_shape_is_made_where_the_prefix_that_ends_with_it_is_cached(
    minimum: int, expected: tuple[Placed, ...]
) -> None:
    assert made(minimum, FIRST, SECOND) == expected


def test_what_is_in_force_before_it_counts_as_sent() -> None:
    past = with_fresh(SENT, (placed(WHOLE, 2, 150),))
    assert made(2000, FIRST, past=past) == ()
    assert made(1850, FIRST, past=past) == (FIRST,)


def test_nothing_is_lost_where_nothing_is_cached_yet_either() -> None:
    """But it must not be shaped: the run may outgrow the minimum, and later with the shape than without."""
    assert made(4096, FIRST, SECOND) == ()


def test_a_note_is_never_left_out() -> None:
    note = replace(FIRST, edit=replace(FIRST.edit, kind="recite", removes=-30, way="append"))
    assert made(4096, note) == (note,)
    assert made(2401, SECOND, note) == (note,)


@pytest.mark.parametrize(
    ("rule", "count"),
    [(Breakpoints(minimum=2001), 0), (Breakpoints(minimum=2000), 1), (Units(), 1), (TokenBlocks(), 1)],
)
def test_by_every_rule_of_a_cache(rule: CacheRule, count: int) -> None:
    assert len(cacheable(WHOLE, SENT, (FIRST,), profile(rule))[0]) == count

"""Where markers go, for how long, and when none pays: each rule by itself.

Claude's prices of most tests: input 3.0, read 0.3, write 3.75, for an hour 6.0. A tail pays while the chance of a read
exceeds 0.75 / 3.45 = 0.2174.
"""

import pytest
from msgspec.structs import replace

from policies.core.conversation import Conversation, Role
from policies.core.lineage import Ledger, Lineage, Sent
from policies.core.markers import QUICK, Chances, chances, counted, marks
from policies.core.plan import HEAD, Marker
from policies.core.profile import Breakpoints, LongestPrefix, Prices, Profile
from policies.core.turn import Turn, facts
from tests.policies.building import (
    asked,
    called,
    conversation,
    marked_at,
    marked_at_the_end,
    message,
    observation,
    observed,
    profile,
    seen,
    steps,
    thought,
)

RULE = Breakpoints()
CLAUDE = profile(RULE, Prices(input=3.0, read=0.3, write=3.75, write_long=6.0, output=15.0))
GPT = profile(
    Breakpoints(automatic=True, ttl=1800.0, long_ttl=43_200.0),
    Prices(input=4.0, read=0.4, write=5.0, write_long=10.0, output=20.0),
)
SURE = Chances(0.9, 0.9, 1.0)
RICH = 1.0
"""USD: no fee is too much."""
WHOLE = conversation(asked(), *steps(2000, 300, 500), tools=1)
HEADED = replace(WHOLE, head=replace(WHOLE.head, markable=True, tokens=2000))


def turn(whole: Conversation = WHOLE, past: Lineage | None = None, known: Profile = CLAUDE, now: float = 1.0) -> Turn:
    return facts(whole, past or Lineage(), known, now)


def placed(
    whole: Conversation = WHOLE,
    past: Lineage | None = None,
    expected: Chances = SURE,
    *,
    known: Profile = CLAUDE,
    allowance: float = RICH,
    now: float = 1.0,
) -> list[tuple[int, str, bool]]:
    """(message, reason, long) of each marker."""
    past = past or Lineage()
    found = marks(turn(whole, past, known, now), past, expected, allowance)
    return [(marker.message, marker.reason, marker.long) for marker in found]


# Chances


def test_a_first_request_without_tools_is_a_side_call() -> None:
    alone = conversation(asked())
    assert chances(alone, 0, Ledger(), 10) == Chances(0, 0, 0)
    assert chances(conversation(asked(), tools=1), 0, Ledger(), 9) == Chances(0.9, 0.9, 1.0)
    assert chances(conversation(asked(), called("o"), asked("more")), 1, Ledger(), 9) == Chances(0.9, 0.9, 1.0)


def test_chances_are_counted_from_the_turns_of_the_lineage() -> None:
    assert QUICK == 2
    ledger = Ledger(pauses=2, absences=1, rewrites=5)
    found = chances(WHOLE, 8, ledger, 9)
    assert (found.again, found.later, found.whole) == pytest.approx((0.9 * 0.7, 0.9 * 0.9, 0.5))
    assert chances(WHOLE, 0, Ledger(pauses=9, absences=9, rewrites=9), 9) == Chances(0, 0, 0)


@pytest.mark.parametrize(("gap", "pauses", "absences"), [(300, 0, 0), (301, 1, 0), (3600, 1, 0), (3601, 0, 1)])
def test_gaps_are_counted_by_what_outlasts_them(gap: float, pauses: int, absences: int) -> None:
    found = counted(Ledger(), Lineage(last=Sent(0.0, 0, 0)), RULE, gap)
    assert found == Ledger(pauses=pauses, absences=absences)


def test_where_no_long_life_is_known_every_longer_gap_is_an_absence() -> None:
    found = counted(Ledger(), Lineage(last=Sent(0.0, 0, 0)), Breakpoints(long_ttl=None), 301)
    assert found == Ledger(absences=1)


def test_turns_that_do_not_go_on_from_the_one_before_are_counted() -> None:
    last = Sent(0.0, 0, 0)
    assert counted(Ledger(), Lineage(last=last, complete=False), RULE, 1.0).rewrites == 1
    assert counted(Ledger(), Lineage(last=last, changed="tools"), RULE, 1.0).rewrites == 1
    assert counted(Ledger(rewrites=3), Lineage(), RULE, 1.0) == Ledger(rewrites=3)


# Where


def test_the_tail_is_marked_and_the_head_where_it_can_be() -> None:
    assert placed() == [(6, "tail", False)]
    assert placed(HEADED) == [(HEAD, "head", False), (6, "tail", False)]


def test_a_head_below_the_minimum_or_already_marked_is_left() -> None:
    small = replace(HEADED, head=replace(HEADED.head, tokens=1023))
    assert placed(small) == [(6, "tail", False)]
    own = replace(HEADED, head=replace(HEADED.head, markers=1))
    assert placed(own) == [(6, "tail", False)]


def test_t10_nothing_below_the_minimum_is_marked() -> None:
    assert placed(conversation(asked(tokens=23), tools=1)) == []
    assert placed(conversation(asked(tokens=24), tools=1)) == [(0, "tail", False)]


def test_the_tail_is_the_last_block_that_may_carry_a_marker() -> None:
    assert placed(conversation(asked(), called("o"), observed("o"), thought("t"), tools=1)) == [(2, "tail", False)]
    assert placed(conversation(thought("t", 2000), tools=1)) == []


def test_a_client_that_marks_its_messages_is_left_alone() -> None:
    assert placed(marked_at_the_end(WHOLE), seen(WHOLE, 5)) == []
    assert placed(conversation(asked(tokens=2000), tools=1, markers=1, automatic=True)) == []


def test_a_client_that_marks_its_head_alone_gets_a_tail() -> None:
    assert placed(conversation(asked(tokens=2000), tools=1, markers=1)) == [(0, "tail", False)]


def test_a_client_that_manages_its_history_or_its_cache_is_left_alone() -> None:
    assert placed(replace(HEADED, head=replace(HEADED.head, stand_down="thread"))) == []
    assert placed(replace(HEADED, head=replace(HEADED.head, names_cache=("prompt_cache_options",))), known=GPT) == []


def test_where_no_marker_is_read_none_is_placed() -> None:
    assert placed(known=profile(LongestPrefix())) == []


def test_what_the_client_repeats_is_marked_besides_the_tail_after_it_changed_its_history() -> None:
    past = seen(WHOLE, 5, common=3, complete=False)
    assert placed(past=past) == [(2, "stable", False), (6, "tail", False)]


def test_where_a_tail_is_never_read_the_stable_part_alone_is_marked() -> None:
    past = seen(WHOLE, 5, common=3, complete=False, last=Sent(0.0, 0, 0, 0))
    always_new = Chances(0.9, 0.9, 0.2)
    assert placed(past=past, expected=always_new) == [(2, "stable", False)]
    assert placed(past=past, expected=Chances(0.2, 0.2, 0.2)) == []
    assert placed(past=replace(past, common=0), expected=always_new) == []
    short = replace(WHOLE, head=replace(WHOLE.head, tokens=0))
    assert placed(short, replace(past, common=1), always_new) == []


def test_t9_the_last_entry_is_marked_where_a_wide_step_puts_it_out_of_reach() -> None:
    wide = conversation(asked(), *steps(*[300] * 12), tools=1)
    assert placed(wide, seen(wide, 3, last=Sent(0.0, 0, 0, 0, (3,)))) == [(2, "lookback", False), (24, "tail", False)]
    assert placed(wide, seen(wide, 7, last=Sent(0.0, 0, 0, 0, (7,)))) == [(24, "tail", False)]


def test_t9_parallel_calls_are_counted_one_by_one_as_only_one_platform_says_otherwise() -> None:
    results = [observation(f"r{n}", call_id=f"r{n}") for n in range(20)]
    wide = conversation(asked(), called("o"), observed("o"), message(Role.USER, *results), tools=1)
    past = seen(wide, 3, last=Sent(0.0, 0, 0, 0, (3,)))
    assert placed(wide, past) == [(2, "lookback", False), (3, "tail", False)]
    assert placed(marked_at_the_end(wide), past) == []


def test_t9_a_client_whose_own_markers_miss_the_last_entry_gets_one_there() -> None:
    wide = marked_at_the_end(conversation(asked(), *steps(*[300] * 12), tools=1))
    assert placed(wide, seen(wide, 3, last=Sent(0.0, 0, 0, 0, (0, 3)))) == [(2, "lookback", False)]


def test_a_last_message_that_grew_holds_its_entry_inside_and_is_not_marked_at_its_end() -> None:
    past = seen(WHOLE, 7, last=Sent(0.0, 0, 0, 0, (7,)))
    grown = marked_at(WHOLE, 4)
    assert placed(grown, past) == []


def test_an_entry_that_ends_in_a_block_without_markers_is_not_marked() -> None:
    whole = conversation(asked(), thought("t"), *steps(*[300] * 12), tools=1)
    past = seen(whole, 2, last=Sent(0.0, 0, 0, 0, (2,)))
    assert placed(whole, past) == [(25, "tail", False)]


def test_an_entry_is_read_although_no_tail_pays() -> None:
    past = seen(HEADED, 5, last=Sent(0.0, 0, 0, 0, (0, 5)))
    assert placed(HEADED, past, Chances(0.2, 0.2, 1.0)) == [(HEAD, "head", False), (4, "lookback", False)]


def test_t8_no_more_than_four_and_the_clients_own_count() -> None:
    wide = conversation(asked(), *steps(*[300] * 12), tools=1, markers=3)
    past = seen(wide, 3, last=Sent(0.0, 0, 0, 0, (3,)))
    assert placed(wide, past) == [(24, "tail", False)]
    assert placed(replace(wide, head=replace(wide.head, markers=4)), past) == []


# When


@pytest.mark.parametrize(("again", "pays"), [(0.217, False), (0.218, True)])
def test_the_tail_pays_where_the_read_is_expected_to_save_more_than_the_fee(again: float, pays: bool) -> None:
    assert placed(expected=Chances(again, again, 1.0)) == ([(6, "tail", False)] if pays else [])


def test_stake_a_fee_is_paid_only_once_those_before_have_come_back() -> None:
    # The head's 1000 and the messages' 3050 tokens, unread, cost 4050 * 3.0 = 12150 millionths without a fee.
    assert placed(allowance=12150e-6) == [(6, "tail", False)]
    assert placed(allowance=12149e-6) == []
    # With 3500 of them read they cost 1050 + 1650.
    past = seen(WHOLE, 5, last=Sent(0.0, 0, 0, 0, (5,)))
    assert placed(past=past, allowance=2700e-6) == [(6, "tail", False)]
    assert placed(past=past, allowance=2699e-6) == [(4, "lookback", False)]


# For how long. The hour costs 3.0 more than input for each new token, 2.25 more than five minutes do.


def test_the_hour_is_bought_once_pauses_cost_more_than_it() -> None:
    past = seen(WHOLE, 5, last=Sent(0.0, 0, 0, 0, (5,)))
    # 550 new tokens: 1237.5 more; what outlasts a pause is 4050 * 3.45 = 13972.5, so a chance of 0.0886 is enough.
    assert placed(past=past, expected=Chances(0.7, 0.7 + 0.089, 1.0)) == [(6, "tail", True)]
    assert placed(past=past, expected=Chances(0.7, 0.7 + 0.088, 1.0)) == [(6, "tail", False)]


@pytest.mark.parametrize(("later", "pays"), [(0.526, False), (0.527, True)])
def test_where_every_turn_comes_after_a_pause_the_hour_alone_pays(later: float, pays: bool) -> None:
    # 3.0 / 5.7 = 0.5263 for the hour; five minutes are read by nobody.
    assert placed(expected=Chances(0.0, later, 1.0)) == ([(6, "tail", True)] if pays else [])


def test_what_already_outlasts_a_pause_is_not_bought_again_and_stays_marked() -> None:
    past = seen(WHOLE, 5, last=Sent(0.0, 0, 0, 0, (3, 5), long=(3,)))
    assert placed(past=past, expected=Chances(0.7, 0.814, 1.0)) == [(2, "stable", False), (6, "tail", False)]


def test_t8_all_in_front_of_a_long_marker_is_long() -> None:
    past = seen(HEADED, 5, last=Sent(0.0, 0, 0, 0, (3, 5), long=(3,)))
    assert placed(HEADED, past, Chances(0.3, 0.95, 1.0)) == [
        (HEAD, "head", True),
        (2, "stable", True),
        (6, "tail", True),
    ]


def test_t8_behind_a_short_marker_of_the_client_nothing_is_long() -> None:
    short = replace(WHOLE, head=replace(WHOLE.head, markers=1))
    long = replace(short, head=replace(short.head, long=True))
    past, paused = seen(WHOLE, 5, last=Sent(0.0, 0, 0, 0, (0, 5))), Chances(0.3, 0.95, 1.0)
    assert placed(short, past, paused) == [(6, "tail", False)]
    assert placed(long, past, paused) == [(6, "tail", True)]


def test_t8_in_front_of_a_long_marker_of_the_client_ours_is_long() -> None:
    whole = marked_at_the_end(conversation(asked(), *steps(*[300] * 12), tools=1))
    last = whole.messages[-1]
    lasting = replace(last, blocks=(replace(last.blocks[0], long=True),))
    head = replace(whole.head, long=True)
    long = replace(whole, head=head, messages=(*whole.messages[:-1], lasting))
    assert placed(long, seen(whole, 3, last=Sent(0.0, 0, 0, 0, (3,)))) == [(2, "lookback", True)]


@pytest.mark.parametrize(
    "known",
    [
        profile(Breakpoints(long_ttl=None), CLAUDE.prices),
        profile(RULE, Prices(input=3.0, read=0.3, write=3.75, output=15.0)),
    ],
)
def test_no_hour_where_none_is_sold(known: Profile) -> None:
    assert placed(expected=Chances(0.5, 0.95, 1.0), known=known) == [(6, "tail", False)]


def test_writing_that_costs_nothing_always_pays() -> None:
    free = profile(RULE, Prices(input=3.0, read=0.3, output=15.0))
    assert placed(expected=Chances(0.01, 0.01, 1.0), known=free) == [(6, "tail", False)]


# OpenAI from GPT-5.6 on: the tail is the provider's own


def test_on_openai_the_head_is_marked_as_sessions_share_it() -> None:
    assert placed(HEADED, known=GPT) == [(HEAD, "head", False)]
    assert placed(known=GPT) == []


def test_t3_on_openai_the_stable_part_gets_a_breakpoint_and_is_marked_again_to_be_found() -> None:
    past = seen(WHOLE, 7, common=5, complete=False)
    assert placed(past=past, known=GPT) == [(4, "stable", False)]
    again = seen(WHOLE, 7, common=5, complete=False, last=Sent(0.0, 0, 0, 0, (3, 7), (3,)))
    assert placed(past=again, known=replace(GPT, cache=Breakpoints(automatic=True, lookback=1))) == [
        (2, "lookback", False),
        (4, "stable", False),
    ]


def test_a_marker_knows_the_prefix_that_it_ends() -> None:
    assert (Marker(HEAD, 0).prefix, Marker(4, 1).prefix) == (0, 5)

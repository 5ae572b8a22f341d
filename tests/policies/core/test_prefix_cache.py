"""The providers' cache rules, each as a table. Sources: the model profiles; rule numbers as in their notes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.conversation import Conversation, Kind, Message, Role
from policies.core.index import Index
from policies.core.lineage import Sent
from policies.core.prefix_cache import (
    KEPT_ENTRIES,
    alive,
    boundaries,
    kept,
    lasting,
    own_entries,
    positions,
    readable,
    rounded,
)
from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, TokenBlocks, Units
from tests.policies.building import asked, block, called, conversation, marked_at, message, observation, observed, steps

ANTHROPIC = Breakpoints()
OPENAI = Breakpoints(automatic=True, lookback=50)
ALL: list[CacheRule] = [LongestPrefix(), TokenBlocks(), Units(), ANTHROPIC, OPENAI]


def sent(*entries: int, explicit: tuple[int, ...] = ()) -> Sent:
    return Sent(0.0, 0, 0, 0, entries, explicit)


def texts(count: int) -> Conversation:
    return conversation(*(asked(f"t{n}") for n in range(count)))


@pytest.mark.parametrize(
    ("rule", "tokens", "total", "read"),
    [
        # longest prefix: rounded down to steps, from a minimum on
        (LongestPrefix(), 777, 1000, 777),
        (LongestPrefix(step=128, minimum=1024), 1023, 5000, 0),
        (LongestPrefix(step=128, minimum=1024), 1024, 5000, 1024),
        (LongestPrefix(step=128, minimum=1024), 1151, 5000, 1024),
        (LongestPrefix(step=128, minimum=1024), 1152, 5000, 1152),
        (LongestPrefix(step=2048, minimum=1024), 2047, 5000, 0),
        (LongestPrefix(minimum=4096), 4095, 5000, 0),
        (LongestPrefix(minimum=4096), 4096, 5000, 4096),
        # engines compute the last token in any case
        (LongestPrefix(holdback=1), 100, 100, 99),
        (LongestPrefix(holdback=1), 100, 101, 100),
        (LongestPrefix(step=128, minimum=128, holdback=1), 128, 128, 0),
        # full blocks alone, and never the whole prompt
        (TokenBlocks(size=16), 15, 100, 0),
        (TokenBlocks(size=16), 16, 100, 16),
        (TokenBlocks(size=16), 47, 100, 32),
        (TokenBlocks(size=16), 48, 48, 32),
        (TokenBlocks(size=16), 48, 49, 48),
        (TokenBlocks(size=528), 500, 9000, 0),
        # exact from the minimum on
        (Breakpoints(minimum=1024), 1023, 5000, 0),
        (Breakpoints(minimum=1024), 1024, 5000, 1024),
        (Breakpoints(minimum=1024), 1025, 5000, 1025),
        (Units(minimum=64), 63, 5000, 0),
        (Units(minimum=64), 65, 5000, 65),
    ],
)
def test_how_much_of_a_readable_prefix_is_read(rule: CacheRule, tokens: int, total: int, read: int) -> None:
    assert rounded(rule, tokens, total) == read


@given(
    st.sampled_from([*ALL, LongestPrefix(step=128, minimum=1024, holdback=1)]),
    st.integers(0, 9000),
    st.integers(0, 9000),
)
def test_never_more_is_read_than_there_is(rule: CacheRule, tokens: int, more: int) -> None:
    assert 0 <= rounded(rule, tokens, tokens + more + 1) <= tokens


@pytest.mark.parametrize(
    ("blocks", "count"),
    [
        ([Kind.TEXT] * 3, 3),
        ([Kind.CALL] * 5, 1),
        ([Kind.OBSERVATION] * 5, 1),
        ([Kind.CALL, Kind.CALL, Kind.OBSERVATION, Kind.OBSERVATION], 2),
        ([Kind.CALL, Kind.OBSERVATION] * 3, 6),
        ([Kind.OBSERVATION, Kind.TEXT, Kind.OBSERVATION], 3),
        ([Kind.REASONING, Kind.TEXT, Kind.CALL, Kind.CALL], 3),
        ([Kind.MEDIA, Kind.MEDIA, Kind.OPAQUE, Kind.OPAQUE], 4),
        ([], 0),
    ],
)
def test_t9_a_run_of_calls_or_of_observations_is_one_position(blocks: list[Kind], count: int) -> None:
    parts = [block(kind, f"b{n}") for n, kind in enumerate(blocks)]
    assert positions([message(Role.USER, *parts)]) == count
    assert positions([message(Role.USER, part) for part in parts]) == count
    assert positions([message(Role.USER, part) for part in parts], 2) == min(count, 2)


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        (LongestPrefix(), (4,)),
        (TokenBlocks(), (4,)),
        (Units(), (4,)),
        (ANTHROPIC, (0, 2)),
        (OPENAI, (0, 2, 4)),
    ],
)
def test_where_a_request_reads_and_writes(rule: CacheRule, ends: tuple[int, ...]) -> None:
    whole = marked_at(texts(4), 1)
    assert boundaries(rule, whole, Index().extended(whole.messages)) == ends


@pytest.mark.parametrize(("rule", "ends"), [(ANTHROPIC, ()), (OPENAI, (3,))])
def test_without_markers_anthropic_caches_nothing_and_openai_the_end(rule: CacheRule, ends: tuple[int, ...]) -> None:
    assert boundaries(rule, texts(3), Index().extended(texts(3).messages)) == ends


@pytest.mark.parametrize(("others", "ends"), [(0, (3,)), (1, (0, 3))])
def test_the_automatic_marker_stands_at_the_end_of_each_request(others: int, ends: tuple[int, ...]) -> None:
    whole = texts(3)
    whole = replace(whole, head=replace(whole.head, markers=others + 1, automatic=True))
    assert boundaries(ANTHROPIC, whole, Index().extended(whole.messages)) == ends


@pytest.mark.parametrize("rule", [LongestPrefix(), TokenBlocks()])
@pytest.mark.parametrize("intact", [0, 3, 7])
def test_where_prefixes_match_all_that_is_unchanged_is_readable(rule: CacheRule, intact: int) -> None:
    assert readable(rule, sent(), texts(9), intact, (9,)) == intact


@pytest.mark.parametrize(
    ("entries", "intact", "read"),
    [((2, 5), 9, 5), ((2, 5), 5, 5), ((2, 5), 4, 2), ((2, 5), 1, None), ((), 9, None), ((0, 5), 4, 0)],
)
def test_t4_a_unit_is_read_whole_or_not_at_all(entries: tuple[int, ...], intact: int, read: int | None) -> None:
    assert readable(Units(), sent(*entries), texts(9), intact, (9,)) == read


@pytest.mark.parametrize(("behind", "read"), [(0, 3), (1, 3), (19, 3), (20, None), (30, None)])
def test_t9_a_marker_finds_an_entry_among_twenty_positions_its_own_included(behind: int, read: int | None) -> None:
    end = 3 + behind
    assert readable(ANTHROPIC, sent(3), texts(end), end, (end,)) == read


def test_t9_runs_count_once_in_the_lookback() -> None:
    calls: list[Message] = []
    for n in range(9):
        calls += [
            called(f"a{n}"),
            called(f"b{n}"),
            called(f"c{n}"),
            observed(f"a{n}"),
            observed(f"b{n}"),
            observed(f"c{n}"),
        ]
    whole = conversation(asked(), *calls)
    count = len(whole.messages)
    assert count == 55 and readable(ANTHROPIC, sent(1), whole, count, (count,)) == 1
    apart = conversation(asked(), *steps(*[10] * 10))
    assert readable(ANTHROPIC, sent(1), apart, 21, (21,)) is None


@pytest.mark.parametrize(
    ("entries", "intact", "ends", "ours", "read"),
    [
        ((2, 6), 9, (9,), (), 6),  # the nearest one behind the marker
        ((2, 6), 5, (9,), (), 2),  # changed from message 5 on
        ((2, 6), 9, (4,), (), 2),  # a marker does not look ahead
        ((2, 6), 9, (), (), None),  # no marker, no read
        ((6,), 5, (9,), (), None),
        ((0, 30), 30, (0, 60), (), 0),  # the later marker looks back in vain, the one in the head still reads
        ((0, 30), 30, (0, 60), (35,), 30),  # a marker of ours brings it within reach
    ],
)
def test_a_prefix_is_read_where_a_marker_finds_it(
    entries: tuple[int, ...], intact: int, ends: tuple[int, ...], ours: tuple[int, ...], read: int | None
) -> None:
    assert readable(ANTHROPIC, sent(*entries), texts(60), intact, ends, ours) == read


@pytest.mark.parametrize(
    ("entries", "explicit", "intact", "ours", "read"),
    [
        ((10,), (), 10, (), 10),  # exactly 50 endings back
        ((9,), (), 9, (), None),  # one too far
        ((10, 40), (), 40, (), 40),
        ((10, 40), (), 39, (), 10),
        ((5,), (5,), 5, (5,), 5),  # ours, marked again: found however far back
        ((5,), (5,), 5, (), None),  # ours, not marked again
        ((5,), (), 5, (5,), None),  # a marker where nothing was written at one
        ((5,), (5,), 4, (5,), None),  # changed in front of it
        ((), (), 60, (), None),
    ],
)
def test_t3_openai_reads_implicit_endings_in_reach_and_our_own_breakpoints(
    entries: tuple[int, ...], explicit: tuple[int, ...], intact: int, ours: tuple[int, ...], read: int | None
) -> None:
    assert readable(OPENAI, sent(*entries, explicit=explicit), texts(60), intact, (60,), ours) == read


def test_t3_a_long_shared_prefix_that_nobody_marked_is_not_read() -> None:
    assert readable(OPENAI, sent(8), texts(9), 7, (9,)) is None


def test_entries_behind_the_first_change_are_gone() -> None:
    assert kept((1, 3, 5, 7), 5, (9,)) == (1, 3, 5, 9)


def test_what_is_written_again_is_one_entry() -> None:
    assert kept((1, 3), 3, (0, 9, 3)) == (0, 1, 3, 9)
    assert kept((), 0, (4,)) == (4,)


def test_only_the_newest_entries_are_remembered() -> None:
    assert kept(range(100), 100, (100,)) == tuple(range(101 - KEPT_ENTRIES, 101))
    assert KEPT_ENTRIES == 64


def test_after_a_pause_only_what_was_written_for_long_is_left() -> None:
    held = replace(sent(0, 2, 5, 9, explicit=(2, 9)), long=(0, 5, 9), bare=(0, 2), marks=(5, 9))
    assert alive(ANTHROPIC, held, 300.0) is held
    left = alive(ANTHROPIC, held, 301.0)
    assert left and (left.entries, left.explicit, left.bare, left.marks) == ((0, 5, 9), (9,), (0,), (5, 9))
    assert alive(ANTHROPIC, held, 3600.0) == left
    assert alive(ANTHROPIC, held, 3601.0) is None


@pytest.mark.parametrize("rule", [LongestPrefix(), Breakpoints(long_ttl=None)])
def test_nothing_outlasts_a_pause_where_there_is_no_long_time_to_live(rule: CacheRule) -> None:
    assert alive(rule, replace(sent(2), long=(2,)), 301.0) is None
    assert alive(ANTHROPIC, sent(2), 301.0) is None


def test_the_clients_own_entries_are_all_where_none_of_ours_stand() -> None:
    assert own_entries(sent(1, 3)) == (1, 3)
    assert own_entries(replace(sent(1, 3), bare=(1,))) == (1,)


def test_boundaries_that_are_to_live_long() -> None:
    part = asked("x")
    marked = replace(part, blocks=(replace(part.blocks[0], marked=True, long=True),))
    whole = conversation(asked(), marked, asked("y"), long=True, markers=2)
    assert lasting(whole, Index().extended(whole.messages)) == (0, 2)
    automatic = conversation(asked(), automatic=True, automatic_long=True, markers=1)
    assert lasting(automatic, Index().extended(automatic.messages)) == (1,)


def test_several_observations_in_a_message_are_one_position_too() -> None:
    parts = [observation(f"o{n}") for n in range(4)]
    assert positions([asked(), message(Role.USER, *parts), asked("next")]) == 3

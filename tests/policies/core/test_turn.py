"""What each choice in a turn costs, against figures worked out by hand. Prices: millionths of a dollar a token.

The conversation of most tests, in tokens: head 1000, task 100, then call 50 and observation of 2000, 300 and 500:
4050 in all, of which the first five messages, 3500, were sent before.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from policies.core.conversation import Conversation, Kind, Role
from policies.core.edits import Placed
from policies.core.index import Index, force_of
from policies.core.lineage import Lineage
from policies.core.plan import Marker
from policies.core.profile import Breakpoints, LongestPrefix, Prices, Profile, Tier, TokenBlocks, Units
from policies.core.turn import (
    Option,
    Turn,
    direct_usd,
    facts,
    first_legal,
    option_from,
    saving_usd,
    size,
    uncacheable,
)
from tests.policies.building import (
    MICRO,
    asked,
    block,
    called,
    conversation,
    marked_at,
    marked_at_the_end,
    message,
    observed,
    placed,
    profile,
    seen,
    steps,
    thought,
)

WHOLE = conversation(asked(), *steps(2000, 300, 500))
CUT = placed(WHOLE, 2, 1900)
CLAUDE = profile(Breakpoints(), Prices(input=3.0, read=0.3, write=3.75, output=15.0))
GPT = profile(Breakpoints(automatic=True, lookback=50), Prices(input=4.0, read=0.4, write=5.0, output=20.0))
LONG = conversation(asked(tokens=2000), *steps(*[300] * 15))
"""31 messages, each a position of its own: further than Anthropic looks back."""


def turn(whole: Conversation, lineage: Lineage, known: Profile, now: float = 1.0) -> Turn:
    return facts(whole, lineage, known, now)


def taken(facts_of: Turn, *proposals: Placed, keep: int = 10) -> Option:
    """All of these proposals applied."""
    return option_from(facts_of, proposals, 0, keep)


def test_tokens_are_counted_as_received_and_as_sent() -> None:
    known = turn(WHOLE, seen(WHOLE, 5, placed=(CUT,)), profile())
    assert (known.received, known.total) == (4050, 2150)
    assert [known.behind(n) for n in range(8)] == [1150, 1050, 1000, 900, 850, 550, 500, 0]


def test_an_index_at_hand_gives_the_same_turn() -> None:
    index, lineage = Index().extended(WHOLE.messages), seen(WHOLE, 5, placed=(CUT,))
    assert facts(WHOLE, replace(lineage, force=force_of((CUT,))), profile(), 1.0, index) == turn(
        WHOLE, lineage, profile()
    )


def test_tokens_in_front_of_a_message_with_edits_applied() -> None:
    known = turn(WHOLE, seen(WHOLE, 5), profile())
    assert [size(known, [CUT], n) for n in (0, 2, 3, 7)] == [1000, 1150, 1250, 2150]


def test_price_on_the_longest_prefix() -> None:
    # S = 3500 - 1150 = 2350 cached behind the cut, D = 1900: w(S - D) - rS = 450 - 235 = 215; rD = 190
    known = turn(WHOLE, seen(WHOLE, 5), profile())
    keep, cut = taken(known), taken(known, CUT)
    assert keep.usd == pytest.approx(900 * MICRO)  # 3500 at 0.1, 550 at 1
    assert cut.usd == pytest.approx(1115 * MICRO)  # 1150 at 0.1, 1000 at 1
    assert (keep.read, cut.read, cut.total, cut.removed, cut.intact) == (3500, 1150, 2150, 1900, 2)
    assert saving_usd(known, cut) == pytest.approx(190 * MICRO)


@pytest.mark.parametrize(
    ("rule", "keep", "cut"),
    [
        (LongestPrefix(step=128, minimum=1024), 3456, 1024),
        (LongestPrefix(minimum=4096), 0, 0),
        (TokenBlocks(size=16), 3488, 1136),
        (TokenBlocks(size=528), 3168, 1056),
        (Units(), 3500, 1150),
    ],
)
def test_what_is_read_with_and_without_the_edit(rule: Any, keep: int, cut: int) -> None:
    known = turn(WHOLE, seen(WHOLE, 5), profile(rule))
    assert (taken(known).read, taken(known, CUT).read) == (keep, cut)


def test_t4_a_unit_that_the_edit_cuts_in_two_is_lost_whole() -> None:
    lineage = seen(WHOLE, 5)
    assert lineage.last
    known = turn(WHOLE, replace(lineage, last=replace(lineage.last, entries=(1, 5))), profile(Units()))
    assert (taken(known).read, taken(known, CUT).read) == (3500, 1100)


def test_price_on_anthropic_with_a_marker_at_the_cut() -> None:
    # keep: 3500 at 0.3, 550 written at 3.75. cut: 1150 at 0.3, 1000 written. 3.75 * 450 - 0.3 * 2350 = 982.5
    known = turn(marked_at_the_end(WHOLE), seen(WHOLE, 5), CLAUDE)
    keep, cut = taken(known), taken(known, CUT)
    assert cut.markers == (Marker(1, 0),)
    assert (keep.usd, cut.usd) == pytest.approx((3112.5 * MICRO, 4095 * MICRO))
    assert cut.usd - keep.usd == pytest.approx(982.5 * MICRO)
    assert saving_usd(known, cut) == pytest.approx(570 * MICRO)


@pytest.mark.parametrize(("client", "markers", "read"), [(1, 2, 3050), (2, 1, 3050), (3, 0, 1000), (4, 0, 1000)])
def test_the_miss_is_priced_where_the_client_leaves_no_marker_free(client: int, markers: int, read: int) -> None:
    whole = marked_at_the_end(LONG)
    whole = replace(whole, head=replace(whole.head, markers=client))
    known = turn(whole, seen(LONG, 29), replace(CLAUDE, cache=Breakpoints(minimum=512)))
    cut = taken(known, placed(LONG, 2, 200))
    assert (len(cut.markers), cut.read) == (markers, read)
    total = 1000 + 2000 + 15 * 350 - 200
    assert cut.usd == pytest.approx((read * 0.3 + (total - read) * 3.75) * MICRO)


def test_a_marker_goes_to_the_last_block_that_may_carry_one() -> None:
    whole = conversation(
        asked(),
        message(Role.ASSISTANT, block(Kind.TEXT, "a"), block(Kind.TEXT, "b")),
        thought("sealed"),
        message(Role.USER),
        observed("o"),
        asked("end", marked=True),
    )
    cut = taken(turn(whole, seen(whole, 5), CLAUDE), placed(whole, 4, 100))
    assert cut.markers == (Marker(1, 1),)


def test_where_nothing_may_carry_a_marker_none_is_placed() -> None:
    whole = conversation(thought("sealed"), observed("o"), asked("end", marked=True))
    assert taken(turn(whole, seen(whole, 2), CLAUDE), placed(whole, 1, 100)).markers == ()


def test_the_clients_own_marker_at_the_cut_is_not_doubled() -> None:
    whole = marked_at_the_end(marked_at(WHOLE, 1))
    assert taken(turn(whole, seen(whole, 5), CLAUDE), CUT).markers == ()


def test_no_fee_is_paid_for_a_marker_that_the_client_makes_no_use_of() -> None:
    lineage = seen(WHOLE, 5)
    assert taken(turn(WHOLE, lineage, CLAUDE), CUT).markers == ()
    assert taken(turn(marked_at(WHOLE, 1), lineage, CLAUDE), CUT).markers == ()


def test_what_stands_behind_the_clients_last_marker_is_never_written() -> None:
    # ends at message 4: 3200 tokens in front of it, 1300 once edited; behind it 850
    known = turn(marked_at(WHOLE, 3), Lineage(), CLAUDE)
    both = taken(known, CUT, placed(WHOLE, 4, 200))
    assert (both.bounded, both.total) == (1300, 1950)
    cold = replace(known, cache=replace(known.cache, sent=None, intact=0))
    assert taken(cold, CUT, placed(WHOLE, 4, 200)).usd == pytest.approx((1300 * 3.75 + 650 * 3) * MICRO)
    assert direct_usd(cold) == pytest.approx((3200 * 3.75 + 850 * 3) * MICRO)
    edited = turn(marked_at(WHOLE, 3), Lineage(placed=(CUT, placed(WHOLE, 4, 200))), CLAUDE, 1.0)
    assert direct_usd(replace(edited, cache=cold.cache)) == pytest.approx(direct_usd(cold))


def test_on_openai_the_cut_and_the_next_frontier_are_marked() -> None:
    known = turn(LONG, seen(LONG, 29), GPT)
    assert taken(known, placed(LONG, 2, 200), keep=3).markers == (Marker(1, 0), Marker(25, 0, reason="frontier"))
    assert taken(known, placed(LONG, 2, 200), keep=99).markers == (Marker(1, 0),)
    assert taken(known, placed(LONG, 2, 200), keep=0).markers == (Marker(1, 0),)
    busy = replace(LONG, head=replace(LONG.head, markers=2))
    assert taken(turn(busy, seen(LONG, 29), GPT), placed(LONG, 2, 200), keep=3).markers == (Marker(1, 0),)


@pytest.mark.parametrize("rule", [LongestPrefix(), TokenBlocks(), Units()])
def test_where_caches_know_no_markers_none_is_placed(rule: Any) -> None:
    assert taken(turn(WHOLE, seen(WHOLE, 5), profile(rule)), CUT).markers == ()


def test_t7_the_tier_is_part_of_the_price() -> None:
    # 4050 tokens cost double above 4000: 2 * 900 = 1800; with 2150 tokens the plain price holds
    known = turn(WHOLE, seen(WHOLE, 5), profile(tiers=(Tier(4000, Prices(input=2.0, read=0.2, output=7.5)),)))
    cut = taken(known, CUT)
    assert (taken(known).usd, cut.usd) == pytest.approx((1800 * MICRO, 1115 * MICRO))
    assert saving_usd(known, cut) == pytest.approx((4050 * 0.2 - 2150 * 0.1) * MICRO)


def test_where_nothing_is_cached_an_edit_saves_the_price_of_fresh_input() -> None:
    known = turn(WHOLE, seen(WHOLE, 5), CLAUDE)
    cut = taken(known, CUT)
    assert (taken(known).usd, cut.usd) == pytest.approx((12150 * MICRO, 6450 * MICRO))
    assert saving_usd(known, cut) == pytest.approx(5700 * MICRO)


@pytest.mark.parametrize(
    ("rule", "whole", "message", "refused"),
    [
        (LongestPrefix(minimum=2151), WHOLE, 2, True),  # 2150 tokens would be left
        (LongestPrefix(minimum=2150), WHOLE, 2, False),
        (LongestPrefix(), WHOLE, 2, False),
        (Breakpoints(minimum=2151), marked_at_the_end(WHOLE), 2, True),
        (Breakpoints(minimum=1301), marked_at(WHOLE, 3), 2, True),  # 1300 in front of the marker
        (Breakpoints(minimum=1300), marked_at(WHOLE, 3), 2, False),
        (Breakpoints(minimum=9999), marked_at(WHOLE, 0), 2, False),  # nothing behind the edit is cached anyway
        (Breakpoints(minimum=9999), WHOLE, 2, False),
        (TokenBlocks(size=2151), WHOLE, 2, True),
    ],
)
def test_t10_an_edit_that_leaves_less_than_is_ever_cached_is_known(
    rule: Any, whole: Conversation, message: int, refused: bool
) -> None:
    known = turn(whole, seen(whole, 5), profile(rule))
    assert uncacheable(known, taken(known, CUT), message) is refused


@pytest.mark.parametrize("rule", [LongestPrefix(), LongestPrefix(step=128, minimum=1024), TokenBlocks(), Units()])
def test_direct_is_what_would_be_paid_with_nothing_ever_edited(rule: Any) -> None:
    known = profile(rule)
    bare = turn(WHOLE, seen(WHOLE, 5), known)
    edited = turn(WHOLE, seen(WHOLE, 5, placed=(CUT,)), known)
    assert direct_usd(bare) == direct_usd(edited) == taken(bare).usd
    assert taken(edited).usd < direct_usd(edited)


def test_direct_without_a_cache_is_the_whole_at_the_price_of_input() -> None:
    cold = turn(WHOLE, seen(WHOLE, 5, placed=(CUT,)), profile(), now=1000.0)
    assert direct_usd(cold) == pytest.approx(4050 * MICRO)
    unused = turn(WHOLE, seen(WHOLE, 5, placed=(CUT,)), CLAUDE)
    assert direct_usd(unused) == pytest.approx(12150 * MICRO)


@pytest.mark.parametrize(
    ("changes", "now", "intact", "cause"),
    [
        ({}, 300.0, 5, None),
        ({}, 300.1, 0, "ttl_expired"),
        ({"changed": "model"}, 1.0, 0, "model_changed"),
        ({"changed": "tools"}, 1.0, 0, "tools_changed"),
        ({"changed": "system"}, 1.0, 0, "system_changed"),
        ({"changed": "parameters"}, 1.0, 0, "parameters_changed"),
        ({"complete": False, "common": 3}, 1.0, 3, "history_edited"),
        ({"last": None}, 1.0, 5, "cold_start"),
    ],
)
def test_what_is_left_of_the_cache_and_why_no_more(
    changes: dict[str, Any], now: float, intact: int, cause: str | None
) -> None:
    cache = turn(WHOLE, seen(WHOLE, 5, **changes), profile(), now).cache
    assert (cache.intact, cache.cause) == (intact, cause)
    assert (cache.sent is None) == (cause not in (None, "history_edited", "cold_start"))


def test_t12_a_changed_parameter_leaves_anthropic_its_head_and_others_nothing() -> None:
    whole = marked_at_the_end(conversation(*WHOLE.messages, tokens=2000))
    lineage = seen(whole, 5, changed="parameters")
    assert taken(turn(whole, lineage, CLAUDE)).read == 2000
    assert taken(turn(whole, replace(lineage, faster=True), CLAUDE)).read == 0
    assert taken(turn(whole, lineage, GPT)).read == 0
    assert taken(turn(whole, lineage, profile())).read == 0


def test_a_conversation_met_in_mid_session_is_taken_for_cached() -> None:
    known = turn(WHOLE, Lineage(), profile())
    assert (known.cache.intact, taken(known).read) == (5, 3500)  # up to the last answer


def test_a_conversation_without_a_past_is_cold() -> None:
    whole = conversation(asked())
    known = turn(whole, Lineage(), profile())
    assert (known.cache.sent, known.cache.cause, taken(known).read) == (None, "cold_start", 0)


@pytest.mark.parametrize(
    ("binds", "stand_down", "legal"),
    [("no", "", 0), ("rejects", "", 1), ("drops", "", 1), ("no", "thread", 3), ("rejects", "thread", 3)],
)
def test_nothing_in_front_of_bound_reasoning_may_be_edited(binds: Any, stand_down: str, legal: int) -> None:
    whole = conversation(
        asked(),
        *(observed("a"), thought("bound"), observed("b"), thought("free", bound=False), observed("c"), called("d")),
        stand_down=stand_down,
    )
    proposals = [placed(whole, n, 100) for n in (1, 3, 5)]
    assert first_legal(turn(whole, Lineage(), profile(binds_reasoning=binds)), proposals) == legal


def test_bound_reasoning_at_the_end_forbids_everything() -> None:
    whole = conversation(observed("a"), observed("b"), thought("bound"))
    known = turn(whole, Lineage(), profile(binds_reasoning="rejects"))
    assert first_legal(known, [placed(whole, n, 100) for n in (0, 1)]) == 2
    assert first_legal(known, ()) == 0


SPOKEN = conversation(
    asked(),
    *(thought("a"), *steps(300), thought("b"), called("c"), observed("c", 200)),
    *(message(Role.ASSISTANT, block(Kind.TEXT, "done", 20)), asked("next")),
)
"""The user speaks, the model thinks twice, the user speaks again. Seven messages were sent before."""
FORGETFUL = profile(drops_reasoning=("test",))


@pytest.mark.parametrize(
    ("known", "asked_for", "intact", "cause"),
    [
        (FORGETFUL, "", 1, "turn_boundary"),
        (FORGETFUL, "all_turns", 7, None),
        (profile(), "", 7, None),
        (profile(), "current_turn", 1, "turn_boundary"),
        (profile(drops_reasoning=("other",)), "", 7, None),
    ],
)
def test_reasoning_of_a_turn_that_is_over_leaves_the_prompt(
    known: Profile, asked_for: Any, intact: int, cause: str | None
) -> None:
    whole = replace(SPOKEN, head=replace(SPOKEN.head, reasoning=asked_for))
    cache = turn(whole, seen(whole, 7), known).cache
    assert (cache.intact, cache.cause) == (intact, cause)


def test_while_the_turn_goes_on_its_reasoning_stays() -> None:
    whole = replace(SPOKEN, messages=SPOKEN.messages[:-1])
    assert turn(whole, seen(whole, 7), FORGETFUL).cache.intact == 7


def test_reasoning_of_older_turns_is_gone_already() -> None:
    whole = conversation(*SPOKEN.messages, *steps(100, first=5), asked("and then"))
    assert turn(whole, seen(whole, len(whole.messages) - 1), FORGETFUL).cache.intact == len(whole.messages) - 1


def test_what_the_client_changed_on_the_same_turn_is_named_first() -> None:
    cache = turn(SPOKEN, seen(SPOKEN, 5, complete=False), FORGETFUL).cache
    assert (cache.intact, cache.cause) == (1, "history_edited")
    assert turn(SPOKEN, seen(SPOKEN, 1, complete=False), FORGETFUL).cache.cause == "history_edited"
    assert turn(SPOKEN, seen(SPOKEN, 7, changed="tools"), FORGETFUL).cache.cause == "tools_changed"


def pictured(kind: str = "image") -> Conversation:
    """With a picture in the second of three observations."""
    whole = conversation(asked(), *steps(300, 2000, 500))
    image = replace(whole.messages[4].blocks[0], editable=False, picture=kind)
    return replace(whole, messages=(*whole.messages[:4], message(Role.TOOL, image), *whole.messages[5:]))


@pytest.mark.parametrize(
    ("known", "kind", "intact"),
    [(CLAUDE, "image", 0), (CLAUDE, "document", 4), (GPT, "image", 4), (profile(), "image", 4)],
)
def test_an_image_that_goes_loses_claude_all_messages(known: Profile, kind: str, intact: int) -> None:
    whole = pictured(kind)
    facts_of = turn(whole, seen(whole, 7), known)
    assert taken(facts_of, placed(whole, 4, 1900)).intact == intact
    assert taken(facts_of, placed(whole, 2, 200), placed(whole, 4, 1900)).intact == min(2, intact)
    assert taken(facts_of, placed(whole, 6, 400)).intact == 6

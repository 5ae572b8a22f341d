"""What is kept of a list of messages: the same whether it is read at once or message by message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.conversation import Act, Kind, Message, Role
from policies.core.edits import Anchor, anchored
from policies.core.index import REACH, Force, Index, force_of
from tests.policies.building import (
    asked,
    block,
    block_hash,
    called,
    conversation,
    message,
    observation,
    observed,
    placed,
    steps,
    thought,
)

IDS = st.sampled_from(["", "c", "d"])
VALUES = st.frozensets(st.integers(0, 4), max_size=3)
WRITES = Act(b"w", ("f",), writes=True)
MESSAGES = st.lists(
    st.builds(
        lambda role, blocks: message(role, *blocks),
        st.sampled_from(Role),
        st.lists(
            st.one_of(
                st.builds(
                    observation,
                    st.sampled_from("ab"),
                    st.sampled_from([1, 99, 200]),
                    call_id=st.sampled_from(["", "c", "d"]),
                    values=VALUES,
                    failed=st.booleans(),
                ),
                st.builds(
                    block,
                    st.sampled_from([Kind.TEXT, Kind.CALL, Kind.REASONING]),
                    st.sampled_from("cd"),
                    st.integers(1, 99),
                    marked=st.booleans(),
                    bound=st.booleans(),
                    call_id=IDS,
                    values=VALUES,
                    tool=st.sampled_from(["", "bash"]),
                    act=st.sampled_from([None, Act(b"x"), Act(b"y", ("f",)), Act(b"z", ("f", "f", "g")), WRITES]),
                ),
            ),
            max_size=3,
        ),
    ),
    max_size=10,
)


def index(*messages: Message) -> Index:
    return Index().extended(messages)


@given(MESSAGES, st.integers(0, 10))
def test_extending_in_two_steps_gives_the_same_as_at_once(messages: list[Message], cut: int) -> None:
    assert index(*messages[:cut]).extended(messages[cut:]) == index(*messages)


@given(MESSAGES, st.integers(0, 10))
def test_shortening_gives_the_same_as_never_having_seen_the_rest(messages: list[Message], cut: int) -> None:
    kept, gone = messages[:cut], messages[cut:]
    short, fresh = index(*messages).shortened(kept, gone), index(*kept)
    assert (short.tokens, short.markers, short.bound) == (fresh.tokens, fresh.markers, fresh.bound)
    assert short.observations == fresh.observations
    assert {key: place for key, place in short.newest.items() if place >= 0} == fresh.newest


@given(MESSAGES)
def test_observations_that_have_something_in_common_lead_to_one_another(messages: list[Message]) -> None:
    known = index(*messages)
    for place, one in enumerate(known.observations):
        for key, _ in one.links:
            before = [each for each in known.observations[:place] if key in dict(each.links)]
            assert list(known.alike(one, key)) == before[::-1]
    assert [one.before for one in known.observations] == [
        sum(each.block.tokens for each in known.observations[:place]) for place in range(len(known.observations))
    ]


@given(MESSAGES)
def test_observations_and_their_anchors_are_those_that_edits_are_located_by(messages: list[Message]) -> None:
    found = [(one.message, one.block, one.anchor) for one in index(*messages).observations]
    assert found == [one for one in anchored(messages) if one[1].kind is Kind.OBSERVATION]


def test_nothing_more_is_the_same_index() -> None:
    known = index(asked())
    assert known.extended([]) is known


def test_tokens_are_those_before_each_message() -> None:
    assert index(asked(tokens=7), *steps(100, call=5)).tokens == (0, 7, 12, 112)


def test_equal_observations_are_counted_across_extensions() -> None:
    known = index(observed("a")).extended([observed("b"), observed("a")])
    assert [one.anchor for one in known.observations] == [
        Anchor(block_hash("a"), 0),
        Anchor(block_hash("b"), 0),
        Anchor(block_hash("a"), 1),
    ]


def test_an_observation_has_the_tool_of_its_call_unless_it_names_one() -> None:
    known = index(called("a", tool="bash"), called("b", tool="grep")).extended(
        [observed("a"), observed("b", tool="own"), observed("elsewhere"), observed("a")]
    )
    assert [one.tool for one in known.observations] == ["bash", "own", "", "bash"]


def test_a_call_is_still_known_after_what_follows_it_was_sent_anew() -> None:
    known = index(called("a", tool="bash"), observed("a")).shortened([called("a", tool="bash")], [observed("a")])
    assert known.extended([observed("a")]).observations[0].tool == "bash"


def test_where_an_id_comes_again_the_last_call_before_the_answer_counts() -> None:
    messages = [called("a", tool="bash"), observed("a"), called("a", tool="grep"), observed("a")]
    assert [one.tool for one in index(*messages).observations] == ["bash", "grep"]


def test_an_observation_without_a_call_id_has_no_tool_of_a_call_without_one() -> None:
    assert index(called("a", call_id="", tool="bash"), observed("b", call_id="")).observations[0].tool == ""


@pytest.mark.parametrize(
    ("messages", "ends", "markers"),
    [
        ((asked(),), (), 0),
        ((asked(marked=True), asked("b")), (1,), 1),
        ((asked(), asked("b", marked=True), asked("c", marked=True)), (2, 3), 2),
        ((asked(), message(Role.USER, block(Kind.TEXT, "a", marked=True), block(Kind.TEXT, "b"))), (1,), 1),
        ((asked(marked=True), message(Role.USER, block(Kind.TEXT, "a", marked=True), block(Kind.TEXT, "b"))), (1,), 2),
    ],
)
def test_a_marker_ends_a_prefix_of_whole_messages(
    messages: tuple[Message, ...], ends: tuple[int, ...], markers: int
) -> None:
    assert (index(*messages).ends, index(*messages).markers) == (ends, markers)
    assert index(messages[0]).extended(messages[1:]).ends == ends


def test_the_last_bound_reasoning_is_known_and_free_reasoning_is_not_taken_for_it() -> None:
    assert index(asked()).bound == -1
    assert index(asked(), thought("a"), asked("b"), thought("c"), thought("d", bound=False)).bound == 3
    assert index(asked(), thought("a")).extended([asked("b")]).bound == 1


WHOLE = conversation(asked(), *steps(1000, 1000, 1000))


def test_edits_in_force_are_summed_from_the_back() -> None:
    force = force_of([placed(WHOLE, 2, 300), placed(WHOLE, 4, 50), placed(WHOLE, 6, 7)])
    assert force.total == 357
    assert [force.removed_behind(n) for n in range(8)] == [357, 357, 357, 57, 57, 7, 7, 0]
    assert force.blocks == {(2, 0), (4, 0), (6, 0)}


def test_masks_shapes_and_notes_of_one_block_add_up_and_only_masks_elide_it() -> None:
    mask = placed(WHOLE, 4, 50)
    shape = replace(mask, edit=replace(mask.edit, kind="shape", removes=300))
    note = replace(mask, edit=replace(mask.edit, kind="recite", removes=-20, way="append"))
    force = force_of([shape, note, note])
    assert (force.total, force.blocks, force.shaped) == (260, frozenset(), {(4, 0): 300})
    force = force_of([placed(WHOLE, 2, 7), shape, note, mask])
    assert (force.total, force.removed_behind(3), force.removed_behind(5)) == (337, 330, 0)
    assert force.blocks == {(2, 0), (4, 0)}


def test_without_edits_nothing_is_kept_out() -> None:
    assert force_of(()) == Force()
    assert (Force().total, Force().removed_behind(0), Force().removed_behind(9)) == (0, 0, 0)


def test_an_observation_is_found_by_its_call_its_text_and_each_file_once() -> None:
    known = index(
        called("a", act=Act(b"x", ("f", "f"))), observed("a"), observed("b", said=b""), observed("c", editable=False)
    )
    assert [[kind for (kind, _), _ in one.links] for one in known.observations] == [["text", "call", "file"], [], []]


def said(*values: int) -> Message:
    return message(Role.ASSISTANT, block(Kind.TEXT, f"says {values}", values=frozenset(values)))


def shown(name: str, *values: int, tokens: int = 300) -> Message:
    return observed(name, tokens, values=frozenset(values))


def test_an_answer_takes_a_value_from_the_newest_observation_that_holds_it() -> None:
    whole = [shown("a", 1, 2), shown("b", 2, 3), said(2), shown("c", 2), said(1, 3), said(9)]
    assert index(*whole).uses == ((2, 1), (4, 1), (4, 0))


def test_what_a_user_says_takes_nothing() -> None:
    assert index(shown("a", 1), message(Role.USER, block(Kind.TEXT, "t", values=frozenset({1})))).uses == ()


def test_of_a_long_past_only_the_newest_observations_are_looked_at() -> None:
    many = [shown(f"o{n}") for n in range(REACH - 1)]
    assert index(shown("a", 1), *many, said(1)).uses == ((REACH, 0),)
    assert index(shown("a", 1), shown("b"), *many, said(1)).uses == ()


def acted(name: str, act: Act, tokens: int = 300, **fields: object) -> list[Message]:
    return [called(name, act=act), observed(name, tokens, **fields)]


READ, PART, OTHER = Act(b"r", ("f",), whole=True), Act(b"p", ("f",)), Act(b"q", ("f",))
WRITE, RUN = Act(b"e", ("f",), writes=True), Act(b"c")


@pytest.mark.parametrize(
    ("acts", "stale"),
    [
        ([RUN, RUN, RUN], [0, 1]),
        ([RUN, Act(b"d")], []),
        ([READ, WRITE], [0]),
        ([PART, OTHER, READ], [0, 1]),
        ([PART, OTHER], []),
        ([PART, OTHER, PART], [0]),
        ([READ, WRITE, WRITE], [0]),
        ([READ, READ, READ], [0, 1]),
        ([PART, PART, WRITE], [0, 1]),
        ([WRITE, READ], []),
    ],
)
def test_what_is_asked_again_or_written_since_is_superseded(acts: list[Act], stale: list[int]) -> None:
    whole = [message for n, act in enumerate(acts) for message in acted(f"o{n}", act)]
    assert sorted(place for _, place in index(*whole).stale) == stale


def test_the_same_said_again_supersedes_what_said_it_first() -> None:
    assert index(observed("a", 300), observed("a", 300)).stale == ((1, 0),)
    assert index(observed("a", 199), observed("a", 199)).stale == ()


def test_a_failure_supersedes_nothing_and_is_read_past() -> None:
    assert index(*acted("a", READ), *acted("b", WRITE, failed=True)).stale == ()
    found = index(*acted("a", READ), *acted("b", READ, failed=True), *acted("c", WRITE)).stale
    assert [place for _, place in found] == [0]


def test_a_small_answer_to_a_read_shows_no_file() -> None:
    assert index(*acted("a", READ), *acted("b", READ, tokens=30)).stale == ()

"""What is proposed for masking, and what stands in its place."""

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.conversation import Act, Conversation, Kind, Message, Role
from policies.core.edits import Anchor, Edit, Placed, archive_id
from policies.core.index import Index, Observed, force_of
from policies.core.lineage import Ledger, Lineage
from policies.mask import NAMED_MOST, NAMED_SHARE, PLACEHOLDER_TOKENS, TOKEN, Mask, MaskForTool, Reader, placeholder
from policies.policy import ForTool, Policy
from policies.routes import mask_for
from proxy.profiles import load_profiles, profile_for
from proxy.tokens import Count, Counters
from tests.policies.building import (
    TENANT,
    asked,
    block,
    block_hash,
    called,
    conversation,
    message,
    observation,
    observed,
    steps,
)

ALL = Mask(keep_newest=0, min_tokens=0)


def proposed(mask: Mask, whole: Conversation, lineage: Lineage | None = None, **options: Any) -> list[int]:
    """The messages of what is proposed."""
    return [placed.message for placed in mask.propose(whole, lineage or Lineage(TENANT), **options)]


def session(*sizes: int) -> Conversation:
    return conversation(asked(), *steps(*sizes))


def one(**fields: Any) -> Conversation:
    return conversation(asked(), called("a", tool="bash"), observed("a", **fields))


@pytest.mark.parametrize(("keep", "messages"), [(0, [2, 4, 6]), (1, [2, 4]), (2, [2]), (3, []), (9, [])])
def test_the_newest_stay(keep: int, messages: list[int]) -> None:
    assert proposed(Mask(keep_newest=keep), session(1000, 1000, 1000)) == messages


def test_an_observation_that_may_not_be_masked_is_among_the_newest_all_the_same() -> None:
    whole = conversation(asked(), *steps(1000, 1000), called("b"), observed("b", editable=False))
    assert proposed(Mask(keep_newest=2), whole) == [2]


def test_what_a_newer_one_points_to_is_as_new_as_that() -> None:
    whole = session(1000, 1000, 1000, 1000)
    first, *_, last = Index().extended(whole.messages).observations
    needs = archive_id(TENANT, first.block.content)
    pointer = Edit("shape", last.anchor, "[same output as above]", 950, "hf-a", needs=needs)
    lineage = Lineage(TENANT, placed=(Placed(pointer, last.message, 0),))
    assert proposed(Mask(keep_newest=1), whole) == [2, 4, 6]
    assert proposed(Mask(keep_newest=1), whole, lineage) == [4, 6], "the pointer itself is too short"
    assert proposed(Mask(keep_newest=0), whole, lineage) == [2, 4, 6], "and goes when the pointer would"


@pytest.mark.parametrize(("tokens", "found"), [(199, []), (200, [2]), (201, [2])])
def test_shorter_ones_than_the_minimum_are_left_alone(tokens: int, found: list[int]) -> None:
    assert proposed(Mask(keep_newest=0), session(tokens)) == found


@pytest.mark.parametrize(("tokens", "found"), [(PLACEHOLDER_TOKENS, []), (PLACEHOLDER_TOKENS + 1, [2])])
def test_what_is_no_longer_than_a_placeholder_is_never_masked(tokens: int, found: list[int]) -> None:
    assert proposed(ALL, session(tokens)) == found


def test_what_an_edit_removes_is_the_observation_less_its_placeholder() -> None:
    (placed,) = ALL.propose(session(1000), Lineage(TENANT))
    assert placed.edit.removes == 1000 - PLACEHOLDER_TOKENS


def test_by_age_alone_reports_of_failures_stay_for_ever_unless_the_policy_lets_them_go() -> None:
    mask = Mask(keep_newest=0, liveness=False)
    assert proposed(mask, one(failed=True)) == []
    assert proposed(replace(mask, keep_errors=False), one(failed=True)) == [2]


def later(count: int) -> tuple[Message, ...]:
    """So many observations too small to be masked."""
    return steps(*[10] * count, first=50)


def said(*values: int) -> Message:
    return message(Role.ASSISTANT, block(Kind.TEXT, f"says {values}", values=frozenset(values)))


SHOWN = observed("a", values=frozenset({1}))
RUN, WRITE = Act(b"run"), Act(b"write", ("f",), writes=True)


@pytest.mark.parametrize(
    ("messages", "stays"),
    [
        ((SHOWN,), 5),
        ((SHOWN, said(2)), 5),
        ((SHOWN, said(1)), 3),
        ((called("a", act=RUN), observed("a"), called("b", act=RUN), observed("b", 100)), 3),
        ((called("a", act=WRITE), observed("a")), 3),
        ((observed("a", failed=True, values=frozenset({1})), said(1)), 10),
    ],
    ids=["unused", "not taken from", "taken from", "superseded", "answers a write", "failure"],
)
def test_half_as_long_stays_what_the_agent_is_done_with(messages: tuple[Message, ...], stays: int) -> None:
    more = sum(part.role is Role.TOOL for part in messages) - 1
    found = [count + more for count in range(11) if proposed(Mask(), conversation(*messages, *later(count)))]
    assert found[0] == stays


RECALL = called("a", act=Act(b"recall", recalls=True))


@pytest.mark.parametrize(
    ("messages", "stays", "by_age"),
    [((RECALL, SHOWN), 10, 10), ((RECALL, SHOWN, said(2)), 10, 10), ((RECALL, SHOWN, said(1)), 3, 5)],
)
def test_what_was_recalled_stays_twice_as_long_until_the_agent_takes_something_from_it(
    messages: tuple[Message, ...], stays: int, by_age: int
) -> None:
    for mask, count in ((Mask(), stays), (Mask(liveness=False), by_age)):
        assert proposed(mask, conversation(asked(), *messages, *later(count - 1))) == []
        assert proposed(mask, conversation(asked(), *messages, *later(count))) == [2]


def test_what_was_recalled_stays_until_the_next_answer_whatever_is_kept() -> None:
    recalled = conversation(asked(), *steps(1000), RECALL, SHOWN)
    assert proposed(ALL, recalled) == [2]
    assert proposed(ALL, replace(recalled, messages=(*recalled.messages, said(2)))) == [2, 4]


def test_what_is_taken_from_again_is_no_longer_proposed() -> None:
    whole = conversation(SHOWN, said(1), *later(3))
    waiting = Mask().propose(whole, Lineage(TENANT))
    assert [placed.message for placed in waiting] == [0]
    assert proposed(Mask(), conversation(*whole.messages, said(1)), Lineage(TENANT, waiting=waiting)) == []


def test_by_age_alone_use_does_not_count() -> None:
    whole = conversation(SHOWN, *later(9), said(1))
    assert proposed(Mask(liveness=False), whole) == [0]
    assert proposed(Mask(liveness=False, keep_newest=10), whole) == []
    assert proposed(Mask(), whole) == []


def test_what_a_text_that_still_stands_points_to_is_as_new_as_that_text() -> None:
    whole = conversation(observed("a"), *later(6), observed("b"), *later(4))
    identity = archive_id(TENANT, observation("a").content)
    pointer = Placed(Edit("shape", Anchor(block_hash("b")), "as before", 900, needs=identity), 13, 0)
    assert proposed(Mask(), whole) == [0]
    assert proposed(Mask(), whole, Lineage(TENANT, placed=(pointer,))) == []
    longer = conversation(*whole.messages, called("z"), observed("z", 10))
    assert proposed(Mask(), longer, Lineage(TENANT, placed=(pointer,))) == [0, 13]
    gone = Placed(Edit("mask", Anchor(block_hash("b")), "elided", 50), 13, 0)
    assert proposed(Mask(), whole, Lineage(TENANT, placed=(pointer, gone))) == [0]


def test_a_placeholder_names_values_and_is_counted_as_it_is() -> None:
    asked_for: list[int] = []

    def named(one: Observed, room: int) -> tuple[str, ...]:
        asked_for.append(room)
        return ("app.load", "Table")

    (placed,) = ALL.propose(session(1000), Lineage(TENANT), reader=Reader(len, named))
    assert "; names app.load, Table; to read them:" in placed.edit.text
    assert placed.edit.removes == 1000 - len(placed.edit.text)
    ALL.propose(session(100_000), Lineage(TENANT), reader=Reader(len, named))
    assert asked_for == [TOKEN * int(NAMED_SHARE * 1000), TOKEN * NAMED_MOST]


def test_what_its_placeholder_would_not_make_smaller_is_not_proposed() -> None:
    reader = Reader(lambda text: 300, lambda one, room: ())
    assert proposed(ALL, session(300), reader=reader) == []
    assert proposed(ALL, session(301), reader=reader) == [2]


@pytest.mark.parametrize("kind", ["image", "document"])
def test_a_picture_is_masked_as_one_and_nothing_is_named_of_it(kind: str) -> None:
    shot = one(editable=False, picture=kind, tokens=1568, lines=0, first_line="")
    (placed,) = ALL.propose(shot, Lineage(TENANT), reader=Reader(lambda text: 30, lambda one, room: ("never",)))
    identity = archive_id(TENANT, shot.messages[2].blocks[0].content)
    assert placed.edit == Edit(
        "mask",
        placed.edit.anchor,
        f"[previous {kind} elided: bash output, 1568 tokens; to read it: holdfast archive get {identity}]",
        1538,
        identity,
    )


def test_what_cannot_be_replaced_by_text_is_never_proposed() -> None:
    assert proposed(Mask(keep_newest=0, keep_errors=False, when="always"), one(editable=False)) == []


@pytest.mark.parametrize(("pattern", "found"), [("bash", []), ("b*", []), ("Bash", [2]), ("ash", [2]), ("*", [])])
def test_the_results_of_excluded_tools_stay_also_where_only_the_call_names_the_tool(
    pattern: str, found: list[int]
) -> None:
    mask = Mask(keep_newest=0, exclude_tools=("todo*", pattern))
    assert proposed(mask, one()) == found
    assert proposed(mask, conversation(observed("a", tool="bash"))) == [n - 2 for n in found]


def test_a_tool_has_settings_of_its_own() -> None:
    policy = Policy(
        name="x",
        mask=Mask(keep_newest=1),
        per_tool={
            "read_file": ForTool(mask=MaskForTool(keep_newest=3)),
            "bash": ForTool(mask=MaskForTool(min_tokens=5000)),
            "todo": ForTool(mask=MaskForTool(when="never")),
        },
    )
    tools = ("read_file", "bash", "todo", "grep", "read_file", "grep")
    messages: list[Message] = []
    for n, tool in enumerate(tools):
        messages += [called(f"c{n}", tool=tool), observed(f"c{n}")]
    found = proposed(policy.mask, conversation(*messages), settings_for=lambda tool: mask_for(policy, tool))
    assert [tools[n // 2] for n in found] == ["read_file", "grep"]
    assert found == [1, 7]


@pytest.mark.parametrize(("when", "found"), [("pays", [2]), ("always", [2]), ("on_pressure", [2]), ("never", [])])
def test_never_proposes_nothing_and_the_other_moments_are_the_planners(when: Any, found: list[int]) -> None:
    assert proposed(Mask(keep_newest=0, when=when), session(1000)) == found


def test_nothing_is_proposed_twice() -> None:
    whole = session(1000, 1000, 1000)
    first, second, third = ALL.propose(whole, Lineage(TENANT))
    assert ALL.propose(whole, Lineage(TENANT, placed=(second,))) == (first, third)
    assert ALL.propose(whole, Lineage(TENANT, placed=(second,), force=force_of((second,)))) == (first, third)


def test_of_two_equal_observations_each_is_proposed_by_itself() -> None:
    whole = conversation(message(Role.USER, observation("a"), observation("a")))
    first, second = ALL.propose(whole, Lineage(TENANT))
    assert [placed.edit.anchor for placed in (first, second)] == [Anchor(block_hash("a"), n) for n in (0, 1)]
    assert first.edit.text == second.edit.text
    assert ALL.propose(whole, Lineage(TENANT, placed=(first,))) == (second,)


SIZES = st.lists(st.integers(1, 3000), min_size=1, max_size=12)


@given(SIZES, st.integers(0, 5), st.integers(0, 12))
def test_what_was_proposed_before_is_proposed_the_same(sizes: list[int], keep: int, known: int) -> None:
    mask, whole = Mask(keep_newest=keep), session(*sizes)
    earlier = mask.propose(session(*sizes[:known]) if sizes[:known] else conversation(asked()), Lineage(TENANT))
    afresh = mask.propose(whole, Lineage(TENANT))
    assert afresh[: len(earlier)] == earlier
    assert mask.propose(whole, Lineage(TENANT, waiting=earlier)) == afresh
    assert mask.propose(whole, Lineage(TENANT), index=Index().extended(whole.messages)) == afresh


def test_what_waited_for_another_block_in_its_place_is_not_taken() -> None:
    (stale,) = ALL.propose(conversation(observed("other")), Lineage(TENANT))
    (fresh,) = ALL.propose(conversation(observed("a")), Lineage(TENANT, waiting=(stale,)))
    assert fresh == Placed(fresh.edit, 0, 0)
    assert fresh.edit.anchor == Anchor(block_hash("a"))


@given(SIZES, SIZES, st.booleans())
def test_the_placeholder_depends_on_the_block_alone(before: list[int], behind: list[int], system: bool) -> None:
    block = observation("it", 1500, tool="bash")
    around = (asked("x"), *steps(*before, first=100)) if system else steps(*before, first=200)
    whole = conversation(*around, message(Role.TOOL, observation("beside"), block), *steps(*behind, first=300))
    texts = {placed.edit.anchor.block: placed.edit.text for placed in ALL.propose(whole, Lineage(TENANT))}
    (alone,) = ALL.propose(conversation(message(Role.USER, block)), Lineage(TENANT))
    assert texts[block.hash] == alone.edit.text


def test_recoverable_the_placeholder_says_what_it_was_and_how_to_read_it_back() -> None:
    block = observation("it", 1500, tool="bash", lines=42, first_line="make: nothing to be done")
    (placed,) = ALL.propose(conversation(message(Role.TOOL, block)), Lineage(TENANT))
    identity = archive_id(TENANT, block.content)
    assert placed.edit.archive_id == identity
    assert placed.edit.text == (
        '[previous 42 lines elided: bash output, 1500 tokens beginning "make: nothing to be done"; '
        f"to read them: holdfast archive get {identity}]"
    )


def test_isolated_the_id_in_a_placeholder_is_the_tenants_own() -> None:
    (ours,), (theirs,) = (ALL.propose(session(1000), Lineage(tenant)) for tenant in (TENANT, b"other"))
    assert ours.edit.archive_id != theirs.edit.archive_id


def test_what_has_no_tool_and_no_line_names_none() -> None:
    text = placeholder(observation("it", 300, lines=0, first_line=""), "hf-x")
    assert text == "[previous 0 lines elided: 300 tokens; to read them: holdfast archive get hf-x]"


LINES = [
    "",
    "total 48 drwxr-xr-x 2 user user 4096 Jan 1 12:00 directory listing follows here",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" * 2,
    "q83/+Zx9Kf0aQ7bW2pL5vT8uYhR1eN6mS4dG3jC0iO==xY7ZkQw9E8rT5yU2pAq83/+Zx9Kf0aQ7bW",
    "}{)(][;:,.<>?/|!@#$%^&*_-+=~`'" * 3,
    "zqxjkvwpbfghzqxjkvwpbfgh" * 4,
    "q x j z v k w " * 6,
    "系统目录列表显示文件信息" * 8,
    "🧬🦖🪐🧿🪢🫠" * 14,
    "༄༅།།བོད་ཡིག" * 9,
    "\U00013000\U00012000\U0001d173" * 27,
    "\x1b[31m\x1b[1m" * 10,
    "\ud800" * 80,
]
TOOLS = ["", "bash", "mcp__claude_ai_Linear__list_issue_statuses", "x_" * 32, "工具" * 40]


@pytest.fixture(scope="module")
def count() -> Count:
    counters = Counters()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the vocabulary package, when it is imported
        counters.load("o200k_base")
    return counters.counter(profile_for(load_profiles(), "gpt-5.1"))


@pytest.mark.parametrize("tool", TOOLS, ids=ascii)
@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_placeholder_is_no_longer_than_it_is_taken_to_be(line: str, tool: str, count: Count) -> None:
    block = observation("it", 999_999, tool=tool, lines=99_999, first_line=line[:80])
    texts = [placeholder(block, archive_id(TENANT, bytes([n]))) for n in range(30)]
    assert max(count(text.encode("utf-8", "replace").decode()) for text in texts) * 1.2 <= PLACEHOLDER_TOKENS


def test_a_line_of_plain_words_keeps_its_beginning() -> None:
    line = "running the tests of the parser and of the planner"
    assert f'"{line[:32]}' in placeholder(observation("it", first_line=line), "hf-x")


def test_a_tool_whose_masked_observations_are_asked_for_again_is_masked_later() -> None:
    whole = conversation(called("a", tool="bash"), observed("a"), *later(6))
    assert proposed(Mask(), whole) == [1]
    assert proposed(Mask(), whole, Lineage(TENANT, ledger=Ledger(rereads=(("bash", 1),)))) == []
    assert proposed(Mask(), whole, Lineage(TENANT, ledger=Ledger(rereads=(("other", 1),)))) == [1]
    assert proposed(Mask(liveness=False), whole, Lineage(TENANT, ledger=Ledger(rereads=(("bash", 1),)))) == [1]


def test_what_the_agent_has_not_answered_yet_is_never_masked_however_much_came_at_once() -> None:
    many = message(Role.TOOL, *(observation(f"o{n}") for n in range(9)))
    whole = conversation(asked(), called("a"), many)
    for mask in (Mask(), Mask(liveness=False)):
        assert proposed(mask, whole) == []
        assert proposed(mask, conversation(*whole.messages, said(9))) == [2] * 4

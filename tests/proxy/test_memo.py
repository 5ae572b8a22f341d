"""What a process remembers: bounded in bytes, and never needed for an answer."""

from collections import OrderedDict

import pytest

from policies.core.conversation import Kind, Message
from policies.core.lineage import root_hash
from proxy.memo import NODE_OVERHEAD, Memo, Trail, Tree, bounded
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    EAGER,
    WIRES,
    Replica,
    Result,
    Results,
    Step,
    User,
    Wire,
    blocks,
    dump,
    large,
    masked,
    turns_of,
    work,
)

TREE: Tree = (root_hash(b"tenant", "openai_chat", "api"), "o200k_base*1.0")


def said(text: str, spaces: str = "") -> bytes:
    return dump({"role": "user", "content": text}) + spaces.encode()


def grown(memo: Memo, raws: list[bytes], tree: Tree = TREE) -> Trail:
    """The way of a conversation, as a reader would make it."""
    keys = tuple(memo.hash(raw) for raw in raws)
    trail = memo.follow(tree, keys)
    new: list[Message] = [CHAT.dialect.message(raw, len) for raw in raws[len(trail.keys) :]]
    return memo.grow(tree, trail, keys, new)


def test_what_was_seen_is_found_again_and_the_rest_is_added() -> None:
    memo = Memo(seed=1)
    first = grown(memo, [said("a"), said("b")])
    longer = grown(memo, [said("a"), said("b"), said("c")])
    assert longer.nodes[:2] == first.nodes
    assert [node.message.raw for node in longer.nodes] == [said("a"), said("b"), said("c")]


def test_a_variant_leads_to_the_same_node_which_keeps_the_first_bytes() -> None:
    memo = Memo(seed=1)
    first = grown(memo, [said("a")])
    other = grown(memo, [said("a", "  ")])
    assert other.nodes == first.nodes
    assert other.nodes[0].message.raw == said("a")
    assert other.messages[0].raw == said("a", "  ")
    assert (first.variants, other.variants) == ((), (0,))


def test_other_content_leads_to_another_node() -> None:
    memo = Memo(seed=1)
    assert grown(memo, [said("a")]).nodes != grown(memo, [said("b")]).nodes


def test_every_spelling_counts_towards_the_bound() -> None:
    memo = Memo(seed=1)
    spellings = [said("a" * 1000, " " * number) for number in range(50)]
    for spelling in spellings:
        grown(memo, [spelling])
    assert memo.size == sum(NODE_OVERHEAD + len(spelling) for spelling in spellings)


def test_the_least_recently_used_families_are_forgotten_first() -> None:
    memo = Memo(seed=1, max_bytes=3 * (NODE_OVERHEAD + 100))
    for text in ("a", "b", "c"):
        grown(memo, [said(text)])
    grown(memo, [said("a")])
    grown(memo, [said("d")])
    known = [text for text in "abcd" if memo.follow(TREE, (memo.hash(said(text)),)).nodes]
    assert known == ["a", "c", "d"]
    assert memo.size <= memo.max_bytes


def test_a_family_that_is_larger_than_the_bound_is_forgotten_as_well() -> None:
    # all sessions of one repository begin with the same first message
    memo = Memo(seed=1, max_bytes=20 * NODE_OVERHEAD)
    for number in range(100):
        grown(memo, [said("the same rules for all"), said(f"task {number}")])
        assert memo.size <= memo.max_bytes
    assert memo.size == sum(family.size for family in memo.families.values())


def test_a_tree_goes_with_its_last_family() -> None:
    memo = Memo(seed=1, max_bytes=2 * NODE_OVERHEAD)
    trees: list[Tree] = [(root_hash(bytes([number]), "openai_chat", "api"), "unit") for number in range(9)]
    for tree in trees:
        grown(memo, [said("hello")], tree)
    assert list(memo.roots) == trees[-1:]


def test_asking_leaves_nothing_behind() -> None:
    memo = Memo(seed=1)
    for number in range(9):
        tree: Tree = (root_hash(bytes([number]), "openai_chat", "api"), "unit")
        assert memo.follow(tree, ()).nodes == memo.follow(tree, (5,)).nodes == ()
        assert memo.grow(tree, Trail(), (), []).nodes == ()
    assert (memo.roots, memo.families, memo.size) == ({}, {}, 0)


def test_a_family_forgotten_while_its_request_waited_for_the_store_is_dropped_in_order() -> None:
    memo = Memo(seed=1, max_bytes=2 * NODE_OVERHEAD)
    waiting = grown(memo, [said("a")])
    grown(memo, [said("b" * NODE_OVERHEAD)], (root_hash(b"other", "openai_chat", "api"), "unit"))
    assert not memo.follow(TREE, waiting.keys).nodes
    memo.respell(TREE, waiting)
    for text in "cdef":
        assert grown(memo, [said(text)], (root_hash(text.encode(), "openai_chat", "api"), "unit")).nodes
    assert memo.size == sum(family.size for family in memo.families.values()) <= memo.max_bytes


def test_messages_of_many_branches_stay_findable() -> None:
    memo = Memo(seed=1)
    ways = [[said("a"), said(f"b{number}"), said("c")] for number in range(30)]
    nodes = [grown(memo, way).nodes for way in ways]
    assert [grown(memo, way).nodes for way in ways] == nodes
    assert memo.size == (1 + 30 * 2) * NODE_OVERHEAD + len(said("a")) + sum(len(raw) for way in ways for raw in way[1:])


def test_a_bounded_cache_drops_what_was_used_longest_ago() -> None:
    cache: OrderedDict[str, int] = OrderedDict()
    for key in ("a", "b", "a", "c"):
        bounded(cache, key, 0, size=2)
    assert list(cache) == ["a", "c"]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_an_observation_is_named_after_the_call_that_it_answers(wire: Wire) -> None:
    planned = Replica().turn(wire, work(3)).planned
    assert planned is not None
    assert {block.tool for block in blocks(planned.seen.trail.messages, Kind.OBSERVATION)} == {"read_file"}


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_answers_are_the_same_however_little_is_remembered(wire: Wire) -> None:
    roomy, forgetful = Replica(), Replica(memo=Memo(seed=1, max_bytes=1))
    for turn in turns_of(work(5)):
        expected, found = roomy.turn(wire, turn), forgetful.turn(wire, turn)
        assert found.body == expected.body
        assert found.headers == expected.headers
    assert forgetful.context.memo.size == 0
    assert masked(wire, found.body) == 4


def test_other_seeds_give_other_fast_hashes() -> None:
    assert Memo(seed=1).hash(b"x") != Memo(seed=2).hash(b"x")
    assert Memo(seed=1).hash(b"x") == Memo(seed=1).hash(b"x")


def test_an_answer_to_no_call_keeps_no_name() -> None:
    steps: list[Step] = [User("go"), Results((Result("lost", large("lost")),))]
    planned = Replica(EAGER).turn(ANTHROPIC, steps).planned
    assert planned is not None
    assert [block.tool for message in planned.seen.trail.messages for block in message.blocks] == ["", ""]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_a_turn_that_was_continued_keeps_nothing_that_can_be_made_again(wire: Wire) -> None:
    # else a session of n turns holds n lists of n entries
    replica = Replica()
    *earlier, last = [prepared.planned.turn for prepared in replica.session(wire, work(5)) if prepared.planned]
    assert len(earlier) == 5 and last.keys and last.rewritten and last.force
    assert [(turn.keys, turn.waiting, turn.rewritten, turn.force) for turn in earlier] == [((), (), {}, None)] * 5
    fork = replica.turn(wire, [*work(3), User("Stop here.")])
    assert masked(wire, fork.body) == 2

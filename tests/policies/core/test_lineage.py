"""Keys of what was sent: what enters them, what does not, and that they are the same in every process."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.conversation import Kind, Message, PrefixHash, Role
from policies.core.index import force_of
from policies.core.lineage import Ledger, Lineage, extend, extend_message, record_key, root_hash, with_fresh
from tests.policies.building import asked, block, conversation, head, message, observation, placed, steps

ROOT = root_hash(b"tenant", "openai-chat", "openai")


def chained(*messages: Message) -> PrefixHash:
    prefix = ROOT
    for one in messages:
        prefix = extend_message(prefix, one)
    return prefix


def test_the_chain_is_the_same_in_every_process() -> None:
    assert ROOT.hex()[:16] == "14cccf0ebbfd72aa"
    assert chained(asked("a"), asked("b")).hex()[:16] == "79a2f4997cdc15ff"
    assert record_key(ROOT, head()).hex()[:16] == "1a73ac1e6c5b1f80"


@pytest.mark.parametrize(
    "other", [(b"other", "openai-chat", "openai"), (b"tenant", "gemini", "openai"), (b"tenant", "openai-chat", "azure")]
)
def test_isolated_tenant_dialect_and_upstream_are_in_the_first_link(other: tuple[bytes, str, str]) -> None:
    assert root_hash(*other) != ROOT
    assert extend_message(root_hash(*other), asked("a")) != chained(asked("a"))


def test_parts_of_the_first_link_cannot_be_shifted_into_each_other() -> None:
    assert root_hash(b"a", "b", "c") != root_hash(b"ab", "", "c")
    assert root_hash(b"a", "bc", "") != root_hash(b"a", "b", "c")


def test_markers_sizes_and_bytes_do_not_matter() -> None:
    plain = message(Role.USER, block(Kind.TEXT, "a", 10))
    other = message(Role.USER, block(Kind.TEXT, "a", 99, marked=True, markable=False))
    assert chained(plain) == chained(replace(other, raw=b"other bytes"))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.USER])
def test_the_role_matters(role: Role) -> None:
    assert chained(message(role, block(Kind.TEXT, "a"))) != chained(message(Role.USER, block(Kind.TEXT, "a")))
    assert chained(message(role)) != chained(message(Role.USER))


def test_the_order_matters() -> None:
    assert chained(asked("a"), asked("b")) != chained(asked("b"), asked("a"))


def test_a_message_without_blocks_still_counts() -> None:
    assert chained(message(Role.USER)) != ROOT


def test_a_message_is_the_chain_of_its_blocks() -> None:
    one, two = observation("a"), observation("b")
    assert chained(message(Role.USER, one, two)) == extend(extend(ROOT, Role.USER, one), Role.USER, two)


@given(st.lists(st.sampled_from("abcdef"), max_size=6), st.lists(st.sampled_from("abcdef"), max_size=6))
def test_two_conversations_share_a_key_only_if_they_are_equal(one: list[str], other: list[str]) -> None:
    assert (chained(*map(asked, one)) == chained(*map(asked, other))) is (one == other)


@pytest.mark.parametrize("part", ["model", "tools_hash", "system_hash", "parameters_hash"])
def test_the_same_messages_under_another_head_are_another_record(part: str) -> None:
    changed: dict[str, Any] = {part: "other" if part == "model" else b"other"}
    assert record_key(ROOT, head(**changed)) != record_key(ROOT, head())


def test_what_is_no_part_of_a_caches_identity_does_not_make_another_record() -> None:
    assert record_key(ROOT, head(tokens=5, markers=2, stream=True, max_output=9)) == record_key(ROOT, head())


def test_what_was_never_sent_is_in_force_before_the_turn_is_planned() -> None:
    whole = conversation(*steps(100, 100))
    early, late = placed(whole, 1, 10), placed(whole, 3, 10)
    lineage = Lineage(placed=(late,), force=force_of((late,)))
    assert with_fresh(lineage, (early,)) == Lineage(placed=(early, late))
    assert with_fresh(lineage, ()) is lineage


def test_a_conversation_never_seen_has_no_past() -> None:
    lineage = Lineage()
    assert (lineage.last, lineage.placed, lineage.turn, lineage.common, lineage.changed) == (None, (), 0, 0, "")
    assert lineage.ledger == Ledger(0.0, 0.0, (), 0.0)

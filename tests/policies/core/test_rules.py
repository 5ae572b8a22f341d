"""LEGAL: what a rewrite may change, and the word for each thing that it may not."""

import pytest
from msgspec.structs import replace

from policies.core.conversation import Kind, Message, Role
from policies.core.index import Index
from policies.core.plan import HEAD, Marker
from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, TokenBlocks, Units
from policies.core.rules import marker_violations, message_violations, order_violations
from tests.policies.building import asked, block, block_hash, conversation, message, observation

THOUGHT, TEXT, CALL = block(Kind.REASONING, "thought"), block(Kind.TEXT, "text"), block(Kind.CALL, "call", call_id="c1")
FIRST, SECOND = observation("first", call_id="c1"), observation("second", call_id="c2")
BEFORE = message(Role.USER, THOUGHT, TEXT, CALL, FIRST, SECOND)
PLACEHOLDER = replace(FIRST, hash=block_hash("placeholder"), tokens=5)


def after(**changed: object) -> Message:
    """BEFORE with other blocks: by their place, as b0 to b4."""
    blocks = [changed.get(f"b{n}", block) for n, block in enumerate(BEFORE.blocks)]
    return replace(BEFORE, blocks=tuple(blocks))


def other(n: int) -> object:
    return replace(BEFORE.blocks[n], hash=block_hash("other"))


def test_nothing_changed_breaks_nothing() -> None:
    assert message_violations(BEFORE, BEFORE, ()) == ()


@pytest.mark.parametrize("kind", [Kind.OBSERVATION, Kind.TEXT])
def test_an_observation_may_get_other_content(kind: Kind) -> None:
    assert message_violations(BEFORE, after(b3=replace(PLACEHOLDER, index=3, kind=kind)), {3}) == ()


def test_markers_sizes_and_bytes_may_change() -> None:
    marked = replace(BEFORE, blocks=tuple(replace(b, marked=True, tokens=1) for b in BEFORE.blocks), raw=b"other")
    assert message_violations(BEFORE, marked, ()) == ()


def test_a_role_may_not_change() -> None:
    assert message_violations(BEFORE, replace(BEFORE, role=Role.TOOL), ()) == ("role_changed",)


@pytest.mark.parametrize("blocks", [BEFORE.blocks[:-1], (*BEFORE.blocks, TEXT), ()])
def test_no_block_may_come_or_go(blocks: tuple[object, ...]) -> None:
    assert message_violations(BEFORE, replace(BEFORE, blocks=blocks), {3}) == ("blocks_changed",)


def test_a_result_must_still_answer_its_call() -> None:
    elsewhere = replace(PLACEHOLDER, index=3, call_id="c2")
    assert message_violations(BEFORE, after(b3=elsewhere), {3}) == ("pairing_broken",)


@pytest.mark.parametrize("kind", [Kind.CALL, Kind.REASONING, Kind.MEDIA, Kind.OPAQUE])
def test_a_result_must_not_become_something_else(kind: Kind) -> None:
    assert message_violations(BEFORE, after(b3=replace(PLACEHOLDER, index=3, kind=kind)), {3}) == ("pairing_broken",)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_only_observations_may_be_replaced(place: int) -> None:
    assert message_violations(BEFORE, BEFORE, {place}) == ("pairing_broken",)


def test_reasoning_is_untouched() -> None:
    assert message_violations(BEFORE, after(b0=other(0)), {3}) == ("reasoning_changed",)


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_what_was_not_meant_to_change_has_not(place: int) -> None:
    assert message_violations(BEFORE, after(**{f"b{place}": other(place)}), ()) == ("content_changed",)


def test_blocks_that_change_places_are_found() -> None:
    swapped = after(b3=BEFORE.blocks[4], b4=BEFORE.blocks[3])
    assert message_violations(BEFORE, swapped, ()) == ("content_changed",)


def test_each_word_is_said_once_in_the_order_of_the_blocks() -> None:
    broken = after(b0=other(0), b1=other(1), b2=other(2))
    assert message_violations(BEFORE, broken, {4}) == ("reasoning_changed", "content_changed")


MARKERS = tuple(Marker(n, 0) for n in range(5))


@pytest.mark.parametrize(
    ("rule", "client", "ours", "words"),
    [
        (LongestPrefix(), 0, 0, ()),
        (LongestPrefix(), 0, 1, ("marker_not_allowed",)),
        (TokenBlocks(), 0, 1, ("marker_not_allowed",)),
        (Units(), 0, 1, ("marker_not_allowed",)),
        (Breakpoints(), 0, 4, ()),
        (Breakpoints(), 0, 5, ("too_many_markers",)),
        (Breakpoints(), 3, 1, ()),
        (Breakpoints(), 4, 1, ("too_many_markers",)),
        (Breakpoints(), 5, 0, ()),  # the client's own affair
        (Breakpoints(automatic=True), 0, 3, ()),
        (Breakpoints(automatic=True), 0, 4, ("too_many_markers",)),
        (Breakpoints(automatic=True), 2, 2, ("too_many_markers",)),
    ],
)
def test_t8_no_more_markers_than_the_provider_takes(
    rule: CacheRule, client: int, ours: int, words: tuple[str, ...]
) -> None:
    assert marker_violations(rule, client, MARKERS[:ours]) == words


SHORT, LONG = asked("short", marked=True), asked("long", marked=True, long=True)


@pytest.mark.parametrize(
    ("messages", "head", "markers", "words"),
    [
        ((asked(), asked("b")), {}, (Marker(0, 0, long=True), Marker(1, 0)), ()),
        ((asked(), asked("b")), {}, (Marker(0, 0), Marker(1, 0, long=True)), ("marker_order",)),
        ((asked(), LONG), {}, (Marker(0, 0),), ("marker_order",)),
        ((asked(), LONG), {}, (Marker(0, 0, long=True),), ()),
        ((SHORT, asked("b")), {}, (Marker(1, 0, long=True),), ("marker_order",)),
        ((SHORT, asked("b")), {}, (Marker(1, 0),), ()),
        ((asked(),), {"markers": 1}, (Marker(0, 0, long=True),), ("marker_order",)),
        ((asked(),), {"markers": 1, "long": True}, (Marker(0, 0, long=True),), ()),
        ((asked(), LONG), {}, (Marker(HEAD, 0),), ("marker_order",)),
        ((SHORT, LONG), {}, (), ()),  # the client's own affair
    ],
)
def test_t8_a_long_marker_never_stands_behind_a_short_one(
    messages: tuple[Message, ...], head: dict[str, object], markers: tuple[Marker, ...], words: tuple[str, ...]
) -> None:
    whole = conversation(*messages, **head)
    index = Index().extended(whole.messages)
    assert order_violations(Breakpoints(), whole, index, markers) == words
    assert order_violations(Breakpoints(automatic=True), whole, index, markers) == ()
    assert order_violations(LongestPrefix(), whole, index, markers) == ()


def noted(n: int, **changes: object) -> Message:
    """BEFORE with another content of block n."""
    return after(**{f"b{n}": replace(BEFORE.blocks[n], hash=block_hash("noted"), **changes)})


@pytest.mark.parametrize("n", [1, 3])
def test_a_note_may_stand_behind_a_text_of_the_user_or_an_answer(n: int) -> None:
    assert message_violations(BEFORE, noted(n), (), {n}) == ()


def test_a_masked_answer_may_bear_a_note() -> None:
    assert message_violations(BEFORE, after(b3=replace(PLACEHOLDER, index=3, kind=Kind.TEXT)), {3}, {3}) == ()


@pytest.mark.parametrize(
    ("n", "changes"),
    [(0, {}), (2, {}), (1, {"kind": Kind.OBSERVATION}), (3, {"kind": Kind.TEXT}), (3, {"call_id": "c2"})],
)
def test_a_note_that_stands_elsewhere_or_makes_another_block_is_misplaced(n: int, changes: dict[str, object]) -> None:
    assert message_violations(BEFORE, noted(n, **changes), (), {n}) == ("note_misplaced",)


@pytest.mark.parametrize("role", [Role.ASSISTANT, Role.SYSTEM, Role.TOOL])
def test_a_text_that_is_not_the_users_bears_no_note(role: Role) -> None:
    before, now = replace(BEFORE, role=role), replace(noted(1), role=role)
    assert message_violations(before, now, (), {1}) == ("note_misplaced",)

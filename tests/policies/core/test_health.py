"""Context health: each signal where it begins, once, with its evidence; and nothing where nothing is wrong."""

import pytest

from policies.core.conversation import Act, Message, Role
from policies.core.health import CALLS, Form, Frame, Signal, beginning, signals
from policies.core.index import Index, force_of
from policies.core.lineage import Lineage
from tests.policies.building import asked, called, conversation, message, observed, placed, seen, steps, thought

PLENTY = 10**9
TEST, BUILD = Act(b"test"), Act(b"build")
READ, PART, OTHER_PART = Act(b"read", ("f",), whole=True), Act(b"part", ("f",)), Act(b"other", ("f",))
WRITE, ELSEWHERE = Act(b"write", ("f",), writes=True), Act(b"elsewhere", ("g",), writes=True)


def step(name: str, act: Act | None, said: str = "", tokens: int = 500, **fields: object) -> tuple[Message, Message]:
    """A call and its answer; what is said is its own unless two say the same."""
    words = (said or name).encode()
    return called(name, act=act, tool="tool"), observed(name, tokens, said=words, **fields)


def found(
    *parts: tuple[Message, ...],
    begin: int | None = None,
    limit: int = PLENTY,
    edits: tuple[int, ...] = (),
    head: int = 0,
) -> tuple[Signal, ...]:
    """What the last of these steps brings, or all from message `begin` on. `edits`: messages that are masked."""
    messages = (asked(tokens=10), *(each for part in parts for each in part))
    whole = conversation(*messages, tokens=head)
    masks = [placed(whole, at, 100) for at in edits]
    first = len(messages) - len(parts[-1]) if begin is None else begin
    return signals(Frame(whole, Index().extended(messages), force_of(masks), limit, first))


def words(signals: tuple[Signal, ...]) -> list[str]:
    return [f"{signal.sign}/{signal.what}" for signal in signals]


def fails(name: str, act: Act | None = TEST, said: str = "error", tokens: int = 500) -> tuple[Message, Message]:
    return step(name, act, said, tokens, failed=True)


def test_a_call_that_fails_again_with_the_same_words_is_poisoning() -> None:
    assert found(fails("a"), fails("b")) == (Signal("poisoning", "same_failure", (2, 4), 1000, ("tool",)),)


def test_a_failure_is_told_once_and_again_only_after_the_call_has_worked() -> None:
    assert found(fails("a"), fails("b"), fails("c")) == ()
    assert found(fails("a"), fails("b"), fails("c"), begin=0) == found(fails("a"), fails("b"))
    again = found(fails("a"), fails("b"), step("c", TEST, tokens=9), fails("d"), fails("e"))
    assert words(again) == ["poisoning/same_failure"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (fails("a"), fails("b", BUILD)),
        (fails("a"), fails("b", said="another error", tokens=9)),
        (fails("a"), step("b", TEST, "error", tokens=9)),
        (step("a", TEST, "error", tokens=9), fails("b")),
        (fails("a", None), fails("b", None)),
    ],
    ids=["another call", "other words", "works now", "worked before", "no call is known"],
)
def test_what_is_not_the_same_failure_is_no_poisoning(first: tuple[Message, ...], second: tuple[Message, ...]) -> None:
    assert "poisoning/same_failure" not in words(found(first, second))


def test_waiting_for_something_is_no_poisoning() -> None:
    polls = [step(name, BUILD, said="still building", tokens=20) for name in "abcd"]
    assert found(*polls, begin=0) == ()


def test_an_observation_that_is_there_word_for_word_is_confusion() -> None:
    assert found(step("a", TEST, "list"), step("b", BUILD, "list")) == (
        Signal("confusion", "duplicate", (2, 4), 500, ("tool",)),
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (step("a", TEST, "list", 199), step("b", TEST, "list", 199)),
        (step("a", TEST, "list", editable=False), step("b", TEST, "list", editable=False)),
        (fails("a"), fails("b", BUILD)),
    ],
    ids=["small", "an image is with it", "a failure"],
)
def test_a_repeat_that_misleads_nobody_is_no_confusion(first: tuple[Message, ...], second: tuple[Message, ...]) -> None:
    assert found(first, second) == ()


def test_what_was_masked_and_is_asked_for_again_was_masked_too_early() -> None:
    again = Signal("confusion", "masked_again", (4,), 0, ("tool",))
    assert found(step("a", TEST, "list"), step("b", TEST, "list"), edits=(2,)) == (again,)
    assert found(step("a", TEST, "list"), step("b", TEST, "other"), edits=(2,)) == ()


def test_the_same_call_answered_otherwise_supersedes_its_answer_before() -> None:
    signal = Signal("clash", "same_call", (2, 4), 500, ("tool",))
    assert found(step("a", TEST), step("b", TEST)) == (signal,)
    assert found(step("a", TEST), step("b", TEST), step("c", TEST)) == (
        Signal("clash", "same_call", (4, 6), 500, ("tool",)),
    )
    assert found(step("a", TEST), step("b", TEST), edits=(2,)) == ()
    assert found(step("a", TEST, tokens=199), step("b", TEST)) == ()
    assert found(step("a", TEST), step("b", BUILD)) == ()
    assert found(step("a", None), step("b", None)) == ()


@pytest.mark.parametrize(
    ("before", "now", "where"),
    [
        ((READ,), READ, (2,)),
        ((READ,), WRITE, (2,)),
        ((PART, OTHER_PART), WRITE, (2, 4)),
        ((PART, OTHER_PART), READ, (2, 4)),
        ((PART, OTHER_PART), PART, (2,)),
        ((PART, PART), WRITE, (4,)),
        ((PART, READ), WRITE, (4,)),
        ((READ, PART), WRITE, (2, 4)),
        ((READ, WRITE), WRITE, ()),
        ((READ, WRITE, PART), WRITE, (6,)),
        ((READ,), PART, ()),
        ((READ,), ELSEWHERE, ()),
        ((WRITE,), READ, ()),
    ],
)
def test_a_file_read_again_or_written_supersedes_what_was_read_of_it(
    before: tuple[Act, ...], now: Act, where: tuple[int, ...]
) -> None:
    earlier = [step(str(n), act) for n, act in enumerate(before)]
    signals = found(*earlier, step("now", now))
    assert [signal.messages[:-1] for signal in signals] == ([where] if where else [])
    if where:
        what: Form = "file_written" if now.writes else "file_read_again"
        last = 2 * len(before) + 2
        assert signals == (Signal("clash", what, (*where, last), 500 * len(where), ("tool",)),)


def test_one_write_to_several_files_is_one_clash() -> None:
    both = Act(b"both", ("f", "g"), writes=True)
    other = Act(b"other file", ("g",))
    signals = found(step("a", READ), step("b", other), step("c", both))
    assert signals == (Signal("clash", "file_written", (2, 4, 6), 1000, ("tool",)),)


@pytest.mark.parametrize(
    "now",
    [
        step("b", READ, failed=True),
        step("b", WRITE, failed=True),
        step("b", READ, tokens=20),
        step("b", READ, "a", 199),
    ],
    ids=["a read fails", "a write fails", "unchanged since last read", "the same"],
)
def test_what_shows_and_writes_no_file_supersedes_nothing(now: tuple[Message, ...]) -> None:
    assert found(step("a", READ), now) == ()


def test_a_failed_read_is_nothing_to_supersede() -> None:
    assert found(step("a", READ, failed=True), step("b", WRITE)) == ()


def test_a_context_that_passes_four_fifths_of_its_limit_is_told_once() -> None:
    sizes = steps(100, 100, 100, call=0)
    full = Signal("distraction", "full", (4,), 250)
    assert found(sizes[:2], sizes[2:4], head=40, limit=312) == (full,)
    assert found(sizes[:2], sizes[2:4], head=40, limit=313) == ()
    assert found(sizes[:2], sizes[2:4], sizes[4:], head=40, limit=312) == ()


def test_what_is_masked_does_not_fill_a_context() -> None:
    sizes = steps(200, 100, call=0)
    assert words(found(sizes[:2], sizes[2:], head=60, limit=450)) == ["distraction/full"]
    assert found(sizes[:2], sizes[2:], head=60, limit=450, edits=(2,)) == ()


def test_a_context_of_little_but_observations_is_told_when_it_is_half_full() -> None:
    sizes = steps(100, 100, 100, call=0)
    crowded = Signal("distraction", "crowded", (4,), 200)
    assert found(sizes[:2], sizes[2:4], limit=400) == (crowded,)
    assert found(sizes[:2], sizes[2:4], sizes[4:], limit=400) == ()
    assert found(sizes[:2], sizes[2:4], limit=430) == ()
    assert found(sizes[:2], sizes[2:4], limit=400, head=40) == ()


def test_what_is_masked_does_not_crowd_a_context() -> None:
    sizes = steps(300, 100, call=0)
    assert words(found(sizes[:2], sizes[2:], head=30, limit=600)) == ["distraction/crowded"]
    assert found(sizes[:2], sizes[2:], head=30, limit=600, edits=(2,)) == ()


def test_a_context_without_observations_is_not_crowded() -> None:
    assert words(found((asked("a", 60),), limit=100)) == []


def many(count: int, tool: str = "used") -> list[tuple[Message, ...]]:
    return [(called(str(n), tool=tool), observed(str(n), 10)) for n in range(count)]


def confused(parts: list[tuple[Message, ...]], *definitions: tuple[str, int], begin: int | None = None) -> list[Signal]:
    messages = (asked(), *(each for part in parts for each in part))
    whole = conversation(*messages, definitions=definitions)
    first = len(messages) - 2 if begin is None else begin
    return list(signals(Frame(whole, Index().extended(messages), force_of(()), PLENTY, first)))


def test_definitions_that_no_call_has_needed_are_told_after_twenty_answers() -> None:
    expected = Signal("confusion", "unused_tools", (2 * CALLS,), 3000, ("a", "b"))
    definitions = (("a", 1000), ("used", 3000), ("b", 2000))
    assert confused(many(CALLS), *definitions) == [expected]
    assert confused(many(CALLS - 1), *definitions) == []
    assert confused(many(CALLS + 1), *definitions) == []
    assert confused(many(CALLS + 1), *definitions, begin=1) == [expected]


def test_a_few_unused_definitions_are_no_confusion() -> None:
    assert confused(many(CALLS), ("a", 1999), ("used", 10)) == []
    assert confused(many(CALLS), ("a", 2000), ("used", 2001)) == []
    assert confused(many(CALLS), ("a", 2000), ("used", 2000)) != []
    assert confused(many(CALLS)) == []


def test_observations_without_calls_say_nothing_of_tools() -> None:
    silent = [(thought(str(n), bound=False), observed(str(n), 10)) for n in range(CALLS)]
    assert confused(list(silent), ("a", 5000)) == []


WHOLE = conversation(asked(), *steps(10, 10, 10))


def test_a_turn_begins_where_the_one_before_ended() -> None:
    assert beginning(WHOLE, seen(WHOLE, 5)) == 5
    assert beginning(WHOLE, seen(WHOLE, 7)) == 7
    assert beginning(WHOLE, seen(WHOLE, 5, common=8)) == 7


def test_where_the_past_was_changed_or_is_not_known_a_turn_begins_behind_the_newest_answer() -> None:
    assert beginning(WHOLE, seen(WHOLE, 3, complete=False)) == 6
    assert beginning(WHOLE, seen(WHOLE, 7, complete=False)) == 7
    assert beginning(WHOLE, Lineage()) == 6
    assert beginning(conversation(asked(), message(Role.USER)), Lineage()) == 0

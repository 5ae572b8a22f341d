"""What of a changed head may be kept, and what a note says of it."""

import msgspec
import pytest

from policies.core.heads import Rewording
from policies.stabilize import (
    AGAIN,
    DESCRIPTIONS,
    NOTE,
    SHORT,
    Stabilize,
    drift,
    is_drift,
    note,
    system_refusal,
    tools_refusal,
)

LONG = "Runs a command and gives back what it says. " * 20
BILLING = "x-anthropic-billing-header: cc_version=2.1.197.{};"


def _bash(before: str, after: str) -> Rewording:
    return Rewording('the description of tool "Bash"', before, after)


def _system(before: str, after: str) -> Rewording:
    return Rewording("the system prompt", before, after)


def test_everything_is_on_unless_a_policy_says_otherwise() -> None:
    assert Stabilize() == Stabilize(replay=True, pin_system=True, pin_tools=True)


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="pin_model"):
        msgspec.convert({"pin_model": True}, Stabilize)


def test_a_short_change_of_a_long_description_may_be_kept() -> None:
    assert not tools_refusal([_bash(LONG + "Opus 4.8 (1M context)", LONG + "Opus 4.8")])
    assert not tools_refusal([])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_bash("Runs one.", "Runs many."), "long_change"),
        (_bash(LONG * 9, LONG * 9 + "x" * (SHORT + 1)), "long_change"),
    ],
)
def test_a_change_that_a_note_could_hardly_carry_is_the_clients_own(text: Rewording, reason: str) -> None:
    assert tools_refusal([text]) == reason


def test_many_tools_at_once_are_the_clients_own_change() -> None:
    texts = [Rewording(f"tool {n}", LONG + "a", LONG + "b") for n in range(DESCRIPTIONS + 1)]
    assert tools_refusal(texts) == "many_changes" and not tools_refusal(texts[1:])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("It is 2026-11-21.", "It is 2026-11-22.", ""),
        (BILLING.format("a"), BILLING.format("b"), ""),
        (f"{LONG}\nIn /a", f"{LONG}\nIn /b", ""),
        ("In /a", "In /b", "long_change"),
        (LONG * 30, LONG * 30 + "x" * (SHORT + 1), "long_change"),
    ],
)
def test_of_a_system_prompt_volatile_spans_and_a_fiftieth_may_differ(before: str, after: str, reason: str) -> None:
    assert system_refusal([_system(before, after)], len(before)) == reason


def test_a_note_quotes_both_wordings_and_is_written_once() -> None:
    said = drift([_bash("Use Opus 4.8 (1M context).", "Use Opus 4.8."), _system("In /a now", "In /b now")])
    first = note([said], "")
    assert first == (
        f'{NOTE}the description of tool "Bash" now reads "Use Opus 4.8." where it read "Use Opus 4.8 (1M context).";'
        ' the system prompt now reads "In /b now" where it read "In /a now"]'
    )
    assert is_drift(first) and not is_drift("anything")
    assert note([said], first) == ""


def test_what_is_new_is_told_as_such() -> None:
    said = drift([_system("Be careful.\n", "Be careful.\nNow.")])
    assert said == 'the system prompt now also reads "Be careful. Now."'


def test_the_way_back_is_noted_too_and_what_no_model_needs_never() -> None:
    assert drift([_system(BILLING.format("a"), BILLING.format("b"))]) == ""
    assert note([""], "") == "" and note([], "") == ""
    assert note([], f"{NOTE}anything]") == AGAIN and note([], AGAIN) == ""

"""Context health on the screen of a turn: what began, where, and what it means."""

from pathlib import Path
from typing import get_args

from policies.core.health import Form, Signal
from policies.core.outcome import Outcome, Story
from proxy.explain import words
from proxy.explain.looking import Turn
from tests.proxy.store.records import record

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operating.md"


def screen(*signals: Signal) -> str:
    return words.turn(Turn(1, record(), Outcome(200, story=Story(health=signals))), 1)


def test_what_begins_to_mislead_the_model_is_told_with_its_evidence() -> None:
    text = screen(Signal("clash", "same_call", (4, 9), 1200, ("bash",)))
    means = words.SIGNS["same_call"]
    assert f"\n\nclash: same_call, about 1,200 tokens\n  {means}\n  at  messages 4, 9\n  of  bash\n\n" in text
    assert "\n  of  " not in screen(Signal("distraction", "full", (9,), 100_000))


def test_evidence_is_cut_to_the_width_of_the_screen() -> None:
    text = screen(Signal("confusion", "unused_tools", tuple(range(900)), 5000, ("tool",) * 99))
    assert max(map(len, text.splitlines())) <= words.WIDE


def test_every_form_of_a_sign_is_explained_on_the_screen_and_to_operators() -> None:
    assert set(words.SIGNS) == set(get_args(Form))
    page = PAGE.read_text(encoding="utf-8")
    assert [form for form in get_args(Form) if f"`{form}`" not in page] == []

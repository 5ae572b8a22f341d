"""The recorded terminal session: it can be played, names no machine, and its text is what the page shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.record_run import BEGIN, END, KEY, plain


@pytest.fixture
def lines(root: Path) -> list[Any]:
    text = (root / "docs" / "run.cast").read_text(encoding="utf-8")
    assert len(text) < 200_000
    return [json.loads(line) for line in text.splitlines()]


def test_the_recording_is_an_asciicast_in_order(lines: list[Any]) -> None:
    header, *events = lines
    assert (header["version"], header["width"]) == (2, 80)
    assert all(kind == "o" and isinstance(text, str) for _, kind, text in events)
    times = [at for at, _, _ in events]
    assert times == sorted(times) and times[-1] < 120


def test_the_page_shows_what_was_recorded(lines: list[Any], root: Path) -> None:
    shown = "".join(text for _, _, text in lines[1:])
    page = (root / "docs" / "run.md").read_text(encoding="utf-8")
    block = page[page.index(BEGIN) : page.index(END)]
    assert block == f"{BEGIN}\n```text\n{plain(shown)}```\n"
    assert "\x1b" not in block


def test_the_session_did_its_work_and_shows_no_machine(lines: list[Any]) -> None:
    shown = plain("".join(text for _, _, text in lines[1:]))
    assert "RETRIES = 3" in shown and shown.endswith("RETRIES = 5\nBACKOFF = 1.5\n")
    assert "holdfast: " in shown and "spent" in shown
    assert KEY not in shown and "/home" not in shown and "/tmp" not in shown

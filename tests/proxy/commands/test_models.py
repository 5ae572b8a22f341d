"""`holdfast models`."""

import json

import pytest

from proxy.commands import models
from proxy.commands.terminal import Terminal
from proxy.profiles import load_profiles
from proxy.tables import WIDTH

TABLE, JSON = Terminal(), Terminal(json=True)


def test_every_profile_is_a_line_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.every(TABLE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0].rstrip("*") for line in lines[1:-2]] == [profile.name for profile in load_profiles()]
    assert max(map(len, lines)) <= WIDTH


def test_a_model_is_found_as_requests_name_it(capsys: pytest.CaptureFixture[str]) -> None:
    models.one("anthropic/claude-sonnet-4-5-20250929", TABLE)
    assert capsys.readouterr().out.startswith("claude-sonnet-4-5 (anthropic)\n")


def test_a_profile_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    models.one("llama.cpp", TABLE)
    assert capsys.readouterr().out.startswith("llama.cpp (self-hosted)\n")


@pytest.mark.parametrize("name", [profile.name for profile in load_profiles()])
def test_every_price_and_limit_shown_has_a_source_date_and_mark(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    models.one(name, TABLE)
    text = capsys.readouterr().out
    figures = [line for line in text.splitlines() if line.startswith(("prices.", "context_limit", "tiers."))]
    assert figures
    for line in figures:
        mark, date, source = line.split()[-3:]
        assert mark in ("SDK", "DOC", "2nd", "MINE", "GUESS", "measured") and date.startswith("20")
        assert f"\n{source} " in text


def test_an_unknown_model_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    models.one("nonsense", TABLE)
    assert capsys.readouterr().out.startswith("no profile describes `nonsense`: the cautious one is used")


def test_json_has_the_whole_profile(capsys: pytest.CaptureFixture[str]) -> None:
    models.one("claude-sonnet-4-5", JSON)
    document = json.loads(capsys.readouterr().out)
    assert document["name"] == "claude-sonnet-4-5" and document["sources"]
    models.every(JSON)
    assert len(json.loads(capsys.readouterr().out)) == len(load_profiles())

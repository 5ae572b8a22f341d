"""`holdfast explain` and `holdfast sessions`, on a store that real turns have filled."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies.core.usage import Usage
from proxy.cli import main
from proxy.exchange import settle
from proxy.store.sqlite import open_sqlite
from tests.proxy.driving import CHAT, EAGER, Replica, run, work


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store with one session of three turns."""
    file = tmp_path / "state.db"

    async def fill() -> None:
        kept = open_sqlite(file)
        replica = Replica(EAGER, store=kept)
        for turn in (1, 2, 3):
            prepared = await replica.prepare(CHAT, CHAT.body(work(turn)), session="abc")
            await settle(prepared, replica.context, Usage(input=1_000 * turn, cache_read=0, output=9), replica.now)
        await kept.close()

    run(fill())
    return f"sqlite:///{file}"


def _json(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    assert main([*argv, "--format", "json"], {}) == 0
    return json.loads(capsys.readouterr().out)


def test_a_session_is_a_line_a_turn(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--store", store], {}) == 0
    assert capsys.readouterr().out.startswith("session abc: unknown, gpt-4.1, 3 turns from ")
    assert [line["input"] for line in _json(capsys, "explain", "ab", "--store", store)["lines"]] == [
        1_000,
        2_000,
        3_000,
    ]


def test_a_turn_is_a_screen_with_each_planned_rewrite(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "abc", "--turn", "3", "--store", store], {}) == 0
    text = capsys.readouterr().out
    assert text.startswith("session abc, turn 3 of 3, ") and "1 mask applied: always" in text
    document = _json(capsys, "explain", "abc", "--turn", "3", "--store", store)
    (rewrite,) = document["rewrites"]
    assert (rewrite["step"]["kind"], document["input"], document["session"]) == ("mask", 3_000, "abc")
    assert "sent" not in document


def test_sessions_are_listed(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions", "--store", store], {}) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:5] == ["abc", "unknown", "gpt-4.1", "3", "6,000"]
    (session,) = _json(capsys, "sessions", "--limit", "1", "--store", store)
    assert (session["session"], session["turns"], session["read"]) == ("abc", 3, 0.0)


@pytest.mark.parametrize(
    ("argv", "status", "says"),
    [
        (["explain", "abd"], 1, "there is no session `abd`; the nearest is `abc`"),
        (["explain", "--turn", "4"], 1, "session `abc` has no turn 4; it has 3"),
        (["explain", "--turn", "0"], 2, "a whole number from 1 on is allowed"),
    ],
)
def test_what_is_not_there_is_one_clear_line(
    argv: list[str], status: int, says: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert main([*argv, "--store", store], {}) == status
    except SystemExit as left:
        assert left.code == status
    assert says in capsys.readouterr().err


def test_a_store_that_is_not_on_disk_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--store", "memory:"], {}) == 2
    assert "`memory:` keeps nothing on disk" in capsys.readouterr().err
    assert main(["sessions", "--store", f"sqlite:///{tmp_path}/none.db"], {}) == 1
    assert "there is no store" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()

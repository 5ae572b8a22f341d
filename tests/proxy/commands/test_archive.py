"""Reading back what a placeholder stands for, from the command line."""

import asyncio
import json
from pathlib import Path

import pytest

from proxy.archive.open import archive_path, open_archive
from proxy.archive.seal import Seal
from proxy.cli import main

TEXT = "".join(f"line {number}\n" for number in range(1, 31))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOLDFAST_STORE": f"sqlite:///{tmp_path}/state.db"}


def kept(environ: dict[str, str], text: str = TEXT) -> str:
    async def put() -> str:
        archive = open_archive(environ["HOLDFAST_STORE"], 10**9)
        (identity,) = await archive.put(b"t" * 32, (text.encode(),), 1.0)
        await archive.close()
        return identity

    return asyncio.run(put())


def test_an_original_is_printed_whole(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "get", kept(environ)], environ) == 0
    assert capsys.readouterr().out == TEXT + "\n"


def test_the_store_may_be_named_by_flag(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "get", kept(environ), "--store", environ["HOLDFAST_STORE"]], {}) == 0
    assert capsys.readouterr().out == TEXT + "\n"


def test_lines_and_pattern_choose_from_it(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    identity = kept(environ)
    assert main(["archive", "get", identity, "--lines", "9:11"], environ) == 0
    assert capsys.readouterr().out == "line 9\nline 10\nline 11\n"
    assert main(["archive", "get", identity, "--lines", "12:", "--grep", "2"], environ) == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["line 12", "line 20"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["hf-aaaaaaaaaaaaaaaa"], 1, "has no original `hf-aaaaaaaaaaaaaaaa`"),
        (["../../etc/passwd"], 1, "has no original"),
        (["ID", "--lines", "a:b"], 2, "`a:b` is no range of lines; write A:B"),
        (["ID", "--grep", "("], 2, "`(` is no regular expression"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    arguments: list[str], status: int, says: str, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    identity = kept(environ)
    given = [identity if word == "ID" else word for word in arguments]
    assert main(["archive", "get", *given], environ) == status
    captured = capsys.readouterr()
    assert says in captured.err and captured.err.count("\n") == 1 and not captured.out


def test_a_store_in_memory_says_that_it_keeps_nothing_on_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "get", "hf-aaaaaaaaaaaaaaaa"], {"HOLDFAST_STORE": "memory:"}) == 2
    assert "keeps nothing on disk" in capsys.readouterr().err


def test_a_damaged_archive_is_named(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    kept(environ)
    file = archive_path(environ["HOLDFAST_STORE"])
    assert file is not None
    for part in (file, file.with_name(file.name + "-wal")):
        if part.exists():
            part.write_bytes(b"not a database" * 500)
    assert main(["archive", "get", "hf-aaaaaaaaaaaaaaaa"], environ) == 1
    assert "it is damaged; move it away" in capsys.readouterr().err


def test_lines_around_a_match_are_given_with_a_mark_between_groups(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["archive", "get", kept(environ), "--grep", "line (3|9)$", "--context", "1"], environ) == 0
    assert capsys.readouterr().out == "line 2\nline 3\nline 4\n--\nline 8\nline 9\nline 10\n"


def test_programs_get_json(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    identity = kept(environ)
    assert main(["archive", "get", identity, "--lines", "2:2", "--format", "json"], environ) == 0
    got = json.loads(capsys.readouterr().out)
    assert got == {"id": identity, "total": 30, "lines": [{"number": 2, "text": "line 2"}]}
    assert main(["archive", "search", "line 7", "--format", "json"], environ) == 0
    (found,) = json.loads(capsys.readouterr().out)["originals"]
    assert (found["id"], found["excerpts"][0]) == (identity, {"number": 7, "text": "line 7"})
    assert main(["archive", "list", "--format", "json"], environ) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [identity]
    assert main(["archive", "prune", "--format", "json"], environ) == 0
    assert json.loads(capsys.readouterr().out) == {"dropped": 1, "bytes": 0}  # it is of the year 1970


def test_people_get_tables(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    identity = kept(environ)
    assert main(["archive", "search", "line 7"], environ) == 0
    assert f"{identity}" in (out := capsys.readouterr().out) and "line 7" in out
    assert main(["archive", "list", "--tenant", b"t".hex() * 6], environ) == 0
    assert identity in capsys.readouterr().out
    assert main(["archive", "list", "--tenant", "0" * 12], environ) == 2
    assert "no tenant `000000000000`" in capsys.readouterr().err
    assert main(["archive", "prune"], environ) == 0
    assert capsys.readouterr().out.startswith("1 originals dropped")


def test_a_key_is_taken_from_the_variable_or_a_file(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def put() -> str:
        archive = open_archive(environ["HOLDFAST_STORE"], 10**9, seal=Seal(["a-key-of-this-test"]))
        (identity,) = await archive.put(b"t" * 32, (TEXT.encode(),), 1.0)
        await archive.close()
        return identity

    identity = asyncio.run(put())
    assert main(["archive", "get", identity], {**environ, "HOLDFAST_ARCHIVE_KEY": "a-key-of-this-test"}) == 0
    assert capsys.readouterr().out == TEXT + "\n"
    (tmp_path / "key").write_text("another-key-of-this-test\na-key-of-this-test\n")
    assert main(["archive", "get", identity], {**environ, "HOLDFAST_ARCHIVE__KEY_FILE": str(tmp_path / "key")}) == 0
    assert capsys.readouterr().out == TEXT + "\n"
    assert main(["archive", "get", identity], environ) == 1
    assert "set HOLDFAST_ARCHIVE_KEY" in capsys.readouterr().err
    assert main(["archive", "get", identity], {**environ, "HOLDFAST_ARCHIVE_KEY": "a-key-of-this-test short"}) == 2
    assert "shorter than 16" in capsys.readouterr().err

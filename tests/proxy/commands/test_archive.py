"""Reading back what a placeholder stands for, from the command line."""

import asyncio
from pathlib import Path

import pytest

from proxy.archive.open import archive_path, open_archive
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

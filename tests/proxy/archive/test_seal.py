"""Encryption at rest: nothing of a text stands in the file, and only its key opens it, in its own place."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from proxy.archive import About
from proxy.archive.seal import Seal
from proxy.archive.sqlite import SqliteArchive, open_sqlite_archive
from proxy.errors import StoreError

ALICE, BOB = b"a" * 32, b"b" * 32
NOW = 1_800_000_000.0
FIRST, SECOND = "the first key of all", "the second key of all"
TEXT = b"canary-body of an original"
ABOUT = About("canary-tool", "canary-line", ("canary/path",), "canary-session")

Scenario = Callable[[SqliteArchive], Awaitable[None]]


def play(folder: Path, scenario: Scenario, *keys: str) -> None:
    async def main() -> None:
        archive = open_sqlite_archive(folder / "a.db", 10**9, seal=Seal(keys))
        try:
            await scenario(archive)
        finally:
            await archive.close()

    asyncio.run(main())


async def fill(archive: SqliteArchive) -> None:
    await archive.put(ALICE, (TEXT,), NOW, (ABOUT,))
    await archive.notes.write(ALICE, "canary-note", "canary-title", NOW)
    await archive.search(ALICE, "canary", 5)
    await archive.prune(NOW)


async def reads(archive: SqliteArchive) -> None:
    (entry,) = await archive.newest(ALICE, 5)
    assert entry.about == ABOUT
    assert await archive.get(ALICE, entry.id) == TEXT
    (note,) = await archive.notes.all(ALICE)
    assert (note.title, note.text) == ("canary-title", "canary-note")


def test_no_word_of_a_text_a_note_or_what_is_known_of_them_stands_in_the_file(tmp_path: Path) -> None:
    play(tmp_path, fill, FIRST)
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"canary" not in written and FIRST.encode() not in written
    play(tmp_path, reads, FIRST)


@pytest.mark.parametrize(("keys", "says"), [((SECOND,), "another key"), ((), "set HOLDFAST_ARCHIVE_KEY")])
def test_a_wrong_key_is_an_error_that_says_so(tmp_path: Path, keys: tuple[str, ...], says: str) -> None:
    async def fails(archive: SqliteArchive) -> None:
        (entry,) = await archive.newest(ALICE, 5)
        assert entry.about == About()
        with pytest.raises(StoreError, match=says):
            await archive.get(ALICE, entry.id)
        with pytest.raises(StoreError, match=says):
            await archive.notes.all(ALICE)
        assert (await archive.search(ALICE, "canary", 5)).hits == ()

    play(tmp_path, fill, FIRST)
    play(tmp_path, fails, *keys)


def test_a_key_is_changed_by_putting_the_new_one_in_front(tmp_path: Path) -> None:
    play(tmp_path, fill, FIRST)
    play(tmp_path, reads, SECOND, FIRST)


@pytest.mark.parametrize("before", [(), (FIRST,)], ids=["in the clear", "another key"])
def test_what_is_put_again_is_sealed_with_the_key_at_hand(tmp_path: Path, before: tuple[str, ...]) -> None:
    """A key that was lost makes nothing unreadable that is elided from now on; nor does a new one leave text bare."""

    async def again(archive: SqliteArchive) -> None:
        (id,) = await archive.put(ALICE, (TEXT,), NOW, (ABOUT,))
        assert await archive.get(ALICE, id) == TEXT
        held = "SELECT seal FROM originals"
        assert await archive.database.run(lambda c: c.execute(held).fetchall()) == [(Seal([SECOND]).name,)]
        assert len((await archive.search(ALICE, "canary", 5)).hits) == 1

    play(tmp_path, fill, *before)
    play(tmp_path, again, SECOND)


def test_a_sealed_record_opens_in_its_own_place_only(tmp_path: Path) -> None:
    async def swapped(archive: SqliteArchive) -> None:
        (hers,) = await archive.put(ALICE, (TEXT,), NOW)
        await archive.put(BOB, (TEXT,), NOW)
        await archive.database.run(
            lambda c: c.execute("UPDATE originals SET body = (SELECT body FROM originals WHERE tenant = ?)", (BOB,))
        )
        with pytest.raises(StoreError, match="damaged"):
            await archive.get(ALICE, hers)

    play(tmp_path, swapped, FIRST)


def test_no_nonce_is_used_twice() -> None:
    seal = Seal([FIRST])
    shut = {seal.shut(b"the same", b"place") for _ in range(100)}
    assert len({body[:12] for body in shut}) == 100
    assert {seal.open(seal.name, body, b"place") for body in shut} == {b"the same"}

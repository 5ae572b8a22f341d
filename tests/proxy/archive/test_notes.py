"""The scratchpad: one for each tenant, bounded, with ids that mean the same for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from proxy.archive import Archive
from proxy.archive.notes import AGE, LONGEST, MOST
from proxy.archive.open import open_archive
from proxy.errors import AskedError, StoreError

ALICE, BOB = b"a" * 32, b"b" * 32
NOW = 1_800_000_000.0

Play = Callable[[Callable[[Archive], Awaitable[None]]], None]


@pytest.fixture(params=["memory", "sqlite"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    def run(scenario: Callable[[Archive], Awaitable[None]]) -> None:
        async def main() -> None:
            url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/state.db"
            archive = open_archive(url, 10**9)
            try:
                await scenario(archive)
            finally:
                await archive.close()

        asyncio.run(main())

    return run


def test_a_note_is_read_back_written_over_and_removed(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        notes = archive.notes
        first = await notes.write(ALICE, "one", "a title", NOW)
        second = await notes.write(ALICE, "two", "", NOW)
        assert (first.id, second.id) == ("note-1", "note-2")
        assert await notes.all(ALICE) == (first, second)
        over = await notes.write(ALICE, "one, later", "", NOW + 1, "note-1")
        assert (over.title, over.text) == ("a title", "one, later")
        assert await notes.read(ALICE, "note-1") == over
        assert await notes.remove(ALICE, "note-2") and not await notes.remove(ALICE, "note-2")
        assert await notes.read(ALICE, "note-2") is None
        assert await notes.all(ALICE) == (over,)

    play(scenario)


def test_the_id_of_a_note_that_was_removed_is_not_given_to_another(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.notes.write(ALICE, "one", "", NOW)
        await archive.notes.remove(ALICE, "note-1")
        assert (await archive.notes.write(ALICE, "two", "", NOW)).id == "note-2"
        with pytest.raises(AskedError, match="no note `note-1`"):
            await archive.notes.write(ALICE, "three", "", NOW, "note-1")

    play(scenario)


def test_a_tenant_sees_its_own_notes_only(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.notes.write(ALICE, "hers", "", NOW)
        assert await archive.notes.all(BOB) == ()
        assert await archive.notes.read(BOB, "note-1") is None
        assert not await archive.notes.remove(BOB, "note-1")
        with pytest.raises(AskedError):
            await archive.notes.write(BOB, "his", "", NOW, "note-1")

    play(scenario)


def test_a_scratchpad_is_bounded_in_size_and_number_and_says_so(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        with pytest.raises(AskedError, match=f"{LONGEST} characters"):
            await archive.notes.write(ALICE, "x" * LONGEST, "title", NOW)
        for _ in range(MOST):
            await archive.notes.write(ALICE, "x", "", NOW)
        with pytest.raises(AskedError, match="full"):
            await archive.notes.write(ALICE, "one more", "", NOW)
        await archive.notes.write(ALICE, "over one", "", NOW, "note-3")
        await archive.notes.write(BOB, "another's", "", NOW)

    play(scenario)


def test_a_note_goes_long_after_it_was_last_written(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.notes.write(ALICE, "old", "", NOW)
        await archive.notes.write(ALICE, "young", "", NOW + 10)
        await archive.prune(NOW + AGE + 5)
        assert [note.text for note in await archive.notes.all(ALICE)] == ["young"]

    play(scenario)


@pytest.mark.parametrize("id", ["", "note-", "note-0", "note-99999999999", "1", "note-1 "])
def test_an_id_that_is_none_is_no_note(play: Play, id: str) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.notes.write(ALICE, "one", "", NOW)
        assert await archive.notes.read(ALICE, id) is None

    play(scenario)


def test_a_damaged_note_is_an_error(tmp_path: Path) -> None:
    from proxy.archive.sqlite import open_sqlite_archive

    async def main() -> None:
        archive = open_sqlite_archive(tmp_path / "a.db", 10**9)
        await archive.notes.write(ALICE, "one", "", NOW)
        await archive.database.run(lambda c: c.execute("UPDATE notes SET body = x'00'"))
        with pytest.raises(StoreError, match="`note-1` is damaged"):
            await archive.notes.read(ALICE, "note-1")
        await archive.close()

    asyncio.run(main())

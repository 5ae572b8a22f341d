"""What was elided is found by its words: names and paths in any of their forms, one tenant's only, with or without
an index."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from proxy.archive import About, Archive, Found, index
from proxy.archive.memory import MemoryArchive
from proxy.archive.seal import Seal
from proxy.archive.sqlite import SqliteArchive, open_sqlite_archive
from proxy.archive.words import folded, wanted

ALICE, BOB = b"a" * 32, b"b" * 32
NOW = 1_800_000_000.0

CODE = b"""import os
class UserList:
    def getUserPage(self, page_size):
        return HTTPServer(self.db, page_size)  # see src/app/user-list/views.py
"""
LOG = b"connected to the database\nretrying the pagination of users\n"

Scenario = Callable[[Archive], Awaitable[None]]


@pytest.fixture(params=["memory", "indexed", "sealed"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    def run(scenario: Scenario) -> None:
        async def main() -> None:
            archive: Archive = MemoryArchive()
            if request.param != "memory":
                seal = Seal(["a key of this test"] if request.param == "sealed" else ())
                archive = open_sqlite_archive(tmp_path / "a.db", 10**9, seal=seal)
            try:
                await scenario(archive)
            finally:
                await archive.close()

        asyncio.run(main())

    return run


def ids(found: Found) -> list[str]:
    return [hit.entry.id for hit in found.hits]


@pytest.mark.parametrize(
    "query",
    [
        *("getUserPage", "get_user_page", "user page", "getUser", "page_size", "pageSize", "HTTPServer", "server"),
        *("src/app/user-list/views.py", "views.py", "user-list", "app/user", "USERLIST UserList", "import os"),
    ],
)
def test_a_name_or_a_path_is_found_in_whatever_form_it_is_asked_for(
    play: Callable[[Scenario], None], query: str
) -> None:
    async def scenario(archive: Archive) -> None:
        code, _ = await archive.put(ALICE, (CODE, LOG), NOW)
        if query == "USERLIST UserList":  # one word in capitals is one word; a name that is found counts
            assert code in ids(await archive.search(ALICE, query, 5))
        else:
            assert ids(await archive.search(ALICE, query, 5)) == [code]

    play(scenario)


def test_all_words_must_occur_and_where_they_never_do_any_of_them(play: Callable[[Scenario], None]) -> None:
    async def scenario(archive: Archive) -> None:
        code, log = await archive.put(ALICE, (CODE, LOG), NOW)
        assert ids(await archive.search(ALICE, "users retrying", 5)) == [log]
        assert set(ids(await archive.search(ALICE, "pagination HTTPServer", 5))) == {code, log}
        assert ids(await archive.search(ALICE, "nowhere", 5)) == []
        assert ids(await archive.search(ALICE, "  \"*() ' ", 5)) == []

    play(scenario)


def test_the_lines_that_say_why_are_shown_with_their_numbers(play: Callable[[Scenario], None]) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.put(ALICE, (CODE, b"x" * 5_000 + b" needle " + b"y" * 5_000), NOW)
        (hit,) = (await archive.search(ALICE, "page_size", 5)).hits
        assert [excerpt.number for excerpt in hit.excerpts] == [3, 4]
        assert hit.excerpts[0].text == "def getUserPage(self, page_size):"
        (long,) = (await archive.search(ALICE, "needle", 5)).hits
        assert "needle" in long.excerpts[0].text and len(long.excerpts[0].text) < 200

    play(scenario)


def test_what_is_known_beside_the_text_is_found_and_shown(play: Callable[[Scenario], None]) -> None:
    async def scenario(archive: Archive) -> None:
        about = About("read_file", "total 8", ("src/core/engine.rs",), "session-7", 1_200)
        (id,) = await archive.put(ALICE, (b"nothing of that",), NOW, (about,))
        (hit,) = (await archive.search(ALICE, "core/engine", 5)).hits
        assert (hit.entry.id, hit.entry.about, hit.excerpts) == (id, about, ())
        (entry,) = await archive.newest(ALICE, 5)
        assert (entry.id, entry.about) == (id, about)

    play(scenario)


def test_nobody_finds_what_another_tenant_keeps(play: Callable[[Scenario], None]) -> None:
    async def scenario(archive: Archive) -> None:
        (hers,) = await archive.put(ALICE, (LOG,), NOW)
        (his,) = await archive.put(BOB, (LOG,), NOW)
        assert ids(await archive.search(ALICE, "pagination", 5)) == [hers]
        assert ids(await archive.search(BOB, "pagination", 5)) == [his]
        assert set(ids(await archive.search(None, "pagination", 5))) == {hers, his}
        assert [entry.id for entry in await archive.newest(BOB, 5)] == [his]
        assert await archive.tenants() == (ALICE, BOB)

    play(scenario)


def test_what_was_dropped_is_found_no_more_and_what_comes_in_its_place_is(play: Callable[[Scenario], None]) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.put(ALICE, (LOG,), NOW - 10**9)
        assert (await archive.search(ALICE, "pagination", 5)).hits
        assert await archive.prune(NOW) == 1
        (code,) = await archive.put(ALICE, (CODE,), NOW)
        assert ids(await archive.search(ALICE, "pagination", 5)) == []
        assert ids(await archive.search(ALICE, "getUserPage", 5)) == [code]

    play(scenario)


def test_words_are_cut_alike_in_texts_and_queries() -> None:
    assert folded("getHTTPResponse_code") == " get http response code"
    assert wanted("getHTTPResponse_code  getHTTPResponse_code x/y.py") == (" get http response code", " x y py")


def test_an_archive_of_the_first_version_is_taken_over_and_can_be_searched(tmp_path: Path) -> None:
    """As the first version wrote it, before anything but the text was kept."""
    file = tmp_path / "a.db"

    async def fill() -> str:
        archive = open_sqlite_archive(file, 10**9)
        (id,) = await archive.put(ALICE, (LOG,), NOW)
        await archive.close()
        return id

    id = asyncio.run(fill())
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("DROP INDEX originals_to_index")
        for column in ("seal", "about", "indexed"):
            connection.execute(f"ALTER TABLE originals DROP COLUMN {column}")
        connection.execute("DROP TABLE notes")
        connection.execute("PRAGMA user_version=1")

    async def look() -> None:
        archive = open_sqlite_archive(file, 10**9)
        assert await archive.get(ALICE, id) == LOG
        assert ids(await archive.search(ALICE, "pagination", 5)) == [id]
        assert (await archive.newest(ALICE, 5))[0].about == About()
        await archive.close()

    asyncio.run(look())


def test_the_index_holds_no_text_and_is_small(tmp_path: Path) -> None:
    async def main() -> None:
        archive = open_sqlite_archive(tmp_path / "a.db", 10**9)
        line = b"line %d of file %d: value = compute_%d(x)"
        texts = [b"\n".join(line % (m, n, m) for m in range(200)) for n in range(50)]
        await archive.put(ALICE, texts, NOW)
        await archive.search(ALICE, "compute_7", 5)
        held = "SELECT sum(length(block)) FROM words_data"
        index = await archive.database.run(lambda c: c.execute(held).fetchone()[0])
        assert index < sum(map(len, texts)) / 8
        await archive.prune(NOW + 10**9)
        assert await archive.database.run(lambda c: c.execute(held).fetchone()[0]) < 100
        await archive.put(ALICE, (CODE,), NOW)
        assert len((await archive.search(ALICE, "getUserPage", 5)).hits) == 1
        await archive.close()

    asyncio.run(main())


def test_a_search_goes_on_where_an_original_is_damaged(tmp_path: Path) -> None:
    async def main() -> None:
        archive = open_sqlite_archive(tmp_path / "a.db", 10**9)
        await archive.put(ALICE, (LOG,), NOW)
        (code,) = await archive.put(ALICE, (CODE + b"pagination",), NOW)
        await _damage(archive, code)
        assert len((await archive.search(ALICE, "pagination", 5)).hits) == 1
        await archive.prune(NOW + 10**9)
        await archive.close()

    asyncio.run(main())


async def _damage(archive: SqliteArchive, id: str) -> None:
    await archive.database.run(lambda c: c.execute("UPDATE originals SET body = x'00' WHERE id = ?", (id,)))


class WithoutFts5(sqlite3.Connection):
    """A SQLite that was built without full-text search."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if "VIRTUAL TABLE" in sql:
            raise sqlite3.OperationalError("no such module: fts5")
        return super().execute(sql, *parameters)


def test_where_sqlite_has_no_full_text_search_all_is_scanned(tmp_path: Path) -> None:
    async def fill() -> str:
        archive = open_sqlite_archive(tmp_path / "a.db", 10**9)
        _, log = await archive.put(ALICE, (CODE, LOG), NOW)
        await archive.close()
        return log

    log = asyncio.run(fill())
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None, factory=WithoutFts5)) as connection:
        assert index.extend(connection, Seal()) == 0
        assert ids(index.search(connection, ALICE, "pagination", 5, Seal())) == [log]
        index.clear(connection)


def test_a_scan_ends_at_its_bound_newest_first_and_says_so(tmp_path: Path) -> None:
    async def scenario(archive: Archive) -> None:
        noise = [b"needle " + random.Random(n).randbytes(3_000_000) for n in range(4)]
        ids_ = [(await archive.put(ALICE, (text,), NOW + n))[0] for n, text in enumerate(noise)]
        found = await archive.search(ALICE, "needle", 9)
        assert not found.complete and set(ids(found)) == set(ids_[2:])

    async def both() -> None:
        sealed = open_sqlite_archive(tmp_path / "a.db", 10**9, seal=Seal(["a key of this test"]))
        for archive in (MemoryArchive(), sealed):
            await scenario(archive)
            await archive.close()

    asyncio.run(both())

"""Opening a file: what is created, what is refused, and what a person is told."""

import asyncio
import multiprocessing
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import StoreError
from proxy.store.database import Database, Schema, examine, open_database, reclaim, writing

SCHEMA = Schema("a store", 77, (("CREATE TABLE one (a)",),))
NEWER = Schema("a store", 77, (*SCHEMA.steps, ("CREATE TABLE two (a)", "INSERT INTO one VALUES (2)")))


def _value(database: Database, query: str) -> Any:
    return asyncio.run(database.run(lambda connection: connection.execute(query).fetchone()[0]))


def _close(database: Database) -> None:
    asyncio.run(database.close())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_and_its_folder_are_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.db"
    before = os.umask(0)
    try:
        database = open_database(path, SCHEMA)
        asyncio.run(database.run(lambda connection: connection.execute("INSERT INTO one VALUES (1)")))
        with_log = {beside.name: _mode(beside) for beside in path.parent.iterdir()}
    finally:
        os.umask(before)
    _close(database)
    assert _mode(path.parent) == 0o700
    assert with_log == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}


def test_the_file_is_set_up_for_several_processes(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state.db", SCHEMA, timeout=1.5)
    assert _value(database, "PRAGMA journal_mode") == "wal"
    assert _value(database, "PRAGMA synchronous") == 1
    assert _value(database, "PRAGMA busy_timeout") == 1500
    assert _value(database, "PRAGMA auto_vacuum") == 2
    _close(database)


def test_an_examined_file_is_neither_made_nor_upgraded_nor_changed(tmp_path: Path) -> None:
    path, query = tmp_path / "state.db", "SELECT count(*), max(a) FROM one"
    with pytest.raises(StoreError, match="cannot be opened"):
        examine(path, SCHEMA, query)
    assert not path.exists()
    _close(open_database(path, SCHEMA))
    before = path.read_bytes()
    examined = examine(path, NEWER, query)
    assert (examined.version, examined.journal, examined.held) == (1, "wal", (0, None))
    assert [beside.name for beside in tmp_path.iterdir()] == ["state.db"] and path.read_bytes() == before


def test_a_new_file_is_examined_without_the_query(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    assert examine(tmp_path / "state.db", SCHEMA, "SELECT 1 FROM one").held is None


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    _close(open_database(path, NEWER))
    with pytest.raises(StoreError, match=r"written by a newer Holdfast \(schema 2, this one knows 1\)"):
        open_database(path, SCHEMA)
    database = open_database(path, NEWER)
    assert _value(database, "PRAGMA user_version") == 2
    _close(database)


def test_a_file_of_an_older_version_is_brought_up_to_date_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    old = open_database(path, SCHEMA)
    asyncio.run(old.run(lambda connection: connection.execute("INSERT INTO one VALUES (1)")))
    _close(old)
    new = open_database(path, NEWER)
    assert _value(new, "SELECT group_concat(a) FROM one") == "1,2"
    _close(new)


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    _close(open_database(path, SCHEMA))
    broken = Schema("a store", 77, (*SCHEMA.steps, ("CREATE TABLE two (a)", "CREATE TABLE two (a)")))
    with pytest.raises(StoreError, match="SQLite refused it"):
        open_database(path, broken)
    database = open_database(path, SCHEMA)
    assert _value(database, "SELECT count(*) FROM sqlite_schema") == 1
    _close(database)


def test_a_database_of_another_program_is_never_written_to(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE precious (a)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is not a store of Holdfast; name another file"):
        open_database(path, SCHEMA)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("canary " * 1000)
    with pytest.raises(StoreError, match=r"`.*notes\.txt`: this is not a SQLite file, or it is damaged") as caught:
        open_database(path, SCHEMA)
    assert "canary" not in str(caught.value)
    assert path.read_text() == "canary " * 1000


def test_a_path_that_cannot_be_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened: File exists"):
        open_database(tmp_path / "file" / "state.db", SCHEMA)
    with pytest.raises(StoreError, match="check that it is a file"):
        open_database(tmp_path, SCHEMA)


def test_a_closed_database_says_so_and_closes_twice(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state.db", SCHEMA)
    _close(database)
    _close(database)
    with pytest.raises(StoreError, match="is closed"):
        _value(database, "SELECT 1")


def test_a_connection_that_was_closed_underneath_is_a_store_error(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state.db", SCHEMA)
    asyncio.run(database.run(sqlite3.Connection.close))
    with pytest.raises(StoreError, match="ProgrammingError"):
        _value(database, "SELECT 1")
    _close(database)


def test_all_or_nothing_is_written(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state.db", SCHEMA)

    def work(connection: sqlite3.Connection) -> None:
        with writing(connection):
            connection.execute("INSERT INTO one VALUES (1)")
            connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreError, match="SQLITE_ERROR"):
        asyncio.run(database.run(work))
    assert _value(database, "SELECT count(*) FROM one") == 0
    _close(database)


def test_a_writer_holds_the_lock_before_it_has_read_anything(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state.db", SCHEMA)
    other = sqlite3.connect(tmp_path / "state.db", timeout=0.0, isolation_level=None, check_same_thread=False)

    def work(connection: sqlite3.Connection) -> None:
        with writing(connection), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    asyncio.run(database.run(work))
    other.execute("BEGIN IMMEDIATE")
    other.close()
    _close(database)


def test_room_is_given_back_piece_by_piece(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state.db", SCHEMA)

    def work(connection: sqlite3.Connection) -> list[bool]:
        connection.execute("INSERT INTO one VALUES (zeroblob(10000000))")
        connection.execute("DELETE FROM one")
        return [reclaim(connection) for _ in range(4)]

    assert asyncio.run(database.run(work)) == [True, True, False, False]
    _close(database)


def _open_at_once(path: Path, start: Any, results: Any) -> None:
    start.wait()
    try:
        _close(open_database(path, SCHEMA))
        results.put("opened")
    except StoreError as error:
        results.put(str(error))


def test_processes_that_create_the_same_file_at_once_all_open_it(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(4), spawn.Queue()
    workers = [spawn.Process(target=_open_at_once, args=(tmp_path / "state.db", start, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert [results.get() for _ in workers] == ["opened"] * 4
    for worker in workers:
        worker.join()


def test_the_switch_to_a_write_ahead_log_waits_for_another_opener(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA application_id=77")
    other.execute("CREATE TABLE one (a)")
    other.execute("PRAGMA user_version=1")
    other.execute("BEGIN")
    other.execute("SELECT * FROM one").fetchall()
    with pytest.raises(StoreError, match="another process holds it locked"):
        open_database(path, SCHEMA, timeout=0.05)

    async def released() -> Database:
        opening = asyncio.ensure_future(asyncio.to_thread(open_database, path, SCHEMA, timeout=10.0))
        await asyncio.sleep(0.1)
        assert not opening.done()
        other.execute("ROLLBACK")
        return await opening

    database = asyncio.run(released())
    other.close()
    assert _value(database, "PRAGMA journal_mode") == "wal"
    _close(database)

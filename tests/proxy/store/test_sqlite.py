"""What only a store in a file has to stand: dead writers, other processes, full disks, locks, damage."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from policies.core.outcome import Outcome
from proxy.errors import StoreError
from proxy.store.bounds import Bounds
from proxy.store.codec import encode
from proxy.store.database import Schema, open_database
from proxy.store.sqlite import SCHEMA, SQLITE_BOUNDS, SqliteStore, open_sqlite
from tests.proxy.store.records import ALICE, START, digest, record

Scenario = Callable[[SqliteStore], Awaitable[None]]


def _play(file: Path, scenario: Scenario, bounds: Bounds = SQLITE_BOUNDS, timeout: float = 2.0) -> None:
    async def main() -> None:
        store = open_sqlite(file, bounds, timeout=timeout)
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(main())


def _writer(root: Path, file: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.proxy.store.writer", str(file), name, str(count)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


def test_what_was_acknowledged_survives_kill_9(root: Path, file: Path) -> None:
    with _writer(root, file, "killed", 0) as writer:
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
        writer.kill()
        rest = writer.stdout.read().splitlines()
    last = 49 + len([line for line in rest if line.endswith("killed")])

    async def scenario(store: SqliteStore) -> None:
        assert len(await store.chain(ALICE, record(last).key)) == last + 1
        assert await store.database.run(lambda c: c.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]
        after = record(last + 5)
        assert await store.put(after) == after

    _play(file, scenario)


def test_of_two_processes_at_once_the_first_write_wins_and_both_learn_it(root: Path, file: Path) -> None:
    with _writer(root, file, "one", 150) as one, _writer(root, file, "two", 150) as two:
        heard = [process.communicate()[0].splitlines() for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0)
    assert len(heard[0]) == 150
    assert heard[0] == heard[1]

    async def scenario(store: SqliteStore) -> None:
        chain = await store.chain(ALICE, record(149).key)
        assert [f"{kept.turn} {kept.sent[0].split()[0].decode()}" for kept in chain] == heard[0]

    _play(file, scenario)


def test_a_restart_finds_everything(file: Path) -> None:
    async def before(store: SqliteStore) -> None:
        await store.put(record())
        await store.put_outcome(ALICE, record().key, Outcome(200, input=5))

    async def after(store: SqliteStore) -> None:
        assert await store.find(ALICE, (record().prefix,)) == (record(),)
        assert await store.outcome(ALICE, record().key) == Outcome(200, input=5)

    _play(file, before)
    _play(file, after)


def test_a_full_disk_is_a_store_error_and_what_is_there_can_be_read(file: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.put(record())
        await store.database.run(lambda c: c.execute("PRAGMA max_page_count=1").fetchall())
        noise = "".join(digest(n).hex() for n in range(2_000))
        with pytest.raises(StoreError, match=r"no room left on the disk.*\(SQLITE_FULL\)") as caught:
            await store.put(record(1, text=noise))
        assert noise[:20] not in str(caught.value)
        assert await store.find(ALICE, (record(1).prefix, record().prefix)) == (record(),)
        await store.database.run(lambda c: c.execute("PRAGMA max_page_count=1000000").fetchall())
        assert await store.put(record(1)) == record(1)

    _play(file, scenario)


def test_a_locked_file_is_a_store_error_after_the_timeout_and_can_be_read_meanwhile(file: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.put(record())
        other = sqlite3.connect(file, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process holds it locked"):
                await store.put(record(1))
            assert await store.find(ALICE, (record().prefix,)) == (record(),)
            other.execute("ROLLBACK")
        finally:
            other.close()
        assert await store.put(record(1)) == record(1)

    _play(file, scenario, timeout=0.05)


def test_the_event_loop_goes_on_while_a_write_waits(file: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        other = sqlite3.connect(file, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.ensure_future(store.put(record()))
            for _ in range(5):
                await asyncio.sleep(0.01)
            assert not waiting.done()
            other.execute("ROLLBACK")
        finally:
            other.close()
        assert await waiting == record()

    _play(file, scenario, timeout=30.0)


def test_a_damaged_page_is_a_store_error_that_says_what_to_do(file: Path) -> None:
    async def fill(store: SqliteStore) -> None:
        for turn in range(200):
            await store.put(record(turn, text=digest(turn).hex() * 20))

    async def read(store: SqliteStore) -> None:
        with pytest.raises(StoreError, match="damaged; move it away"):
            await store.find(ALICE, [record(turn).prefix for turn in range(200)])

    _play(file, fill)
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (size - 4096))
    _play(file, read)


def test_a_flipped_bit_in_a_record_is_a_store_error_and_quotes_nothing(file: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.put(record(text="canary" * 50))
        body = bytearray(encode(record(text="canary" * 50)))
        body[len(body) // 2] ^= 1
        await store.database.run(lambda c: c.execute("UPDATE records SET body = ?", (bytes(body),)))
        with pytest.raises(StoreError, match="damaged") as caught:
            await store.find(ALICE, (record().prefix,))
        assert "canary" not in repr(caught.value)

    _play(file, scenario)


def test_what_is_dropped_gives_its_room_back(file: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        noise = "".join(digest(n).hex() for n in range(4_000))
        for n in range(60):
            await store.put(record(lineage=str(n), at=START, text=noise))
        await store.database.run(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        full = file.stat().st_size
        assert await store.prune(START + 101) == 60
        await store.database.run(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        assert full > 6_000_000
        assert file.stat().st_size < full / 10

    _play(file, scenario, Bounds(max_bytes=10**9, max_age=100.0))


def test_a_cancelled_call_leaves_the_store_usable(file: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        tasks = [asyncio.ensure_future(store.put(record(turn))) for turn in range(20)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await store.put(record(30)) == record(30)
        for turn in range(20):
            assert await store.find(ALICE, (record(turn).prefix,)) in ((), (record(turn),))

    _play(file, scenario)


def test_a_file_of_the_first_schema_is_read_and_goes_on(file: Path) -> None:
    old = Schema(SCHEMA.name, SCHEMA.application_id, SCHEMA.steps[:1])
    before = record()

    async def first() -> None:
        database = open_database(file, old)
        columns = (ALICE, before.key, before.prefix, before.parent, before.root, before.at, encode(before))
        insert = "INSERT INTO records (tenant, key, prefix, parent, root, at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
        await database.run(lambda connection: connection.execute(insert, columns))
        await database.close()

    async def scenario(store: SqliteStore) -> None:
        assert await store.find(ALICE, (before.prefix,)) == (before,)
        assert await store.sessions(9) == ()
        await store.put(record(1))
        assert await store.chain(ALICE, record(1).key) == (before, record(1))
        assert [session.turns for session in await store.sessions(9)] == [1]

    asyncio.run(first())
    _play(file, scenario)


def test_a_name_with_a_null_character_can_be_listed(file: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.put(replace(record(), session="a\0b"))
        assert [session.name for session in await store.sessions(9)] == ["a?b"]
        assert len(await store.turns(ALICE, "a?b")) == 1

    _play(file, scenario)

"""What every archive promises, and what one in a file has to stand."""

import asyncio
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.edits import archive_id
from proxy.archive import Archive, text_digest
from proxy.archive.memory import MemoryArchive
from proxy.archive.open import open_archive
from proxy.archive.sqlite import SqliteArchive, open_sqlite_archive
from proxy.errors import ConfigError, StoreError
from proxy.store.sqlite import SCHEMA as STORE
from tests.proxy.store.records import digest

ALICE, BOB = b"a" * 32, b"b" * 32
NOW = 1_800_000_000.0

Scenario = Callable[[Archive], Awaitable[None]]


def named(tenant: bytes, text: bytes) -> str:
    return archive_id(tenant, text_digest(text))


def _open(kind: str, folder: Path, max_bytes: int, max_age: float) -> Archive:
    url = "memory:" if kind == "memory" else f"sqlite:///{folder / 'state.db'}"
    return open_archive(url, max_bytes, max_age)


class Play(Protocol):
    """Runs a scenario against a fresh archive."""

    def __call__(self, scenario: Scenario, max_bytes: int = 10**9, max_age: float = 100.0) -> None: ...


def _play(kind: str, scenario: Scenario, max_bytes: int = 10**9, max_age: float = 100.0) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = _open(kind, Path(folder), max_bytes, max_age)
            try:
                await scenario(archive)
            finally:
                await archive.close()

    asyncio.run(main())


@pytest.fixture(params=["memory", "sqlite"])
def play(request: pytest.FixtureRequest) -> Play:
    kind: str = request.param
    return lambda scenario, max_bytes=10**9, max_age=100.0: _play(kind, scenario, max_bytes, max_age)


def _noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress."""
    return b"".join(digest(seed, n) for n in range(size // 32))


@given(tenant=st.binary(min_size=32, max_size=32), content=st.binary())
def test_an_id_is_short_and_says_nothing(tenant: bytes, content: bytes) -> None:
    assert re.fullmatch(r"hf-[a-z2-7]{16}", named(tenant, content))


def test_an_id_is_the_same_in_every_process_and_version() -> None:
    assert named(ALICE, b"content") == "hf-66o46nj7p6ipja5t"
    assert named(BOB, b"content") != named(ALICE, b"content") != named(ALICE, b"content ")


def test_what_was_put_is_read_back_by_its_id(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        texts = (b"first", b"", b"\x00\xff" * 500, b"first")
        ids = await archive.put(ALICE, texts, NOW)
        assert ids == tuple(named(ALICE, text) for text in texts)
        assert [await archive.get(ALICE, id) for id in ids] == list(texts)
        assert await archive.put(ALICE, (), NOW) == ()

    play(scenario)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@given(texts=st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_come_back(kind: str, texts: list[bytes]) -> None:
    async def scenario(archive: Archive) -> None:
        for text, id in zip(texts, await archive.put(ALICE, texts, NOW), strict=True):
            assert await archive.get(ALICE, id) == text

    _play(kind, scenario)


def test_an_id_of_one_tenant_means_nothing_to_another(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        (hers,) = await archive.put(ALICE, (b"secret",), NOW)
        assert await archive.get(BOB, hers) is None
        (his,) = await archive.put(BOB, (b"secret",), NOW)
        assert his != hers
        assert await archive.get(BOB, hers) is None
        assert await archive.get(ALICE, his) is None

    play(scenario)


@pytest.mark.parametrize("id", ["", "hf-", "hf-aaaaaaaaaaaaaaaa", "hf-" + "\ud800" * 16, "x" * 10_000, "%", "hf-A\n"])
def test_an_unknown_id_is_nothing(play: Play, id: str) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.put(ALICE, (b"content",), NOW)
        assert await archive.get(ALICE, id) is None

    play(scenario)


def test_an_original_is_kept_until_its_age_and_to_put_it_again_makes_it_young(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        old, again = await archive.put(ALICE, (b"old", b"again"), NOW)
        await archive.put(ALICE, (b"again",), NOW + 50)
        await archive.put(ALICE, (b"again",), NOW + 10)
        assert await archive.prune(NOW + 100) == 0
        assert await archive.prune(NOW + 101) == 1
        assert await archive.get(ALICE, old) is None
        assert await archive.prune(NOW + 150) == 0
        assert await archive.get(ALICE, again) == b"again"
        assert await archive.prune(NOW + 151) == 1
        assert await archive.get(ALICE, again) is None
        assert await archive.size() == 0

    play(scenario)


def test_while_all_is_too_large_the_oldest_go_and_no_more(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        ids = [(await archive.put(ALICE, (_noise(n, 3_200),), NOW + n))[0] for n in range(9)]
        await archive.prune(NOW + 10)
        left = [n for n in range(9) if await archive.get(ALICE, ids[n]) is not None]
        assert left == [6, 7, 8]
        assert 3 * 3_200 <= await archive.size() <= 11_000

    play(scenario, max_bytes=11_000)


def test_more_than_one_batch_is_dropped_in_one_prune(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        ids = await archive.put(ALICE, [str(n).encode() for n in range(700)], NOW)
        await archive.put(ALICE, [b"699"], NOW + 1)
        assert await archive.prune(NOW + 100.5) == 699
        assert await archive.get(ALICE, ids[699]) == b"699"

    play(scenario)


def test_what_could_not_be_kept_is_refused_whole(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        (id,) = await archive.put(ALICE, (b"x" * 600,), NOW)
        with pytest.raises(StoreError, match="raise `archive.max_bytes`"):
            await archive.put(ALICE, (b"y" * 600, b"z" * 600), NOW)
        assert await archive.get(ALICE, named(ALICE, b"y" * 600)) is None
        assert await archive.get(ALICE, id) == b"x" * 600

    play(scenario, max_bytes=1_000)


def test_in_memory_the_bound_holds_after_every_put_and_never_takes_what_was_just_put() -> None:
    async def main() -> None:
        archive = MemoryArchive(max_bytes=1_000)
        for n in range(10):
            texts = (_noise(n, 320), _noise(n + 100, 320))
            ids = await archive.put(ALICE, texts, NOW - n)
            assert [await archive.get(ALICE, id) for id in ids] == list(texts)
            assert await archive.size() <= 1_000

    asyncio.run(main())


def test_a_collision_in_memory_is_refused_before_anything_is_kept() -> None:
    async def main() -> None:
        archive = MemoryArchive()
        (id,) = await archive.put(ALICE, (b"content",), NOW)
        archive._originals[ALICE, id].content = b"another"
        with pytest.raises(StoreError, match=f"another original has the id `{id}`"):
            await archive.put(ALICE, (b"fresh", b"content"), NOW)
        assert await archive.get(ALICE, named(ALICE, b"fresh")) is None

    asyncio.run(main())


def test_the_archive_has_a_file_of_its_own_beside_the_store(tmp_path: Path) -> None:
    archive = open_archive(f"sqlite:///{tmp_path}/deep/state.db", 10**6)
    assert isinstance(archive, SqliteArchive)
    asyncio.run(archive.close())
    (file,) = (tmp_path / "deep").iterdir()
    assert file.name == "state.archive.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(ConfigError):
        open_archive("nowhere:", 10**6)


def _in_file(file: Path, scenario: Callable[[SqliteArchive], Awaitable[None]], timeout: float = 2.0) -> None:
    async def main() -> None:
        archive = open_sqlite_archive(file, 10**9, timeout=timeout)
        try:
            await scenario(archive)
        finally:
            await archive.close()

    asyncio.run(main())


def test_a_store_is_not_an_archive(tmp_path: Path) -> None:
    async def scenario(archive: SqliteArchive) -> None:
        await archive.database.run(lambda c: c.execute(f"PRAGMA application_id={STORE.application_id}"))

    _in_file(tmp_path / "a.db", scenario)
    with pytest.raises(StoreError, match="is not an archive of Holdfast"):
        open_sqlite_archive(tmp_path / "a.db", 10**9)


@pytest.mark.parametrize("column", ["body", "digest"])
def test_what_was_changed_in_the_file_is_not_handed_out(tmp_path: Path, column: str) -> None:
    async def scenario(archive: SqliteArchive) -> None:
        (one, _) = await archive.put(ALICE, (b"canary one", b"canary two"), NOW)
        await archive.database.run(
            lambda c: c.execute(f"UPDATE originals SET {column} = (SELECT {column} FROM originals ORDER BY key DESC)")
        )
        with pytest.raises(StoreError, match=f"the original `{one}` is damaged") as caught:
            await archive.get(ALICE, one)
        assert "canary" not in str(caught.value)

    _in_file(tmp_path / "a.db", scenario)


def test_a_collision_in_the_file_is_refused_and_nothing_of_that_put_is_kept(tmp_path: Path) -> None:
    async def scenario(archive: SqliteArchive) -> None:
        (id,) = await archive.put(ALICE, (b"content",), NOW)
        await archive.database.run(lambda c: c.execute("UPDATE originals SET digest = x'00'"))
        with pytest.raises(StoreError, match=f"another original has the id `{id}`"):
            await archive.put(ALICE, (b"fresh", b"content"), NOW)
        assert await archive.get(ALICE, named(ALICE, b"fresh")) is None

    _in_file(tmp_path / "a.db", scenario)


def test_a_full_disk_and_a_lock_are_store_errors_and_originals_can_be_read(tmp_path: Path) -> None:
    async def scenario(archive: SqliteArchive) -> None:
        (id,) = await archive.put(ALICE, (b"content",), NOW)
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            await archive.put(ALICE, (b"more",), NOW)
        other.close()
        await archive.database.run(lambda c: c.execute("PRAGMA max_page_count=1").fetchall())
        with pytest.raises(StoreError, match="no room left"):
            await archive.put(ALICE, (_noise(1, 100_000),), NOW)
        assert await archive.get(ALICE, id) == b"content"

    _in_file(tmp_path / "a.db", scenario, timeout=0.05)


KILLED = """
import asyncio, itertools, sys
from pathlib import Path
from proxy.archive.sqlite import open_sqlite_archive

async def main():
    archive = open_sqlite_archive(Path(sys.argv[1]), 10**9)
    for n in itertools.count():
        print(*await archive.put(b"a" * 32, (b"original %d" % n,), n), flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_kill_9(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a.db")]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        ids = [writer.stdout.readline().strip() for _ in range(50)]
        writer.kill()

    async def scenario(archive: SqliteArchive) -> None:
        for n, id in enumerate(ids):
            assert await archive.get(ALICE, id) == f"original {n}".encode()

    _in_file(tmp_path / "a.db", scenario)

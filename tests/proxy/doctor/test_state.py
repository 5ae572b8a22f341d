"""Store and archive are opened, read and written, and are afterwards as they were."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from proxy.archive.open import open_archive
from proxy.config import Request, Settings, Url, load_settings
from proxy.doctor.facts.state import file_system, look_at_state
from proxy.doctor.finding import Finding
from proxy.doctor.state import DatabaseFact, StateFacts, check_state
from proxy.store.open import open_store
from proxy.store.sqlite import SCHEMA


def settings(folder: Path, store: str = "") -> Settings:
    found = load_settings(Request(environ={"HOME": str(folder)}))
    return msgspec.structs.replace(found, store=Url(store or f"sqlite:///{folder}/state.db"))


def findings(folder: Path, store: str = "") -> list[Finding]:
    return list(check_state(look_at_state(settings(folder, store)).facts))


def made(folder: Path) -> None:
    """A store and an archive with one original, as the proxy leaves them."""

    async def make() -> None:
        url = f"sqlite:///{folder}/state.db"
        store, archive = open_store(url), open_archive(url, 1_000_000)
        await archive.put(bytes(32), [b"text" * 100], 1_000.0)
        await store.close()
        await archive.close()

    asyncio.run(make())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_does_not_exist_yet_is_not_made(tmp_path: Path) -> None:
    found = findings(tmp_path, f"sqlite:///{tmp_path}/a/b/state.db")
    assert [(finding.severity, finding.where) for finding in found] == [("ok", "store"), ("ok", "archive")]
    assert contents(tmp_path) == {}


def test_what_exists_is_read_and_written_and_stays_as_it_was(tmp_path: Path) -> None:
    made(tmp_path)
    before = contents(tmp_path)
    found = findings(tmp_path)
    assert [finding.severity for finding in found] == ["ok", "ok"]
    assert f"schema {SCHEMA.version}" in found[0].what
    assert contents(tmp_path) == before
    assert look_at_state(settings(tmp_path)).newest == 1_000.0


def test_a_file_in_use_is_fine(tmp_path: Path) -> None:
    made(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchone()
        assert [finding.severity for finding in findings(tmp_path)] == ["ok", "ok"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield


def test_a_file_that_another_program_holds_locked_fails(tmp_path: Path) -> None:
    made(tmp_path)
    with locked(tmp_path / "state.db"):
        store, archive = findings(tmp_path)
    assert (store.severity, archive.severity) == ("failed", "ok")
    assert "locked" in store.what and store.type == f"fuser -v {tmp_path}/state.db"


def test_a_file_of_something_else_fails_and_is_moved_away(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database at all" * 100)
    with closing(sqlite3.connect(tmp_path / "state.archive.db")) as other:
        other.execute("CREATE TABLE t (n)")
    store, archive = (finding for finding in findings(tmp_path) if finding.severity == "failed")
    assert store.type == f"mv {tmp_path}/state.db {tmp_path}/state.db.old"
    assert "not an archive of Holdfast" in archive.what


def test_a_file_of_a_newer_version_asks_for_that_version(tmp_path: Path) -> None:
    made(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db")) as newer:
        newer.execute("PRAGMA user_version=99")
    (failed,) = (finding for finding in findings(tmp_path) if finding.severity == "failed")
    assert failed.type == "pip install --upgrade holdfast"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o500)
    assert {finding.severity for finding in findings(tmp_path, f"sqlite:///{closed}/state.db")} == {"failed"}


def test_state_in_memory_and_a_store_of_another_kind_are_told(tmp_path: Path) -> None:
    (memory,) = findings(tmp_path, "memory:")
    assert (memory.severity, memory.type) == ("hint", "unset HOLDFAST_STORE")
    (other,) = findings(tmp_path, "redis://user:canary@host/0")
    assert other.severity == "failed" and "canary" not in str(other)


FINE = DatabaseFact("archive", "/s/a.db", True, version=1, journal="wal", free_bytes=10**10)


@pytest.mark.parametrize(
    ("fact", "severity", "fix"),
    [
        (replace(FINE, journal="delete"), "warning", "python3 -m sqlite3 /s/a.db 'PRAGMA journal_mode=WAL'"),
        (replace(FINE, file_system="nfs4"), "warning", "export HOLDFAST_STORE=sqlite:////var/tmp/holdfast/state.db"),
        (replace(FINE, free_bytes=1), "warning", "df -h /s"),
        (replace(FINE, held_bytes=95, bound=100), "hint", "export HOLDFAST_ARCHIVE__MAX_BYTES=1GB"),
    ],
)
def test_what_is_about_to_go_wrong_is_told(fact: DatabaseFact, severity: str, fix: str) -> None:
    first, told = check_state(StateFacts("sqlite", (fact,)))
    assert (first.severity, told.severity, told.type) == ("ok", severity, fix)


@pytest.mark.parametrize(
    ("problem", "exists", "fix"),
    [
        ("it does not exist, and `/` cannot be written", False, "mkdir -p /s && ls -ld /s"),
        ("the file is damaged; move it away", True, "mv /s/a.db /s/a.db.old"),
        ("it cannot be written; check owner and mode", True, 'sudo chown "$USER" /s/a.db && chmod u+rw /s/a.db'),
        ("SQLite refused it", True, "ls -l /s"),
    ],
)
def test_each_fault_of_a_file_has_its_remedy(problem: str, exists: bool, fix: str) -> None:
    (failed,) = check_state(StateFacts("sqlite", (replace(FINE, problem=problem, exists=exists, journal=""),)))
    assert (failed.severity, failed.type) == ("failed", fix)


@pytest.mark.parametrize(
    ("held", "shown"), [(999, "999 bytes"), (1_000, "1 kB"), (2_500_000, "2.5 MB"), (4_000_000_000, "4 GB")]
)
def test_sizes_are_shown_as_people_say_them(held: int, shown: str) -> None:
    (fine,) = check_state(StateFacts("sqlite", (replace(FINE, held_bytes=held),)))
    assert f"{shown} held" in fine.what


def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        f"30 27 0:44 / {tmp_path}/net rw shared:1 master:2 - nfs4 host:/export rw\n"
    )
    (tmp_path / "net" / "deep").mkdir(parents=True)
    assert file_system(tmp_path / "net" / "deep", mounts) == "nfs4"
    assert file_system(tmp_path, mounts) == "ext4"
    assert file_system(tmp_path, tmp_path / "none") == ""

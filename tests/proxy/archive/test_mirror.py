"""The mirror folder: whole files, there before anybody is told of them, gone with their originals, and no way out."""

import asyncio
import stat
from pathlib import Path

import pytest

from proxy.archive.memory import MemoryArchive
from proxy.archive.mirror import MirroredArchive
from proxy.errors import StoreError

ALICE = b"a" * 32
NOW = 1_800_000_000.0


def mirrored(folder: Path) -> MirroredArchive:
    return MirroredArchive(MemoryArchive(max_age=100.0), folder)


def put(archive: MirroredArchive, *texts: bytes, now: float = NOW) -> tuple[str, ...]:
    return asyncio.run(archive.put(ALICE, texts, now))


def test_an_original_is_a_private_file_named_by_its_id(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "mirror"
    ids = put(mirrored(folder), b"first\n", b"\x00\xff")
    assert [(folder / f"{id}.txt").read_bytes() for id in ids] == [b"first\n", b"\x00\xff"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2


def test_a_file_that_an_agent_has_changed_or_removed_is_written_anew(tmp_path: Path) -> None:
    archive = mirrored(tmp_path)
    (id,) = put(archive, b"text")
    file = tmp_path / f"{id}.txt"
    file.write_bytes(b"changed")
    put(archive, b"text")
    assert file.read_bytes() == b"text"
    file.unlink()
    put(archive, b"text")
    assert file.read_bytes() == b"text"


def test_files_go_with_their_originals_and_nothing_else_does(tmp_path: Path) -> None:
    archive = mirrored(tmp_path)
    (old,) = put(archive, b"old")
    (young,) = put(archive, b"young", now=NOW + 50)
    (tmp_path / "mine.txt").write_text("of a person")
    assert asyncio.run(archive.prune(NOW + 120)) == 1
    assert {file.name for file in tmp_path.iterdir()} == {f"{young}.txt", "mine.txt"}
    assert old != young


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "mirror"
    outside.mkdir()
    folder.symlink_to(outside)
    with pytest.raises(StoreError, match="cannot be used"):
        put(mirrored(folder), b"text")
    assert list(outside.iterdir()) == []
    folder.unlink()
    (id,) = put(mirrored(folder), b"text")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (folder / f"{id}.txt").unlink()
    (folder / f"{id}.txt").symlink_to(victim)
    put(mirrored(folder), b"text")
    assert victim.read_text() == "precious" and not (folder / f"{id}.txt").is_symlink()


def test_a_folder_that_cannot_be_written_is_a_store_error_and_leaves_no_half_file(tmp_path: Path) -> None:
    archive = mirrored(tmp_path)
    (id,) = put(archive, b"text")
    (tmp_path / f"{id}.txt").unlink()
    (tmp_path / f"{id}.txt").mkdir()
    with pytest.raises(StoreError, match="mirror folder"):
        put(archive, b"text")
    assert [file.name for file in tmp_path.iterdir()] == [f"{id}.txt"]

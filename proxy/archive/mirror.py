"""Originals as plain files too, in a folder on the agent's own machine, so that `grep`, `head` and `tail` read them.

Rules of this room: a file is there before the request that names it leaves, whole or not at all (it is renamed into
its place), and goes when its original does. Names are ids, so nothing in a text decides where a file lies; no link is
followed, neither as the folder nor in it. Files have mode 0600 and are never sealed.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from proxy.archive import ID, About, Archive, Entry, Found, Notes, Whose, file_name
from proxy.errors import StoreError

_HALF = ".half"
"""How a file ends that is being written."""


@dataclass(frozen=True, slots=True)
class MirroredArchive:
    """See `proxy.archive.Archive`. What reads goes to the archive itself."""

    archive: Archive
    path: Path
    random: Callable[[int], str] = secrets.token_hex

    @property
    def notes(self) -> Notes:
        return self.archive.notes

    @property
    def folder(self) -> str:
        return str(self.path)

    async def put(
        self, tenant: bytes, texts: Sequence[bytes], now: float, about: Sequence[About] = ()
    ) -> tuple[str, ...]:
        ids = await self.archive.put(tenant, texts, now, about)
        await asyncio.to_thread(self._write, tuple(zip(ids, texts, strict=True)))
        return ids

    async def get(self, whose: Whose, id: str) -> bytes | None:
        return await self.archive.get(whose, id)

    async def newest(self, whose: Whose, limit: int) -> tuple[Entry, ...]:
        return await self.archive.newest(whose, limit)

    async def search(self, whose: Whose, text: str, limit: int) -> Found:
        return await self.archive.search(whose, text, limit)

    async def tenants(self) -> tuple[bytes, ...]:
        return await self.archive.tenants()

    async def kept(self, ids: Collection[str]) -> frozenset[str]:
        return await self.archive.kept(ids)

    async def prune(self, now: float) -> int:
        dropped = await self.archive.prune(now)
        present = await asyncio.to_thread(self._present)
        gone = present - await self.archive.kept(present)
        await asyncio.to_thread(self._remove, gone)
        return dropped

    async def size(self) -> int:
        return await self.archive.size()

    async def close(self) -> None:
        await self.archive.close()

    def _write(self, originals: Sequence[tuple[str, bytes]]) -> None:
        with self._opened() as folder:
            for id, text in originals:
                half = f".{id}.{self.random(8)}{_HALF}"
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                try:
                    with open(os.open(half, flags, 0o600, dir_fd=folder), "wb") as file:
                        file.write(text)
                    os.rename(half, file_name(id), src_dir_fd=folder, dst_dir_fd=folder)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(half, dir_fd=folder)
                    raise

    def _present(self) -> frozenset[str]:
        """The ids of which there are files, and nothing else that may lie in the folder."""
        with self._opened() as folder:
            names = os.listdir(folder)
        ids = {name.partition(".")[0] for name in names}
        return frozenset(id for id in ids if ID.fullmatch(id) and file_name(id) in names)

    def _remove(self, ids: Collection[str]) -> None:
        with self._opened() as folder:
            for id in ids:
                with suppress(FileNotFoundError):
                    os.unlink(file_name(id), dir_fd=folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder, made if need be. All names are looked up in what was opened, wherever it is moved meanwhile."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                yield folder
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreError(f"the mirror folder `{self.path}` cannot be used: {error.strerror}") from error

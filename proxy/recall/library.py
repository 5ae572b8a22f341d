"""What can be asked of the archive and of the scratchpad, for everybody who may ask.

Rules of this room: a `Reader` says whose originals are seen. An id is unguessable and bound to its tenant, so whoever
has one may redeem it; a search is never over more than one tenant unless the reader was told to see everybody's
(ISOLATED). Notes are those of the reader's tenant, or, where none is named, of `LOCAL`: the person at this machine.
"""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from proxy.archive import ID, Archive, Entry, Found, Note, Whose
from proxy.errors import AskedError
from proxy.recall.choosing import Asked, Line, chosen

LOCAL = bytes(32)
"""Whose notes are that no tenant was named for. No credential has this digest."""

EVERYBODY = "all"
NAME = 12
"""Digits of a tenant's name, of the 64 of its digest."""
SHORTEST = 8


class Reader(Struct, frozen=True):
    """Who asks. `tenant` None and not `everybody`: whoever the archive is of, if that is one."""

    tenant: bytes | None = None
    everybody: bool = False

    @property
    def notes(self) -> bytes:
        """Whose scratchpad it is."""
        return self.tenant or LOCAL


class Recalled(Struct, frozen=True):
    """An original, or the lines of it that were asked for. `total`: lines of all of it."""

    id: str
    text: str
    lines: tuple[Line, ...]
    total: int


def tenant_name(tenant: bytes) -> str:
    """How a person names a tenant: the beginning of its digest, which says nothing about its credential."""
    return tenant.hex()[:NAME]


class Library:
    """`recalled` is told of each original that was read back."""

    def __init__(self, archive: Archive, clock: Callable[[], float], recalled: Callable[[], None]) -> None:
        self._archive, self._clock, self._recalled = archive, clock, recalled

    async def reader(self, name: str) -> Reader:
        """By the beginning of a tenant's digest; empty: nobody in particular; `all`: everybody."""
        if name in ("", EVERYBODY):
            return Reader(everybody=name == EVERYBODY)
        found = [tenant for tenant in await self._archive.tenants() if tenant.hex().startswith(name)]
        if len(name) < SHORTEST or len(found) != 1:
            raise AskedError(f"no tenant `{name}` has originals here; `holdfast archive list` names those that do")
        return Reader(found[0])

    async def recall(self, reader: Reader, id: str, asked: Asked) -> Recalled:
        content = await self._archive.get(reader.tenant, id) if ID.fullmatch(id) else None
        if content is None:
            message = f"the archive has no original `{id}`; it was dropped by age or size, or never kept"
            raise AskedError(message, missing=True)
        text = content.decode("utf-8", "replace")
        lines = await asyncio.to_thread(chosen, text, asked)
        self._recalled()
        return Recalled(id, text, lines, len(text.splitlines()))

    async def search(self, reader: Reader, text: str, limit: int) -> Found:
        return await self._archive.search(await self._seen(reader), text, limit)

    async def newest(self, reader: Reader, limit: int) -> tuple[Entry, ...]:
        return await self._archive.newest(await self._seen(reader), limit)

    async def write(self, reader: Reader, text: str, title: str, id: str) -> Note:
        """A note; an empty text with an id removes it."""
        if not text.strip() and not id:
            raise AskedError("a note needs a text")
        if text.strip():
            return await self._archive.notes.write(reader.notes, text, title, self._clock(), id)
        if not await self._archive.notes.remove(reader.notes, id):
            raise AskedError(f"there is no note `{id}`", missing=True)
        return Note(id, title, "", self._clock())

    async def note(self, reader: Reader, id: str) -> Note:
        note = await self._archive.notes.read(reader.notes, id)
        if note is None:
            raise AskedError(f"there is no note `{id}`; without an id all are listed", missing=True)
        return note

    async def notes(self, reader: Reader) -> tuple[Note, ...]:
        return await self._archive.notes.all(reader.notes)

    async def _seen(self, reader: Reader) -> Whose:
        """INVARIANT: ISOLATED; where there are several tenants, one is named, or all are asked for in as many words."""
        if reader.tenant is None and not reader.everybody:
            tenants = await self._archive.tenants()
            if len(tenants) > 1:
                names = ", ".join(map(tenant_name, tenants[:10]))
                message = f"originals of {len(tenants)} credentials are kept here ({names}); the person who set this up"
                raise AskedError(f"{message} must name one of them as `tenant`, or `{EVERYBODY}`")
        return reader.tenant

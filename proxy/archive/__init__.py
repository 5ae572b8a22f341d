"""The originals of what was elided, so that all of it can be read back, and the notes that agents leave beside them.

Rules of this room: an original is kept before the request without it leaves (RECOVERABLE), and whoever
gets an id from `put` can redeem it until retention ends. Ids come from content and tenant alone, so
the same mask has the same id for ever, and one tenant's id means nothing to another (ISOLATED). It must
not know what an edit is.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from proxy.errors import StoreError

ID = re.compile(r"hf-[a-z2-7]{16}")
MAX_AGE = 7 * 86_400.0

Whose = bytes | None
"""A tenant; None: everybody's, for a person who may read the whole archive."""


class About(Struct, frozen=True, omit_defaults=True):
    """What is known of an original beside its text, for search and for people."""

    tool: str = ""
    line: str = ""
    """The first that is not blank."""
    paths: tuple[str, ...] = ()
    session: str = ""
    tokens: int = 0


class Entry(Struct, frozen=True):
    """An original without its text."""

    tenant: bytes
    id: str
    at: float
    """When it was last put, in seconds since the epoch."""
    size: int
    """Bytes as kept."""
    about: About


class Excerpt(Struct, frozen=True):
    """One line, counted from 1, cut to what surrounds the match."""

    number: int
    text: str


class Hit(Struct, frozen=True):
    """An original that a search has found, and its lines that say why."""

    entry: Entry
    excerpts: tuple[Excerpt, ...]


class Found(Struct, frozen=True):
    """Best first. `complete` False: older originals were not looked at."""

    hits: tuple[Hit, ...]
    complete: bool = True


class Note(Struct, frozen=True):
    """What an agent wrote down, outside of its window. `id` is the tenant's own count: `note-1`, `note-2`."""

    id: str
    title: str
    text: str
    at: float


class Notes(Protocol):
    """A scratchpad for each tenant. All methods raise StoreError on a fault."""

    async def write(self, tenant: bytes, text: str, title: str, now: float, id: str = "") -> Note:
        """A new note, or the one of this id with a new text (and title, if one is given)."""
        ...

    async def read(self, tenant: bytes, id: str) -> Note | None: ...

    async def remove(self, tenant: bytes, id: str) -> bool:
        """Whether there was one."""
        ...

    async def all(self, tenant: bytes) -> tuple[Note, ...]:
        """In the order in which they were first written."""
        ...


class Archive(Protocol):
    """All methods raise StoreError on a fault. An age counts from the last time that a content was put."""

    @property
    def notes(self) -> Notes: ...

    @property
    def folder(self) -> str:
        """Where originals lie as plain files too; empty: nowhere."""
        ...

    async def put(
        self, tenant: bytes, texts: Sequence[bytes], now: float, about: Sequence[About] = ()
    ) -> tuple[str, ...]:
        """Keep these, all or none; returns their ids, in order. `about`: of each, or none at all."""
        ...

    async def get(self, whose: Whose, id: str) -> bytes | None:
        """The content, checked against its digest; None where there is none of this id."""
        ...

    async def newest(self, whose: Whose, limit: int) -> tuple[Entry, ...]:
        """What was put last."""
        ...

    async def search(self, whose: Whose, text: str, limit: int) -> Found:
        """The originals with all of these words, or where there are none, with any of them."""
        ...

    async def tenants(self) -> tuple[bytes, ...]:
        """Who has originals here."""
        ...

    async def kept(self, ids: Collection[str]) -> frozenset[str]:
        """Which of these are kept, whoever's they are."""
        ...

    async def prune(self, now: float) -> int:
        """Drop what is older than the bound, then the oldest while all is too large; returns how many."""
        ...

    async def size(self) -> int:
        """Bytes as kept, an estimate of their index included."""
        ...

    async def close(self) -> None: ...


def file_name(id: str) -> str:
    """Of an original in the folder."""
    return f"{id}.txt"


def text_digest(content: bytes) -> bytes:
    """What the id of an original is made of."""
    return hashlib.sha256(content).digest()


def require_room(texts: Sequence[bytes], max_bytes: int) -> None:
    """What would be dropped at once is not taken: its marker could not be redeemed."""
    if sum(map(len, texts)) > max_bytes:
        raise StoreError("the originals of this turn are larger than the archive may be; raise `archive.max_bytes`")


def abouts(texts: Sequence[bytes], about: Sequence[About]) -> Sequence[About]:
    """One for each text."""
    return about or [About()] * len(texts)

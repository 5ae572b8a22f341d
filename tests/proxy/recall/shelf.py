"""A library over an archive in memory, and what it counts."""

from dataclasses import dataclass, field

from proxy.archive import About
from proxy.archive.memory import MemoryArchive
from proxy.recall.library import Library

ALICE, BOB = b"\xaa" * 32, b"\xbb" * 32
NOW = 1_800_000_000.0
TEXT = "".join(f"line {number} of a long output\n" for number in range(1, 41))


@dataclass
class Shelf:
    archive: MemoryArchive = field(default_factory=MemoryArchive)
    recalled: int = 0

    @property
    def library(self) -> Library:
        return Library(self.archive, lambda: NOW, self._count)

    async def put(self, tenant: bytes = ALICE, text: str = TEXT, about: About | None = None) -> str:
        (id,) = await self.archive.put(tenant, (text.encode(),), NOW, (about or About("bash", "line 1"),))
        return id

    def _count(self) -> None:
        self.recalled += 1

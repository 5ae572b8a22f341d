"""Stores, archives and tokenizers that fail where they are told to, and are real otherwise."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.core.lineage import Record
from policies.core.outcome import Outcome
from policies.core.profile import Profile
from proxy.archive import About
from proxy.archive.memory import MemoryArchive
from proxy.dialects import Count
from proxy.errors import StoreError
from proxy.store.memory import MemoryStore

HANG = TimeoutError
"""As a fault: never to answer."""


class Panic(BaseException):
    """What a tokenizer written in Rust raises; no Exception."""


@dataclass
class Faults:
    """Which calls fail, and how."""

    at: dict[str, type[BaseException]] = field(default_factory=dict)

    async def pass_or_fail(self, call: str) -> None:
        fault = self.at.get(call)
        if fault is HANG:
            await asyncio.Event().wait()
        if fault is not None:
            raise fault("as told")


class FaultyStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()

    async def find(self, tenant: bytes, prefixes: Sequence[bytes]) -> tuple[Record, ...]:
        await self.faults.pass_or_fail("find")
        return await super().find(tenant, prefixes)

    async def chain(self, tenant: bytes, key: bytes) -> tuple[Record, ...]:
        await self.faults.pass_or_fail("chain")
        return await super().chain(tenant, key)

    async def tip(self, tenant: bytes, root: bytes) -> Record | None:
        await self.faults.pass_or_fail("tip")
        return await super().tip(tenant, root)

    async def put(self, record: Record) -> Record:
        await self.faults.pass_or_fail("put")
        return await super().put(record)

    async def put_outcome(self, tenant: bytes, key: bytes, outcome: Outcome) -> None:
        await self.faults.pass_or_fail("outcome")
        await super().put_outcome(tenant, key, outcome)


class FaultyArchive(MemoryArchive):
    """`misname`: gives ids that are not those of the placeholders."""

    def __init__(self, max_bytes: int = 256_000_000) -> None:
        super().__init__(max_bytes)
        self.faults = Faults()
        self.misname = False

    async def put(
        self, tenant: bytes, texts: Sequence[bytes], now: float, about: Sequence[About] = ()
    ) -> tuple[str, ...]:
        await self.faults.pass_or_fail("archive")
        ids = await super().put(tenant, texts, now, about)
        return tuple(reversed(ids + ids[:1])) if self.misname else ids


def panicking(profile: Profile) -> Count:
    def count(text: str) -> int:
        raise Panic("byte index out of range")

    return count


STORE_FAULTS: tuple[type[BaseException], ...] = (StoreError, HANG, ValueError, MemoryError)

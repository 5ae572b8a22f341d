"""Requests of a session, played through the driver to the strict simulated provider and read back as `explain` does."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from policies.core.usage import Usage
from policies.policy import Policy
from proxy import exchange
from proxy.dialects.registry import recognise
from proxy.explain.figures import Line, line_of, story_of
from proxy.explain.looking import find, turns
from proxy.simulator.apis import Call
from proxy.simulator.brains import echo
from proxy.simulator.paths import api_of
from proxy.simulator.prompt import four_bytes_a_token
from proxy.simulator.service import Service
from proxy.store.memory import MemoryStore
from tests.proxy.driving import PROFILES, START, Replica

Broken = tuple[tuple[int, str, str], ...]
"""Which request (from 0, of those that were answered), for what cause, and where."""


@dataclass(frozen=True)
class Sent:
    """One request of a client."""

    path: str
    body: bytes
    at: float
    """Seconds since the first."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Played(Struct):
    lines: list[Line]
    losses: set[str]
    cost: float
    read: float
    """Share of the input."""

    def broken(self, *, ours: bool) -> Broken:
        """The largest loss of each request that has one."""
        return tuple(
            (number, line.lost.cause, line.place)
            for number, line in enumerate(self.lines)
            if line.lost is not None and line.lost.cause.startswith("policy_") is ours
        )


def played(session: str, requests: Iterable[Sent], policy: Policy) -> Played:
    return asyncio.run(_play(session, requests, policy))


async def _play(session: str, requests: Iterable[Sent], policy: Policy) -> Played:
    store = MemoryStore()
    replica = Replica(policy, store=store, count=lambda profile: four_bytes_a_token)
    provider = Service(PROFILES, echo, four_bytes_a_token, b"key")
    usages = []
    for number, sent in enumerate(requests):
        dialect, now = recognise(sent.path), START + sent.at
        assert dialect is not None
        asked = exchange.Request("api", dialect, sent.path, sent.body, b"key", session=session)
        prepared = await exchange.prepare(asked, replica.context, now)
        usages.append(_served(provider, sent, prepared.body, number, now))
        await exchange.settle(prepared, replica.context, usages[-1], now)
    assert not replica.witness.degradations
    kept = await turns(store, await find(store, session))
    return Played(
        lines=[line_of(turn) for turn in kept],
        losses={lost.cause for turn in kept for lost in story_of(turn).losses},
        cost=sum(each.actual or 0.0 for each in replica.witness.accounts),
        read=sum(each.cache_read or 0 for each in usages) / sum(each.input or 0 for each in usages),
    )


def _served(provider: Service, sent: Sent, body: bytes, number: int, now: float) -> Usage:
    api = api_of("POST", sent.path)
    assert api is not None
    headers = {key.lower(): value for key, value in sent.headers.items()} | {"x-api-key": "key"}
    reply = provider.answer(api, Call(sent.path, {}, headers, body), number, now)
    assert reply.bill is not None, reply.error
    for _ in reply.chunks:
        pass
    reply.begin()
    reading = reply.bill.input
    return Usage(reading.total, reading.read, reading.write + reading.write_long, reading.write_long, output=50)

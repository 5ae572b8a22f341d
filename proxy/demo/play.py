"""Plays the session: the same requests straight to the provider and through Holdfast, over HTTP.

Rules of this room: the two runs use different API keys, so neither reads what the other left in the cache.
Each waits for its answer before the next request, as an agent does; there is no pause between the two for tools.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from policies.core.profile import Profile
from proxy.demo.agent import Answer, ask
from proxy.demo.figures import Comparison, totals, turns
from proxy.demo.prefixes import breaks
from proxy.demo.provider import Provider, provider
from proxy.demo.proxied import Proxy, proxy
from proxy.demo.session import Session, bodies
from proxy.simulator.records import Record

DIRECT_KEY, HOLDFAST_KEY = "sk-demo-direct", "sk-demo-holdfast"

Progress = Callable[[int, int], None]


class Addresses(Struct, frozen=True):
    """What runs while the demo does."""

    provider: str
    proxy: str
    admin: str


async def compare(
    session: Session,
    profile: Profile,
    environ: Mapping[str, str],
    state: Path,
    progress: Progress,
    done: Callable[[Comparison, Addresses], "asyncio.Future[None] | None"],
) -> None:
    """Play it, tell `done`, and keep everything running until the future that it returns is over.

    `state`: the file of Holdfast's store.
    """
    async with provider(session, profile) as upstream, proxy(upstream.url, environ, state) as ours:
        comparison = await _play(session, profile, upstream, ours, progress)
        wait = done(comparison, Addresses(upstream.url, ours.url, ours.admin))
        if wait is not None:
            await wait


async def _play(session: Session, profile: Profile, upstream: Provider, ours: Proxy, progress: Progress) -> Comparison:
    requests = bodies(session)
    direct: list[Answer] = []
    holdfast: list[Answer] = []
    # `trust_env=False`: a proxy that the environment names has no business between two ports of this machine
    async with httpx.AsyncClient(trust_env=False) as client:
        for number, body in enumerate(requests):
            progress(number, len(requests))
            plain, through = await asyncio.gather(
                ask(client, upstream.url, DIRECT_KEY, body), ask(client, ours.url, HOLDFAST_KEY, body)
            )
            direct.append(plain)
            holdfast.append(through)
    progress(len(requests), len(requests))
    log, added = upstream.log.records, _added(direct)
    found = breaks(_of(log, HOLDFAST_KEY), holdfast, added)
    return Comparison(
        session=session.id,
        model=session.model,
        direct=totals(direct, profile),
        holdfast=totals(holdfast, profile),
        turns=turns(direct, holdfast, found, profile),
        breaks=found,
        direct_breaks=len(breaks(_of(log, DIRECT_KEY), direct, added)),
        different_answers=_different(session, direct, holdfast),
    )


def _added(direct: Sequence[Answer]) -> tuple[int, ...]:
    """What each request has more than the one before: without Holdfast nothing else changes."""
    sizes = [answer.usage.input or 0 for answer in direct]
    return tuple(size - before for before, size in pairwise([0, *sizes]))


def _of(log: Sequence[Record], key: str) -> tuple[Record, ...]:
    return tuple(record for record in log if ("x-api-key", key) in record.headers)


def _different(session: Session, direct: Sequence[Answer], holdfast: Sequence[Answer]) -> int:
    """Answers that are not the same in both runs, or not the recorded one."""
    rows = zip(session.answers, direct, holdfast, strict=True)
    return sum(_said(plain) != _said(ours) or plain.content != recorded for recorded, plain, ours in rows)


def _said(answer: Answer) -> tuple[Any, ...]:
    return answer.status, answer.stop, answer.content

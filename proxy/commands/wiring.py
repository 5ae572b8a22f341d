"""From settings to what the driver uses: store, archive, profiles, policies.

Rules of this room: this is the one place where these rooms meet. Everything is opened here, once, and
closed by whoever serves.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from policies.core.profile import Profile
from policies.policy import Policy
from policies.routes import policy_for
from proxy.archive_sqlite import open_archive
from proxy.config import Live, Settings
from proxy.errors import StoreError
from proxy.exchange import Context, Request, Settled, Witness
from proxy.memo import Memo
from proxy.profiles import load_profiles, profile_for
from proxy.store.open import open_store
from proxy.tokens import Counters

log = logging.getLogger("holdfast.wiring")

PRUNE_EVERY = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class Unwitnessed:
    """A witness that counts nothing."""

    def settled(self, settled: Settled) -> None:
        pass

    def degraded(self, what: str, reason: str) -> None:
        pass


def open_context(settings: Settings, live: Live, witness: Witness) -> Context:
    """What `prepare` and `settle` use. Raises ConfigError and StoreError."""
    archive = settings.archive
    context = Context(
        store=open_store(settings.store),
        archive=open_archive(settings.store, archive.max_bytes, archive.max_age),
        # keyed anew in each process: nobody can prepare messages whose fast hashes collide
        memo=Memo(seed=secrets.randbits(64)),
        profile=_profiles(settings),
        counter=Counters().counter,
        policy=_policies(live),
        witness=witness,
    )
    if settings.tenant_key is not None:
        context.tenant_key = settings.tenant_key.reveal().encode()
    return context


async def keep_pruned(context: Context, clock: Callable[[], float]) -> None:
    """Drop what is beyond the bounds of store and archive, until cancelled."""
    while True:
        await asyncio.sleep(PRUNE_EVERY)
        try:
            dropped = await context.store.prune(clock()), await context.archive.prune(clock())
            log.info("pruned %d lineages and %d originals", *dropped)
        except StoreError as error:
            log.warning("nothing pruned: %s", error)
            context.witness.degraded("store", "prune")


def _profiles(settings: Settings) -> Callable[[str, str], Profile]:
    profiles = load_profiles()
    named = {upstream.name: upstream.profile for upstream in settings.upstreams}
    found: dict[tuple[str, str | None], Profile] = {}

    def profile(model: str, upstream: str) -> Profile:
        key = model, named.get(upstream)
        if key not in found:
            if len(found) >= 1000:  # names come from requests
                found.clear()
            found[key] = profile_for(profiles, *key)
        return found[key]

    return profile


def _policies(live: Live) -> Callable[[Request, str], Policy]:
    def policy(request: Request, model: str) -> Policy:
        return policy_for(
            live.routes,
            upstream=request.upstream,
            path=request.path,
            model=model,
            agent=request.agent,
            asked=request.policy,
        )

    return policy

"""From settings to what the driver uses: store, archive, profiles, policies.

Rules of this room: this is the one place where these rooms meet. Everything is opened here, once, and
closed by whoever serves.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from metrics.events import Event
from metrics.labels import Known
from metrics.registry import Metrics
from policies.core.profile import Profile
from policies.policy import Policy
from policies.routes import policy_for
from proxy.accounting import Accounts
from proxy.config import Live, Settings
from proxy.errors import StoreError
from proxy.exchange import Context, Request
from proxy.memo import Memo
from proxy.probes import Ready
from proxy.profiles import load_profiles, profile_for
from proxy.recall.opening import open_from
from proxy.recorder import Recorder
from proxy.store.open import open_store, store_path
from proxy.timed import TimedArchive, TimedStore
from proxy.tokens import Counters

log = logging.getLogger("holdfast.wiring")

PRUNE_EVERY = 600.0  # seconds
NOBODY = bytes(32)  # no credential has this digest


def open_metrics(settings: Settings) -> Metrics:
    """The registry, with the names that configuration and profiles give."""
    known = Known(
        upstreams=tuple(upstream.name for upstream in settings.upstreams),
        models=tuple(profile.name for profile in load_profiles()),
        policies=tuple(settings.routes.policies),
    )
    return Metrics(version=version("holdfast"), known=known)


def open_recorder(settings: Settings, now: float) -> Recorder | None:
    """Where `--record` asks for one: a file named after the second it was opened in and the process."""
    if settings.record is None:
        return None
    return Recorder(Path(settings.record), f"{int(now)}-{os.getpid()}")


def open_context(settings: Settings, live: Live, emit: Callable[[Event], None]) -> Context:
    """What `prepare` and `settle` use. Raises ConfigError and StoreError."""
    backend = backend_of(settings.store)
    context = Context(
        store=TimedStore(open_store(settings.store), backend, emit),
        archive=TimedArchive(open_from(settings), backend, emit),
        # keyed anew in each process: nobody can prepare messages whose fast hashes collide
        memo=Memo(seed=secrets.randbits(64)),
        profile=_profiles(settings),
        counter=Counters().counter,
        policy=_policies(live),
        witness=Accounts(emit, backend),
    )
    if settings.tenant_key is not None:
        context.tenant_key = settings.tenant_key.reveal().encode()
    return context


def backend_of(store_url: str) -> str:
    """The store's kind as a metric label."""
    return "memory" if store_path(store_url) is None else "sqlite"


def readiness(context: Context) -> Ready:
    """Whether store and archive answer. Configuration that cannot be used ends the program at its start."""

    async def ready() -> str:
        try:
            await context.store.find(NOBODY, (NOBODY,))
            await context.archive.size()
        except StoreError as error:
            return f"the store cannot be used: {error}"
        return ""

    return ready


async def keep_pruned(context: Context, clock: Callable[[], float]) -> None:
    """Drop what is beyond the bounds of store and archive, until cancelled."""
    while True:
        with suppress(StoreError):  # the next prune says so
            await context.archive.size()  # for the metrics
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

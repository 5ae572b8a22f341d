"""Many sessions on several processes: sessions share nothing, so each is played by itself.

Rules of this room: results come in the order of the input, however many processes there are, and are
the same. A file is read as a whole before anything is played, so a bad line is told at once.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from policies.core.profile import Profile, find_profile
from policies.policy import Policy
from proxy.errors import ConfigError
from proxy.profiles import load_profiles
from proxy.replay.gaps import Gap
from proxy.replay.session import Played, play
from proxy.replay.trace import Recording, Trace, read
from proxy.replay.wire import script
from proxy.tokens import Counters

FEW = 3
"""Sessions for which starting processes does not pay."""

Done = Callable[[int, int], None]
"""Called with how many sessions are played, and of how many."""


class Task(Struct, frozen=True):
    """One session and how to play it."""

    session: Trace | Recording
    profile: Profile
    policies: tuple[Policy, ...]
    gap: Gap | None = None


def told_apart(given: Sequence[tuple[str, Policy]]) -> list[Policy]:
    """The policies, each with how it was asked for. Those of one name are called by that instead."""
    names = [policy.name for _, policy in given]
    return [replace(policy, name=asked) if names.count(policy.name) > 1 else policy for asked, policy in given]


def tasks(
    paths: Sequence[Path], policies: Sequence[Policy], model: str | None = None, gap: Gap | None = None
) -> list[Task]:
    """What is to be played. Raises ConfigError for a bad line, and for a model that nobody describes."""
    names = [policy.name for policy in policies]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"two policies are called `{twice}`", help="name each once")
    profiles = load_profiles()
    work = [
        Task(session, _profile(profiles, path, session, model), tuple(policies), gap)
        for path in paths
        for session in read(path)
    ]
    if len({task.profile.unit for task in work}) > 1:
        raise ConfigError("dollars and relative units cannot be added", help="choose one model with --model")
    return work


def replay(work: Sequence[Task], workers: int, done: Done) -> list[Played]:
    """Play all sessions."""
    played: list[Played] = []
    for one in results(work, workers):
        played.append(one)
        done(len(played), len(work))
    return played


def results(work: Sequence[Task], workers: int) -> Iterator[Played]:
    """The sessions as they are played, in their order."""
    workers = min(workers, len(work))
    if workers < 2 or len(work) <= FEW:
        yield from map(played, work)
        return
    # spawn: the caller may have threads, and a forked child would inherit their locks
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(played, work)


def played(task: Task) -> Played:
    """Play one session."""
    count = _counters().counter(task.profile)
    return play(script(task.session, task.profile, task.gap), task.profile, task.policies, count)


@cache
def _counters() -> Counters:
    """One for each process: loading a vocabulary takes a third of a second."""
    return Counters()


def _profile(profiles: tuple[Profile, ...], path: Path, session: Trace | Recording, model: str | None) -> Profile:
    wanted = model or session.model
    found = next((profile for profile in profiles if profile.name == wanted), None) or find_profile(profiles, wanted)
    if found is None and model:
        raise ConfigError(f"no profile describes the model `{wanted}`", help="`holdfast models` lists them")
    if found is None:
        raise ConfigError(
            f"session `{session.id}`: no profile describes the model `{wanted}`",
            file=str(path),
            help="choose one with --model",
        )
    return found

"""`holdfast demo`: the recorded session, direct and through Holdfast, with a table and a plot.

Rules of this room: it prints and writes files; playing and comparing are in `proxy.demo`. The progress bar
is for a terminal only and goes to standard error.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import httpx

from policies.core.profile import Profile
from proxy import server
from proxy.commands.terminal import Terminal
from proxy.demo import play, plot, session, words
from proxy.demo.figures import Comparison, document
from proxy.profiles import load_profiles, profile_for

PLOT, STATE = "demo.svg", "demo.db"
BAR = 40


def run(folder: str, stays: bool, terminal: Terminal, environ: Mapping[str, str]) -> int:
    """The exit status: 1 where something was refused, lost without a reason or answered differently."""
    recorded = session.load()
    target = Path(folder) / PLOT
    target.parent.mkdir(parents=True, exist_ok=True)
    said: list[Comparison] = []

    def done(comparison: Comparison, addresses: play.Addresses) -> "asyncio.Future[None] | None":
        said.append(comparison)
        _tell(comparison, recorded, target, terminal)
        if not stays:
            return None
        terminal.text(_where(addresses))
        return asyncio.get_running_loop().create_future()

    progress = _progress if sys.stderr.isatty() else _silent
    played = partial(play.compare, recorded, _profile(recorded), environ, target.with_name(STATE), progress, done)
    try:
        server.run(partial(_until_told, played))
    except httpx.HTTPError as error:
        raise OSError(f"the demo broke off: {str(error) or type(error).__name__}") from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass  # how `--serve` ends; before there is a result, the status says that there is none
    return 0 if said and said[0].sound else 1


async def _until_told(main: Callable[[], Awaitable[None]]) -> None:
    """SIGTERM as Ctrl-C: what was started is ended, and no process is left behind."""
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):  # not the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await main()


def _profile(recorded: session.Session) -> Profile:
    return profile_for(load_profiles(), recorded.model)


def _tell(comparison: Comparison, recorded: session.Session, target: Path, terminal: Terminal) -> None:
    target.write_text(plot.svg(comparison), encoding="utf-8")
    if terminal.json:
        terminal.text(json.dumps({**document(comparison), "plot": str(target)}, indent=2))
        return
    terminal.text(f"{recorded.model}, a recorded coding session of {len(recorded.answers)} requests,")
    terminal.text("simulated provider, prices and cache rules of the model's profile\n")
    terminal.text(words.report(comparison, colour=terminal.colour))
    terminal.text(f"\nplot: {target}\nturn by turn: holdfast explain --store sqlite:///{target.with_name(STATE)}")


def _where(addresses: play.Addresses) -> str:
    return (
        f"\nstill running, until Ctrl-C:\n  proxy     {addresses.proxy}\n  metrics   {addresses.admin}/metrics\n"
        f"  provider  {addresses.provider} (its log: /_simulator/log)"
    )


def _silent(done: int, of: int) -> None:
    pass


def _progress(done: int, of: int) -> None:
    full = BAR * done // of
    line = f"\r[{'#' * full}{'.' * (BAR - full)}] {done}/{of}"
    print(line, end="\n" if done == of else "", file=sys.stderr, flush=True)

"""`holdfast run -- COMMAND`: an agent with a proxy of its own, and what came of it.

Rules of this room: this is wiring. Standard output and the terminal are the agent's; what we say goes to
standard error, before it starts and after it has ended, and what we log goes to a file.
"""

import json
import logging
import os
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from metrics.tally import Tally
from policies.core.usage import Usage
from proxy.commands import intercept, run_agents, run_child, run_doors, run_proxy, serving
from proxy.commands.clients import policies
from proxy.commands.run_doors import Door
from proxy.commands.run_summary import Ran, document, report
from proxy.commands.serve import request as flagged
from proxy.commands.terminal import complain, wants_colour
from proxy.commands.works import Audience
from proxy.config import Override, Request, Settings, load_settings
from proxy.counting import traffic_of
from proxy.errors import ConfigError
from proxy.exchange import Prepared
from proxy.intercept.authority import variables
from proxy.store.open import store_path

Clock = Callable[[], float]

OWN_PORTS = {"host": "127.0.0.1", "port": "0", "admin_host": "127.0.0.1", "admin_port": "0", "workers": "1"}
LOG_BYTES = 5_000_000
"""A log of earlier runs that is larger is put aside first."""

HINTS = {
    "claude": "A base URL in the `env` of its settings.json wins over the variable.",
    "gemini": "It does with an API key; signed in with Google it asks another API.",
}
"""Why an agent that reads one of the variables may not have used it."""

ELSEWHERE = (
    "Else give it the address of `holdfast serve` in its own settings, or use\n"
    "`holdfast run --intercept`, which needs no base URL."
)


def run(args: Namespace, environ: Mapping[str, str], clock: Clock) -> int:
    """The agent's exit status, or why there is none: 126, 127."""
    argv = _agent(args.agent)
    try:
        return _run(argv, run_child.find(argv[0], environ), args, environ, clock)
    except run_child.Unrunnable as error:
        complain(f"holdfast: {error}")
        return error.status


def _agent(words: Sequence[str]) -> list[str]:
    if len(words) < 2 or words[0] != "--":
        raise ConfigError("holdfast run: write the agent's command after `--`", help="see `holdfast run --help`")
    return list(words[1:])


def _run(argv: Sequence[str], program: str, args: Namespace, environ: Mapping[str, str], clock: Clock) -> int:
    asked = run_agents.Asked() if args.intercept else run_agents.ask(program, argv, environ)
    fixed = {name for name, _ in args.upstream}
    openings = (*asked.openings, *run_doors.by_variable(environ))
    found = run_doors.doors(openings, {**environ, **asked.own}, fixed)
    request = _request(args, environ, run_doors.overrides(found))
    settings = load_settings(request)
    way = _by_proxy(argv, environ, settings) if args.intercept else _by_base_url(argv, environ, settings, found)
    log = _open_log(settings, environ)
    for note in (*run_doors.notes(found), *asked.notes, *settings.notes):
        complain(f"holdfast: {note}")
    tally, sessions = Tally(), Sessions()
    with run_proxy.running(_server(settings, request, clock, way.front, Audience(tally.add, sessions.answered))) as url:
        told = way.tell(url)
        status = run_child.run(told.argv, told.environ, program)
    home = environ.get("HOME", "")
    ran = Ran(
        agent=run_agents.name_of(argv),
        policy=policies(settings),
        tally=tally,
        sessions=sessions.named,
        store=_short(store_path(settings.store), home),
        log=_short(log, home),
        read_back=_read_back(args),
        base=url,
        given=way.given,
        hint=way.hint,
        elsewhere=way.elsewhere,
    )
    _say(ran, args, environ)
    return status


@dataclass(frozen=True, slots=True)
class Way:
    """How the agent's requests come to us."""

    front: serving.Front
    tell: Callable[[str], run_agents.Told]
    """From our URL to what the agent is started with."""
    given: tuple[str, ...]
    hint: str = ""
    elsewhere: str = ""


def _by_base_url(argv: Sequence[str], environ: Mapping[str, str], settings: Settings, found: Sequence[Door]) -> Way:
    anthropic = next((upstream.url for upstream in settings.upstreams if upstream.name == "anthropic"), "")

    def tell(url: str) -> run_agents.Told:
        return run_agents.tell(argv, run_doors.environment(environ, found, url, anthropic), found, url)

    hint = HINTS.get(run_agents.name_of(argv), "")
    return Way(serving.reverse, tell, tuple(door.name for door in found), hint, ELSEWHERE)


def _by_proxy(argv: Sequence[str], environ: Mapping[str, str], settings: Settings) -> Way:
    authority = intercept.authority_of(settings, environ)

    def tell(url: str) -> run_agents.Told:
        return run_agents.Told(argv, run_doors.forwarded(environ, variables(url, authority)))

    return Way(intercept.front(authority), tell, tuple(variables("", authority)))


class Sessions:
    """Which sessions each model answered. Their names are shown to nobody; they are counted."""

    def __init__(self) -> None:
        self.named: defaultdict[str, set[str]] = defaultdict(set)

    def answered(self, prepared: Prepared, usage: Usage | None, now: float, status: int) -> None:
        if prepared.planned is not None:
            self.named[traffic_of(prepared).model].add(prepared.planned.turn.record.session)


def _request(args: Namespace, environ: Mapping[str, str], own: Sequence[Override]) -> Request:
    request = flagged(args, environ, ("store", "record"))
    ports = (Override((name,), text, "run") for name, text in OWN_PORTS.items())
    return Request(request.file, environ, (*own, *request.flags, *ports), args.policy)


def _server(
    settings: Settings, request: Request, clock: Clock, front: serving.Front, audience: Audience
) -> run_proxy.Serve:
    traffic = serving.listen(settings.host, settings.port)
    admin = serving.listen(settings.admin_host, settings.admin_port)
    serve = partial(serving.serve, settings, request, clock, traffic, admin)
    return partial(serve, front=front, audience=audience, drain=run_proxy.DRAIN)


def _open_log(settings: Settings, environ: Mapping[str, str]) -> Path | None:
    """Beside the state. A log that cannot be written to is none: what the agent does matters more."""
    logging.captureWarnings(True)  # the screen is the agent's
    store = store_path(settings.store)
    folder = Path(store).parent if store else Path(environ.get("HOME", "")) / ".local" / "state" / "holdfast"
    path = folder / "run.log"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    except OSError:
        serving.open_log(settings, Path(os.devnull))
        return None
    serving.open_log(settings, path)
    return path


def _say(ran: Ran, args: Namespace, environ: Mapping[str, str]) -> None:
    if args.format == "json":
        text = json.dumps(document(ran))
    else:
        text = report(ran, colour=not args.output and wants_colour(sys.stderr, environ))
    try:
        if args.output:
            Path(args.output).write_text(text + "\n", encoding="utf-8")
        else:
            print(text, file=sys.stderr, flush=True)
    except OSError as error:  # the status is the agent's all the same
        with suppress(OSError):
            complain(f"holdfast: the summary cannot be written: {(error.strerror or 'unknown reason').lower()}")


def _read_back(args: Namespace) -> str:
    where = "".join(f" --{name} {value}" for name, value in (("store", args.store), ("config", args.config)) if value)
    return f"holdfast archive get ID{where}"


def _short(path: Path | str | None, home: str) -> str:
    """A path as people write it; empty for none."""
    text = str(path or "")
    return f"~{text.removeprefix(home)}" if home and text.startswith(f"{home.rstrip('/')}/") else text

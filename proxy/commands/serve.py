"""`holdfast serve`: the proxy until told to stop.

Rules of this room: ports are bound before anything else, so that a taken port is one clear line; what a
client must be told is printed once both ports accept.
"""

import logging
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from proxy import server
from proxy.commands import serving, workers
from proxy.commands.clients import how_to_connect
from proxy.config import Override, Request, Settings, default_file

FLAGS = ("host", "port", "admin_port", "store", "record", "workers")


def request(args: Namespace, environ: Mapping[str, str], names: Sequence[str] = FLAGS) -> Request:
    """What to load, from the arguments of the command; `names` are those that are keys of the configuration."""
    given = [(name, getattr(args, name)) for name in names]
    flags = (
        *(Override((name,), text, f"--{name.replace('_', '-')}") for name, text in given if text is not None),
        *(Override(("upstreams", name, "url"), url, "--upstream") for name, url in args.upstream),
    )
    file = Path(args.config) if args.config else default_file(environ)
    return Request(file, environ, flags, args.policy)


def run(settings: Settings, request: Request, clock: Callable[[], float]) -> int:
    """Serve until told to stop; the exit status."""
    serving.open_log(settings)
    traffic = serving.listen(settings.host, settings.port)
    admin = serving.listen(settings.admin_host, settings.admin_port)
    main = partial(serving.serve, settings, request, clock, traffic, started=partial(_announce, settings))
    if settings.workers == 1:
        server.run(partial(main, admin))
        return 0
    return workers.run(settings.workers, lambda number: server.run(partial(main, admin if number == 0 else None)))


def _announce(settings: Settings, traffic: server.Address, admin: server.Address | None) -> None:
    if admin is None:  # only one of several workers speaks
        return
    for note in settings.notes:
        logging.getLogger("holdfast.config").warning(note)
    print(how_to_connect(settings, traffic, admin), flush=True)

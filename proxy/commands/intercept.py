"""`holdfast intercept`: the same wiring as `serve`, behind a forward proxy.

Rules of this room: this is wiring, and what a person must be told. It listens on loopback only: a forward proxy that
others reach is theirs to abuse. Whoever else starts one in process gives `front` to `serving.serve`, and a child
`variables(url, authority)`.
"""

import importlib.util
import logging
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from proxy import server
from proxy.commands import serve, serving
from proxy.commands.works import Clock, Works
from proxy.config import Override, Request, Settings
from proxy.dialects.registry import DIALECTS
from proxy.errors import ConfigError
from proxy.intercept.authority import Authority, folder_of, open_authority, variables
from proxy.intercept.targets import Targets
from proxy.tables import render

log = logging.getLogger("holdfast.intercept")

HOST = "127.0.0.1"
FLAGS = ("admin_port", "store", "record")


def request(args: Namespace, environ: Mapping[str, str]) -> Request:
    """What to load, from the arguments of the command. An allowed host is an upstream named like it."""
    asked = serve.request(args, environ, FLAGS)
    allowed = [
        Override(("upstreams", host.lower().replace(":", "-"), "url"), f"https://{host}", "--allow")
        for host in args.allow
    ]
    return replace(asked, flags=(*asked.flags, *allowed))


def run(settings: Settings, request: Request, port: int, clock: Clock) -> int:
    """Serve until told to stop; the exit status."""
    serving.open_log(settings)
    authority = authority_of(settings, request.environ)
    traffic = serving.listen(HOST, port)
    admin = serving.listen(settings.admin_host, settings.admin_port)
    started = partial(_announce, settings, authority)
    main = partial(serving.serve, settings, request, clock, traffic, admin, started=started, front=front(authority))
    server.run(main)
    return 0


def authority_of(settings: Settings, environ: Mapping[str, str]) -> Authority:
    """The authority of this user, made where there is none. Raises ConfigError where mitmproxy is missing."""
    if importlib.util.find_spec("mitmproxy") is None:
        raise ConfigError("mitmproxy is not installed", help="`pip install 'holdfast[intercept]'` brings it")
    own = dict.fromkeys(upstream.ca_file for upstream in settings.upstreams if upstream.ca_file)
    return open_authority(folder_of(environ), environ, own)


def front(authority: Authority) -> serving.Front:
    """The intercepting proxy as a front end of `serving.serve`; clients get `variables(url, authority)`."""

    def opened(works: Works, drain: server.Drain) -> tuple[server.Port, Callable[[float], Awaitable[None]]]:
        from proxy.intercept.addon import Interceptor  # here: the extra may be missing
        from proxy.intercept.port import ForwardPort, weaknesses

        if weak := weaknesses():
            log.warning(weak)
        turns = works.turns
        interceptor = Interceptor(Targets(works.settings.upstreams, DIALECTS), turns)
        port = ForwardPort(interceptor, authority, body_bytes=turns.limits.body_bytes, patience=drain.patience)
        return port, turns.lifecycle.finish

    return opened


def _announce(settings: Settings, authority: Authority, traffic: server.Address, admin: server.Address | None) -> None:
    for note in settings.notes:
        logging.getLogger("holdfast.config").warning(note)
    print(how_to_connect(settings, authority, traffic, admin), flush=True)


def how_to_connect(
    settings: Settings, authority: Authority, traffic: server.Address, admin: server.Address | None
) -> str:
    """Printed when it is ready; the first line is what scripts wait for."""
    hosts = Targets(settings.upstreams, DIALECTS).hosts()
    return "\n".join(
        (
            f"holdfast intercepts at {traffic.url} (admin {admin.url if admin else 'none'})",
            f"decrypted: {', '.join(hosts)}; everything else passes untouched",
            "set for the agent, and for nothing else (no system needs to trust this authority):",
            render(("variable", "value"), list(variables(traffic.url, authority).items()), width=200),
        )
    )

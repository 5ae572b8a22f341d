"""The simulated provider as a server of its own: `holdfast simulate`.

A front end: it reads the clock and opens the port.
"""

import socket
import time

import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette

from policies.core.profile import Profile, find_profile
from proxy.simulator.app import create
from proxy.simulator.brains import Brain, echo
from proxy.simulator.nodes import BODY_LIMIT


def run(
    host: str = "127.0.0.1",
    port: int = 0,
    model: str = "",
    profiles: tuple[Profile, ...] = (),
    brain: Brain = echo,
) -> None:
    """Serves until interrupted. Port 0 takes a free one; with `model`, its rules hold for every model name."""
    app = create(profiles=under(model, profiles), brain=brain, clock=time.time)  # noqa: TID251  a front end reads the clock
    with listen(host, port) as listener:
        print(f"simulated provider on http://{host}:{listener.getsockname()[1]}", flush=True)
        server(app).run(sockets=[listener])


def under(model: str, profiles: tuple[Profile, ...]) -> tuple[Profile, ...]:
    """The profiles to serve: all, or one that stands for every name."""
    if not model:
        return profiles
    profile = find_profile(profiles, model)
    if profile is None:
        raise ValueError(f"no profile for model `{model}`")
    return (replace(profile, match=("*",)),)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket: the port is known, and callers wait in line, before the server runs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


def server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=BODY_LIMIT,
        log_level="critical",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)

"""mitmproxy as one port of the program: on a socket that is bound already, opened and closed like the others.

Rules of this room: mitmproxy with the few add-ons that a forward proxy needs, and no more: no scripts, no web
application, no saving of what passes. Its own server is off, for it cannot take a bound socket. mitmproxy keeps its
state in one place for the whole process: one port at a time. It must not know what the add-on does.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from importlib.metadata import version

from mitmproxy import options
from mitmproxy.addons import block, core, disable_h2c, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.proxy.mode_servers import ServerInstance
from mitmproxy.proxy.mode_specs import RegularMode

from proxy.intercept.addon import Interceptor
from proxy.intercept.authority import Authority

log = logging.getLogger("holdfast.intercept")

TICK = 0.05
"""How often it looks whether it is to close, in seconds; as uvicorn, twice as often."""
FIXED = (12, 2, 2)
"""The first mitmproxy without CVE-2025-23217, GHSA-847f-9342-265h and CVE-2026-40606. It needs Python 3.12."""


class ForwardPort:
    """One port, after `proxy.server.Port`. `patience`: seconds for what is open when it closes."""

    def __init__(self, interceptor: Interceptor, authority: Authority, *, body_bytes: int, patience: float) -> None:
        self.started = self.should_exit = self.force_exit = False
        self._interceptor, self._authority = interceptor, authority
        self._body_bytes, self._patience = body_bytes, patience

    def hurry(self) -> None:
        self._patience = min(self._patience, 1.0)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets
        master, proxy = self._master()
        instance: ServerInstance[RegularMode] = ServerInstance.make("regular", proxy)
        server = await asyncio.start_server(instance.handle_stream, sock=sockets[0])
        await master.running()
        self.started = True
        try:
            await self._until(lambda: self.should_exit)
            server.close()
            await self._drain()
        finally:
            server.close()
            _hang_up(proxy)
            await self._until(lambda: not proxy.connections, 1.0)
            await master.done()

    def _master(self) -> tuple[Master, proxyserver.Proxyserver]:
        master = Master(options.Options(server=False, confdir=str(self._authority.folder)))
        proxy = proxyserver.Proxyserver()
        master.addons.add(
            core.Core(),
            block.Block(),
            disable_h2c.DisableH2C(),
            proxy,
            self._interceptor,  # before the next one, which takes what is decided already
            next_layer.NextLayer(),
            tlsconfig.TlsConfig(),
        )
        master.options.update(
            stream_large_bodies=str(self._body_bytes),
            ssl_verify_upstream_trusted_ca=str(self._authority.upstream),
        )
        return master, proxy

    async def _drain(self) -> None:
        """What providers are still answering; tunnels end with the port, for nobody knows whether they are done."""
        await self._until(lambda: self._interceptor.open == 0 or self.force_exit, self._patience)

    async def _until(self, condition: Callable[[], bool], patience: float = float("inf")) -> None:
        time = asyncio.get_running_loop().time
        limit = time() + patience
        while not condition() and time() < limit:
            await asyncio.sleep(TICK)


def _hang_up(proxy: proxyserver.Proxyserver) -> None:
    for handler in tuple(proxy.connections.values()):
        client = handler.transports.get(handler.client)
        if client and client.handler:
            client.handler.cancel("the proxy is closing")


def weaknesses() -> str:
    """What is to be said of the mitmproxy in use; empty where there is nothing."""
    installed = version("mitmproxy")
    if tuple(int(part) for part in installed.split(".")[:3]) >= FIXED:
        return ""
    return f"mitmproxy {installed} has known weaknesses (docs/intercept.md): use Python 3.12 or newer where you can"

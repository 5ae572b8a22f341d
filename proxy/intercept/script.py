"""For mitmproxy's own programs: `mitmdump -s script.py`, with Holdfast's configuration (file and variables).

Rules of this room: an entry point, so the environment and the clock are read here. It makes mitmproxy what
`holdfast intercept` is, as far as an add-on can: on loopback unless it asks who comes, decrypting only what goes to
providers, holding no stream. The authority is mitmproxy's own, and there is no admin port.
"""

import logging
import os
import time

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader

from proxy.commands.works import Works, open_works
from proxy.config import Request, default_file, load_settings
from proxy.dialects.registry import DIALECTS
from proxy.errors import ConfigError, ProxyError
from proxy.intercept.addon import Interceptor
from proxy.intercept.port import weaknesses
from proxy.intercept.reach import is_loopback
from proxy.intercept.targets import Targets

log = logging.getLogger("holdfast.intercept")

SETTLING = 5.0
"""Seconds, when mitmproxy ends, for what follows the last answers."""


class Holdfast:
    """An add-on that becomes another one when it is loaded; `addons` is where mitmproxy looks for more."""

    def __init__(self) -> None:
        self.addons: list[Interceptor] = []
        self._works: Works | None = None

    def load(self, loader: Loader) -> None:
        """Never without it: mitmproxy alone would decrypt everything that comes."""
        try:
            _check_binding(ctx.options.listen_host, bool(ctx.options.proxyauth))
            works = self._works = _open()
        except (ProxyError, OSError) as error:
            log.error("%s", error)
            ctx.master.shutdown()
            return
        ctx.options.update(stream_large_bodies=str(works.turns.limits.body_bytes))
        self.addons.append(Interceptor(Targets(works.settings.upstreams, DIALECTS), works.turns))
        if weak := weaknesses():
            log.warning(weak)

    async def done(self) -> None:
        if self._works:
            await self._works.turns.lifecycle.finish(SETTLING)
            await self._works.close()


def _open() -> Works:
    environ = os.environ  # noqa: TID251  an entry point, like the command line
    request = Request(default_file(environ), environ)
    return open_works(load_settings(request), request, time.time)  # noqa: TID251  the clock of the program


def _check_binding(host: str, asks_who_comes: bool) -> None:
    """An open forward proxy is everybody's. mitmproxy takes no host for all of them, and may have bound it already."""
    if not (asks_who_comes or is_loopback(host)):
        raise ConfigError("a forward proxy for all to use", help="add `--listen-host 127.0.0.1`, or `--proxyauth`")


addons = [Holdfast()]

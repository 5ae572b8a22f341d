"""`holdfast mcp`: the MCP server over stdio, for an agent on the machine where the state is.

Rules of this room: it needs no running proxy, only the file that one has kept. Standard output belongs to the protocol.
"""

import asyncio
from collections.abc import Callable

from proxy.archive.open import archive_path
from proxy.config import Settings
from proxy.errors import ConfigError
from proxy.recall.library import Library
from proxy.recall.opening import open_from
from proxy.recall.server import serve_stdio


def run(settings: Settings, tenant: str, clock: Callable[[], float]) -> int:
    """Serve until the client closes standard input; the exit status."""
    if archive_path(settings.store) is None:
        help = "connect to /mcp of the admin port while the proxy runs"
        raise ConfigError("the store `memory:` keeps nothing on disk", help=help)

    async def main() -> None:
        archive = open_from(settings)
        try:
            await serve_stdio(Library(archive, clock, lambda: None), tenant)
        finally:
            await archive.close()

    asyncio.run(main())
    return 0

"""Where a forward proxy may be sent: not to its own machine, and not to a name that leads there.

A proxy that connects anywhere is a way around every rule that trusts an address: the admin port, a cloud's
metadata service, a service that only listens on loopback (OWASP: server-side request forgery). A web page cannot
write CONNECT, but its requests reach a port on loopback, under a name that it has pointed there (DNS rebinding).
So a name is looked up once, every address of it must be allowed, and the connection goes to one of these, not to
whatever a second look-up says. Rules of this room: how names are looked up is an argument. Configured upstreams
are not asked for here: they may be anywhere.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses, the best first. Raises OSError."""
Reach = Callable[[str, int], Awaitable[str]]
"""From host and port to the address to connect to. Raises Unreachable."""


class Unreachable(Exception):
    """This destination is refused; `status` is what the agent is told, `level` how loudly it is logged."""

    def __init__(self, message: str, *, status: int = 403, level: int = logging.WARNING) -> None:
        self.status, self.level = status, level
        super().__init__(message)


async def look_up(host: str, port: int) -> Sequence[str]:
    """With IPv4 first: of several addresses one is taken, and there is no second try."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG if _named(host) else 0
    )
    ordered = sorted(found, key=lambda each: each[0] != socket.AF_INET)
    return tuple(str(each[4][0]) for each in ordered)


async def reach(host: str, port: int, resolve: Resolve = look_up) -> str:
    """The address to connect to. Raises Unreachable."""
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError):
        raise Unreachable(f"`{host}` cannot be found", status=502, level=logging.INFO) from None
    if not addresses or any(is_own(address) for address in addresses):
        raise Unreachable(f"`{host}` is an address of the proxy's own machine or link, which is reached directly")
    return addresses[0]


def is_own(address: str) -> bool:
    """Whether an address is this machine's, this link's, or a group's."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    plain = getattr(parsed, "ipv4_mapped", None) or parsed
    return plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain.is_multicast


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there; a name other than localhost is not looked up."""
    return host == "localhost" or not _named(host) and ipaddress.ip_address(host).is_loopback


def _named(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False

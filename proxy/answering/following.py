"""The request that goes on: the one that was sent, with more messages behind its own.

Rules of this room: every byte that was sent stays where it was, so the provider's cache is read.
"""

from collections.abc import Sequence

from proxy.dialects.slices import split


def followed(body: bytes, list_key: str, more: Sequence[bytes]) -> bytes:
    """Raises DialectError where the body has no such list."""
    end = split(body, list_key).end
    return b"%b,%b%b" % (body[:end], b",".join(more), body[end:])

"""Records and outcomes to bytes and back.

Rules of this room: MessagePack by field name, so a field with a default can be added without a new
schema; zstd with a checksum, because SQLite itself does not notice a flipped bit. What cannot be
encoded or decoded is a StoreError that never quotes the content.
"""

import sys
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from policies.core.lineage import Record
from policies.core.outcome import Outcome
from proxy.errors import StoreError

if sys.version_info >= (3, 14):  # pragma: no cover
    from compression import zstd
else:  # pragma: no cover
    from backports import zstd

T = TypeVar("T", Record, Outcome)

# Level 1: records are small, and a turn waits for them.
_OPTIONS: Mapping[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: 1,
}


def pack(value: Record | Outcome) -> bytes:
    """MessagePack. A lone surrogate or an integer beyond 64 bits cannot be packed."""
    try:
        return msgspec.msgpack.encode(value)
    except (ValueError, OverflowError):
        raise StoreError(f"a {type(value).__name__.lower()} cannot be encoded") from None


def compress(content: bytes) -> bytes:
    """zstd, with a checksum over the content."""
    return zstd.compress(content, options=_OPTIONS)


def decompress(body: bytes) -> bytes:
    """The content, or a StoreError where a bit has flipped."""
    try:
        return zstd.decompress(body)
    except zstd.ZstdError:
        raise StoreError("a stored entry is damaged and cannot be read") from None


def encode(value: Record | Outcome) -> bytes:
    """As it is kept."""
    return compress(pack(value))


def decode(body: bytes, kind: type[T]) -> T:
    """The value back. The decoder's own message may quote content, so it is left out."""
    try:
        return msgspec.msgpack.decode(decompress(body), type=kind)
    except msgspec.MsgspecError:
        raise StoreError(f"a stored {kind.__name__.lower()} does not fit this version of Holdfast") from None

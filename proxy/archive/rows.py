"""The archive's rows as values: what is sealed and compressed, and what is not.

Rules of this room: what is read back is checked against the whole digest, not only against the id, and a sealed row
opens for its own tenant and digest alone.
"""

from typing import NamedTuple

import msgspec

from proxy.archive import About, Entry, text_digest
from proxy.archive.seal import Seal
from proxy.errors import StoreError
from proxy.store.codec import compress, decompress

COLUMNS = "key, tenant, id, digest, at, bytes, seal, about, indexed, body"


class Row(NamedTuple):
    """In the order of `COLUMNS`."""

    key: int
    tenant: bytes
    id: str
    digest: bytes
    at: float
    size: int
    seal: bytes
    about: bytes
    indexed: bool
    body: bytes


def content_of(row: Row, seal: Seal) -> bytes:
    """Raises StoreError where it is sealed with a key that is not at hand, or damaged."""
    content = decompress(seal.open(row.seal, row.body, _bound(row.tenant, row.digest)))
    if text_digest(content) != row.digest:
        raise StoreError(f"the original `{row.id}` is damaged and cannot be read")
    return content


def entry_of(row: Row, seal: Seal) -> Entry:
    """What is known of it; nothing, where that cannot be read."""
    try:
        packed = seal.open(row.seal, row.about, _bound(row.tenant, row.digest, b"about"))
        about = msgspec.msgpack.decode(packed, type=About) if packed else About()
    except (StoreError, msgspec.MsgspecError):
        about = About()
    return Entry(row.tenant, row.id, row.at, row.size, about)


def shut(tenant: bytes, digest: bytes, text: bytes, about: About, seal: Seal) -> tuple[bytes, bytes]:
    """Body and metadata as they are kept."""
    body = seal.shut(compress(text), _bound(tenant, digest))
    known = seal.shut(msgspec.msgpack.encode(about), _bound(tenant, digest, b"about"))
    return body, known


def _bound(tenant: bytes, digest: bytes, part: bytes = b"") -> bytes:
    """What a sealed record is tied to. Tenant and digest have fixed lengths, so no two are alike."""
    return tenant + digest + part

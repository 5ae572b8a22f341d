"""Encryption at rest: what is kept is sealed with the operator's key, and opens with that key alone.

AES-256-GCM, a nonce of its own for every record, and tenant and name of the record as associated data: a record that
was moved to another's place does not open. The first key seals; every key opens, so a key is changed by putting the
new one in front, and the old one can go when all that it sealed has been dropped by age.

Rules of this room: content in, content out; a wrong key is an error that says so, never garbage. What is not content
(ids, digests, tenants, times, sizes) is not sealed: whoever has the file can test whether it holds a text that they
know in full.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from proxy.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12
"""Bytes. Random ones of this length may be drawn 2^32 times under one key (NIST SP 800-38D, 8.3)."""


class Seal:
    """No key: nothing is sealed, and what is sealed cannot be opened."""

    def __init__(self, keys: Sequence[str] = (), random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random = random
        self._ciphers = dict(map(_cipher, keys))
        self.name = next(iter(self._ciphers), b"")
        """Of the key that seals; empty where nothing is sealed."""

    def shut(self, content: bytes, bound: bytes) -> bytes:
        """As it is kept; `bound` is needed to open it again."""
        if not self.name:
            return content
        nonce = self._random(NONCE)
        return nonce + self._ciphers[self.name].encrypt(nonce, content, bound)

    def open(self, name: bytes, body: bytes, bound: bytes) -> bytes:
        """`name`: of the key that it was sealed with."""
        if not name:
            return body
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise StoreError(_refusal(bool(self._ciphers)))
        from cryptography.exceptions import InvalidTag

        try:
            return cipher.decrypt(body[:NONCE], body[NONCE:], bound)
        except InvalidTag:
            raise StoreError("a sealed entry of the archive is damaged and cannot be read") from None


def _cipher(key: str) -> "tuple[bytes, AESGCM]":
    """The name of a key, and what seals with it. Both are derived, so neither tells the key."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        help = "pip install 'holdfast[encryption]'"
        raise ConfigError("an archive key is set, and the package `cryptography` is missing", help=help) from None
    secret = key.encode()
    name = hmac.digest(secret, b"holdfast archive: name", hashlib.sha256)[:8]
    return name, AESGCM(hmac.digest(secret, b"holdfast archive: key", hashlib.sha256))


def _refusal(keyed: bool) -> str:
    if keyed:
        return "this part of the archive is sealed with another key; add the old key behind the new one"
    return "this part of the archive is sealed; set HOLDFAST_ARCHIVE_KEY or `archive.key_file`"

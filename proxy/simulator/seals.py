"""Signed reasoning: what a provider hands out so that it can tell later whether it was touched.

A seal is readable (it has to carry what it is bound to) and cannot be forged without the key.
Rules of this room: pure; the key is an argument.
"""

import base64
import binascii
import hashlib
import hmac
import json

from msgspec import Struct


class Seal(Struct, frozen=True):
    """What a reasoning block is bound to."""

    model: str
    bound: str
    """Identity of everything before it, other reasoning left out."""
    before: str = ""
    """Mark of the reasoning block that preceded it in the request; "" where it was the first."""


class Seals(Struct, frozen=True):
    """Makes and opens seals with one key."""

    key: bytes

    def close(self, seal: Seal, content: str) -> str:
        row = json.dumps([seal.model, seal.bound, seal.before]).encode()
        return base64.b64encode(self._mac(row, content) + row).decode()

    def open(self, text: str, content: str) -> Seal | None:
        """None where the seal is not ours or the content is not the one it was made for."""
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, row = raw[:32], raw[32:]
        if not hmac.compare_digest(mac, self._mac(row, content)):
            return None
        model, bound, before = json.loads(row)
        return Seal(model=model, bound=bound, before=before)

    def _mac(self, row: bytes, content: str) -> bytes:
        return hmac.new(self.key, row + b"\x00" + content.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def mark_of(text: str) -> str:
    """A short name of a sealed block, by which a later one remembers it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

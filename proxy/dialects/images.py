"""What an image costs, told by its first bytes.

Rules of this room: an estimate, never an error; nothing is decoded but the header.
"""

import base64
import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS_PER_TOKEN = 750  # Anthropic, guide "vision": width x height / 750
_MOST = 1600  # the same guide: larger images are scaled down to about this
_UNKNOWN = 1500


def anthropic_image_tokens(data: object) -> int:
    """Tokens of an image given in base64; a typical screenshot's where its size cannot be told."""
    size = _png_size(data) if isinstance(data, str) else None
    if size is None:
        return _UNKNOWN
    return max(1, min(_MOST, size[0] * size[1] // _PIXELS_PER_TOKEN))


def _png_size(data: str) -> tuple[int, int] | None:
    try:
        head = base64.b64decode(data[:32])
    except ValueError:
        return None
    if len(head) < 24 or not head.startswith(_PNG):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height

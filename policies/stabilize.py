"""Keep what was sent before byte-identical when the client says the same thing in other bytes."""

from msgspec import Struct


class Stabilize(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the stabilize policy."""

    replay: bool = True
    """Send a block that is canonically equal to one sent before in the bytes of its first sending."""
    pin_system: bool = False
    pin_tools: bool = False
